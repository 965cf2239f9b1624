"""Recipes: methods by name. Each is a function of the image's size and channels that gives a
:class:`phosphene.render.Recipe`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from phosphene.errors import RecipeError, nearest
from phosphene.recipes.lucid import lucid
from phosphene.recipes.naive import naive
from phosphene.render import Recipe, default_recipe
from phosphene.render import channel_recipe as channel
from phosphene.render import class_recipe as class_

_BY_NAME: Final[dict[str, Callable[[int, int, int], Recipe]]] = {
    "channel": channel,
    "class": class_,
    "lucid": lucid,
    "naive": naive,
}

__all__ = ["Recipe", "channel", "class_", "default_recipe", "get", "lucid", "naive", "names"]


def names() -> tuple[str, ...]:
    """Names of all recipes.

    >>> names()
    ('channel', 'class', 'lucid', 'naive')
    """
    return tuple(_BY_NAME)


def get(name: str, height: int = 224, width: int = 224, channels: int = 3) -> Recipe:
    """The recipe of that name.

    Args:
        name: one of :func:`names`.
        height: image rows, in pixels.
        width: image columns, in pixels.
        channels: colour channels.

    Raises:
        RecipeError: no recipe has that name; the nearest are named.
    """
    if name not in _BY_NAME:
        raise RecipeError(
            f"there is no recipe {name!r}; {nearest(name, _BY_NAME) or 'there are ' + ', '.join(_BY_NAME)}"
        )
    return _BY_NAME[name](height, width, channels)
