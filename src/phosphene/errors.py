"""Every error that phosphene raises on purpose.

::

    PhospheneError
    ├── UnknownLayerError   LookupError      no such layer in the network
    ├── UnknownClassError   LookupError      no such class among the network's labels
    ├── UnitRangeError      IndexError       channel, position or class index beyond the layer
    ├── UnitFormatError     ValueError       text that is no unit
    ├── LayoutError         ValueError       a unit that does not fit the layer's output
    ├── ParameterError      ValueError       a component's parameter out of range
    ├── ArgumentError       TypeError        an argument of the wrong kind
    ├── ImageError          ValueError       an array that is no image
    ├── NetworkError        ValueError       a network that cannot be wrapped, loaded or run
    ├── WeightsError        OSError          weights that cannot be read or do not fit
    ├── RecipeError         ValueError       a recipe that cannot be read, named by its path
    ├── TrustError          PermissionError  a recipe that would import, run or download something
    ├── MissingExtraError   ImportError      an optional dependency is not installed
    ├── EvolutionError      RuntimeError     a scorer that failed in the middle of an evolution
    ├── ClusterError        ConnectionError  a cluster that does not answer, or whose workers do not begin
    └── StorageError        OSError          a file that cannot be written or read

Each one is also the builtin that a caller would guess. A message says what came, what was expected and what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class PhospheneError(Exception):
    """Base of every error that phosphene raises on purpose."""

    # KeyError-like builtins print the repr of their argument; people should read the sentence.
    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class UnknownLayerError(PhospheneError, LookupError):
    """The network has no layer of that name."""


class UnknownClassError(PhospheneError, LookupError):
    """The network's labels have no such class."""


class UnitRangeError(PhospheneError, IndexError):
    """A channel, position or class index lies beyond the layer's output."""


class UnitFormatError(PhospheneError, ValueError):
    """A text that should name units cannot be read."""


class LayoutError(PhospheneError, ValueError):
    """A unit asks for something that the layer's output does not have, such as a position in a vector."""


class ParameterError(PhospheneError, ValueError):
    """A component's parameter is out of range."""


class ArgumentError(PhospheneError, TypeError):
    """An argument is of the wrong kind."""


class ImageError(PhospheneError, ValueError):
    """An array that should be an image has the wrong shape, type or range."""


class NetworkError(PhospheneError, ValueError):
    """A network cannot be wrapped, loaded or run."""


class WeightsError(PhospheneError, OSError):
    """Weights cannot be read, or do not fit the network."""


class RecipeError(PhospheneError, ValueError):
    """A recipe cannot be read; the message starts with the path of the offending key."""


class TrustError(PhospheneError, PermissionError):
    """A recipe from a file would import, run or download something, and nobody allowed that."""


class MissingExtraError(PhospheneError, ImportError):
    """An optional dependency is not installed; the message holds the install line."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(
            f"{feature} needs the extra {extra!r}, which is not installed: pip install 'phosphene[{extra}]'"
        )


class EvolutionError(PhospheneError, RuntimeError):
    """A scorer failed in the middle of an evolution; its own error is the cause.

    Attributes:
        partial: the :class:`~phosphene.evolution.Evolution` of the generations before; ``evolve(…, resume=partial)``
            goes on from there.
    """

    def __init__(self, message: str, partial: object) -> None:
        super().__init__(message)
        self.partial = partial


class ClusterError(PhospheneError, ConnectionError):
    """A cluster does not answer, its workers do not begin, or what they answer cannot be read."""


class StorageError(PhospheneError, OSError):
    """A file cannot be written or read."""


def nearest(name: str, known: Iterable[str], n: int = 3) -> str:
    """Half a sentence that names the entries of ``known`` most like ``name``; empty if none is near.

    >>> nearest("bloks.8", ["stem", "blocks.8", "blocks.9"])
    'did you mean blocks.8 or blocks.9?'
    """
    near = difflib.get_close_matches(name, list(known), n=n, cutoff=0.5)
    if not near:
        return ""
    *head, last = near
    return f"did you mean {', '.join(head)} or {last}?" if head else f"did you mean {last}?"
