"""Stimuli, and the order in which they are shown."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from jaxtyping import Float
from torch import Tensor

from phosphene._component import check
from phosphene.errors import ArgumentError, ParameterError, StorageError
from phosphene.functional.random import stream_seed
from phosphene.store import distinct_stems
from phosphene.store.photographs import SUFFIXES

Interleaving = Literal["evenly", "randomly"]
INTERLEAVINGS: tuple[str, ...] = get_args(Interleaving)

_LONGEST = 100  # characters; a file system allows 255 bytes with suffix
_SAFE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+=@-]*(?<!\.)")
#: Names that Windows keeps for devices, whatever their suffix.
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class Stimulus:
    """Something to be shown under a name.

    Attributes:
        name: what the rig calls it in its responses, and the stem of its file: at most 100 ASCII letters, digits and
            ``._+=@-``, none of Windows' device names.
        image: an image (c, h, w) in [0, 1] with one channel or three; the path of a picture's file; or the bytes of a
            PNG, which is shown as it is: no display is applied to it.
        candidate: the id under which an optimizer knows it; empty for none.
        is_reference: whether it is a reference image, which no optimizer has made.

    Raises:
        ParameterError: a name that some file system could not hold.
    """

    name: str
    image: Float[Tensor, "c h w"] | str | os.PathLike[str] | bytes
    candidate: str = ""
    is_reference: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.image, Tensor | str | os.PathLike | bytes):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ArgumentError(
                f"the image of stimulus {self.name!r} is a {type(self.image).__name__}; "
                "expected a tensor (c, h, w), a file's path, or the bytes of a PNG"
            )
        fits = _SAFE.fullmatch(self.name) and len(self.name) <= _LONGEST and not _DEVICES.fullmatch(self.name)
        expected = f"at most {_LONGEST} letters, digits and ._+=@- that every file system takes, without a suffix"
        check(bool(fits) and not self.name.lower().endswith(SUFFIXES), "name", self.name, expected)

    @property
    def file(self) -> str:
        """The name of its file."""
        return f"{self.name}.png"


@dataclass(frozen=True)
class Presentation:
    """One showing of a stimulus.

    Attributes:
        position: its place in the block, from 1.
        trial: how often this stimulus has been shown in the block by then, from 1.
        stimulus: the stimulus' name.
    """

    position: int
    trial: int
    stimulus: str


def read_references(folder: str | os.PathLike[str], *, prefix: str = "reference_") -> tuple[Stimulus, ...]:
    """The pictures of a folder as reference images, by name.

    Args:
        folder: holds them; folders in it and other files are left out.
        prefix: what the stimuli's names begin with, so that none is taken for a candidate's.

    Raises:
        StorageError: there is no such folder, or no picture in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise StorageError(f"{folder} is no folder; give the folder that holds the reference images")
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
    if not found:
        raise StorageError(f"{folder} holds no reference images; expected files that end in {', '.join(SUFFIXES)}")
    stems = distinct_stems(prefix + path.stem[:80].replace(",", "-") for path in found)
    return tuple(Stimulus(stem, path, is_reference=True) for stem, path in zip(stems, found, strict=True))


def presentation_order(
    stimuli: Sequence[Stimulus], *, seed: int, repeats: int = 1, interleave: Interleaving = "evenly"
) -> tuple[Presentation, ...]:
    """A random order in which every stimulus is shown once before any is shown again, and none twice in a row.

    It depends on the names and the seed only: not on the order in which the stimuli come, nor on a library's version.

    Args:
        stimuli: what is shown; no two of one name, whatever the case.
        seed: of the order.
        repeats: how often each is shown.
        interleave: reference images "evenly" among the others, or shuffled "randomly" with them.

    Raises:
        ParameterError: no stimuli, two of one name, or an argument out of range.
    """
    check(repeats >= 1, "repeats", repeats, "a whole number from 1")
    check(interleave in INTERLEAVINGS, "interleave", interleave, f"one of {list(INTERLEAVINGS)}")
    _check_distinct([stimulus.name for stimulus in stimuli])
    names = list[str]()
    for n in range(repeats):
        one = _one_pass(stimuli, stream_seed(seed, "presentation", str(n)), interleave)
        if names[-1:] == one[:1]:
            one[:2] = one[1::-1]
        names.extend(one)
    return tuple(Presentation(i + 1, i // len(stimuli) + 1, name) for i, name in enumerate(names))


def _check_distinct(names: Sequence[str]) -> None:
    check(len(names) > 0, "stimuli", list(names), "at least one stimulus")
    seen: dict[str, str] = {}
    for name in names:
        if name.lower() in seen:
            raise ParameterError(
                f"two stimuli are called {seen[name.lower()]!r} and {name!r}; expected names that differ even where "
                "case does not count, as on many file systems"
            )
        seen[name.lower()] = name


def _one_pass(stimuli: Sequence[Stimulus], seed: int, interleave: str) -> list[str]:
    references = _shuffled((s.name for s in stimuli if s.is_reference), seed)
    others = _shuffled((s.name for s in stimuli if not s.is_reference), seed)
    if interleave == "randomly":
        return _shuffled([*references, *others], seed)
    # Each in the middle of its share of the pass; of two at one place the reference comes first.
    places = [*_spread(references, 0), *_spread(others, 1)]
    return [name for *_, name in sorted(places)]


def _spread(names: Sequence[str], rank: int) -> list[tuple[float, int, str]]:
    return [((i + 0.5) / len(names), rank, name) for i, name in enumerate(names)]


def _shuffled(names: Iterable[str], seed: int) -> list[str]:
    return sorted(names, key=lambda name: stream_seed(seed, name))
