"""All methods, and how one is found."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from phosphene.errors import ArgumentError, RecipeError, nearest
from phosphene.recipes.accentuation import METHODS as _ACCENTUATION
from phosphene.recipes.deepdream import METHODS as _DEEPDREAM
from phosphene.recipes.deepdream_tensorflow import METHODS as _DEEPDREAM_TENSORFLOW
from phosphene.recipes.dei import METHODS as _DEI
from phosphene.recipes.distill import METHODS as _DISTILL
from phosphene.recipes.forty_lines import METHODS as _FORTY_LINES
from phosphene.recipes.icons import METHODS as _ICONS
from phosphene.recipes.interpolation import METHODS as _INTERPOLATION
from phosphene.recipes.inversion import METHODS as _INVERSION
from phosphene.recipes.lucid import METHODS as _LUCID
from phosphene.recipes.lucid_more import METHODS as _LUCID_MORE
from phosphene.recipes.maco import METHODS as _MACO
from phosphene.recipes.matlab import METHODS as _MATLAB
from phosphene.recipes.mei import METHODS as _MEI
from phosphene.recipes.mei_diverse import METHODS as _MEI_DIVERSE
from phosphene.recipes.mei_labs import METHODS as _MEI_LABS
from phosphene.recipes.mei_regularized import METHODS as _MEI_REGULARIZED
from phosphene.recipes.method import Method
from phosphene.recipes.naive import METHODS as _NAIVE
from phosphene.recipes.regularization import METHODS as _REGULARIZATION
from phosphene.recipes.running import METHODS as _RUNNING
from phosphene.recipes.zoo import METHODS as _ZOO
from phosphene.recipes.zoo_inversion import METHODS as _ZOO_INVERSION
from phosphene.render import Recipe, channel_recipe, class_recipe

#: Side of a canvas for which nobody gave a size, in pixels.
_SIDE: Final = 224
_OWN: Final = (
    Method("channel", channel_recipe, "phosphene", 2026),
    Method("class", class_recipe, "phosphene", 2026),
)
_METHODS: Final = (
    *_OWN,
    *_DEEPDREAM,
    *_DEEPDREAM_TENSORFLOW,
    *_MATLAB,
    *_DISTILL,
    *_REGULARIZATION,
    *_LUCID,
    *_LUCID_MORE,
    *_NAIVE,
    *_INTERPOLATION,
    *_INVERSION,
    *_ICONS,
    *_FORTY_LINES,
    *_ZOO,
    *_ZOO_INVERSION,
    *_MACO,
    *_ACCENTUATION,
    *_MEI,
    *_MEI_LABS,
    *_MEI_REGULARIZED,
    *_MEI_DIVERSE,
    *_DEI,
    *_RUNNING,
)


def _by_name() -> Mapping[str, Method]:
    return MappingProxyType({method.name: method for method in _METHODS})


def methods() -> tuple[Method, ...]:
    """All methods, with their sources and years."""
    return _METHODS


def names() -> tuple[str, ...]:
    """Names of all recipes that start from noise, which :func:`get` gives.

    >>> names()[:2]
    ('channel', 'class')
    """
    return tuple(method.name for method in methods() if method.start == "noise")


def get(
    name: str, height: int | None = None, width: int | None = None, channels: int = 3, *, steps: int | None = None
) -> Recipe:
    """The recipe of that name.

    Args:
        name: one of :func:`names`.
        height: image rows, in pixels, of the first stage where there are several; by default 224, or the method's own
            size where it grows from one.
        width: image columns, in pixels.
        channels: colour channels.
        steps: number of steps (of each stage); what else changes over the steps, such as MaCo's windows, is stretched
            to them.

    Raises:
        RecipeError: no recipe has that name; the nearest are named.
        ArgumentError: the method starts from a photograph or from a network.
    """
    method = find(name)
    if method.start != "noise":
        call, needs = f"ph.recipes.{method.make.__name__}", {"photograph": "image", "network": "net, …"}[method.start]
        raise ArgumentError(f"{name!r} starts from a {method.start}; call {call}({needs})")
    own = {} if method.canvas == "own" else {"height": _SIDE, "width": _SIDE}
    asked = {key: value for key, value in (("height", height), ("width", width)) if value is not None}
    if steps is not None and "steps" in inspect.signature(method.make).parameters:
        asked["steps"] = steps
    made = method.make(**(own | asked), channels=channels)
    return made if steps is None else replace(made, steps=steps)


def find(name: str) -> Method:
    """The method of that name.

    Raises:
        RecipeError: there is none; the nearest are named.
    """
    known = _by_name()
    if name not in known:
        raise RecipeError(f"there is no recipe {name!r}; {nearest(name, known) or 'there are ' + ', '.join(known)}")
    return known[name]
