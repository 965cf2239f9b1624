"""Recipes as people name them: one of phosphene's own, or a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from phosphene import Network, Recipe

_SUFFIXES = {".json", ".toml"}


def find_recipe(text: str, net: Network | None = None, *, steps: int | None = None) -> Recipe:
    """The recipe called ``text``, or the one in the file ``text`` when that ends in .toml or .json.

    A file is data: functions that it names are never imported. A named recipe makes images of the size and channels
    that ``net`` takes, unless the method grows them from a size of its own.
    """
    import phosphene as ph
    from phosphene import store

    if Path(text).suffix.lower() in _SUFFIXES:
        return ph.Recipe.from_json(store.read_recipe_file(text))
    if net is None:
        return ph.recipes.get(text)
    size = net.input_size if ph.recipes.find(text).canvas == "input" else (None, None)
    return ph.recipes.get(text, *size, net.n_channels, steps=steps)


def citation(text: str) -> str:
    """BibTeX of the method called ``text``, or of the recipe in that file."""
    import phosphene as ph

    if Path(text).suffix.lower() in _SUFFIXES:
        return find_recipe(text).citation()
    return ph.recipes.find(text).citation()
