"""Tables of pictures with names for their rows and columns, of recipes of which some share a render."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene import store
from phosphene.errors import ArgumentError
from phosphene.models.network import Network
from phosphene.objectives import Objective
from phosphene.render import Recipe, Result, display, render
from phosphene.render.progress import Progress
from phosphene.store.sheet import labeled_sheet

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True, eq=False, repr=False)
class Sheet:
    """A table of pictures with the names of its rows and columns.

    Attributes:
        rows: name of each row, such as "lr 0.05".
        columns: name of each column, such as "steps 32".
        images: the pictures, row by row, each (c, h, w) in [0, 1].
        results: the renders that the pictures come from, each once, with their recipes; a picture after fewer steps is
            one of its render's snapshots.
        title: what all pictures have in common.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    images: tuple[tuple[Float[Tensor, "c h w"], ...], ...]
    results: tuple[Result, ...]
    title: str = ""

    @cached_property
    def image(self) -> Image:
        """The sheet as one 8-bit Pillow image."""
        return display.to_pil(torch.from_numpy(self._pixels().copy()).permute(2, 0, 1) / 255)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the sheet as a PNG that carries the documents of its renders, with all their recipes.

        Raises:
            ArgumentError: the name does not end in ``.png``.
            StorageError: the file cannot be written.
        """
        if Path(path).suffix.lower() != ".png":
            raise ArgumentError(f"{path} would not be a PNG, the format that carries recipes; let its name end in .png")
        documents = [document for result in self.results for document in result.documents]
        names = {"title": self.title, "rows": list(self.rows), "columns": list(self.columns)}
        return store.write_png(path, self._pixels(), {"sheet": names, "documents": documents})

    def __repr__(self) -> str:
        return f"Sheet of {len(self.rows)} × {len(self.columns)} pictures{': ' if self.title else ''}{self.title}"

    def _pixels(self) -> display.Pixels:
        shown = [[display.to_uint8(image) for image in row] for row in self.images]
        return labeled_sheet(shown, rows=self.rows, columns=self.columns, title=self.title)

    def _repr_png_(self) -> bytes:
        return store.encode_png(self._pixels())


def rendered(
    net: Network, unit: Objective, table: Sequence[Sequence[Recipe]], *, seed: int = 0, progress: Progress = True
) -> tuple[tuple[tuple[Tensor, ...], ...], tuple[Result, ...]]:
    """The picture (c, h, w) of each recipe of a table, and the renders: recipes that differ in their steps only, and
    have one stage, share a render.

    Raises:
        KeyboardInterrupt: a person broke off.
    """
    steps: dict[Recipe, set[int]] = {}
    for recipe in chain.from_iterable(table):
        steps.setdefault(_family(recipe), set()).add(recipe.steps)
    results: dict[Recipe, Result] = {}
    for family, wanted in steps.items():
        whole = family if family.stages is not None else replace(family, steps=max(wanted))
        kept = () if family.stages is not None else sorted(wanted)
        results[family] = render(net, unit, recipe=whole, snapshots=kept, seed=seed, progress=progress)
        if results[family].status[0].startswith("interrupted"):
            raise KeyboardInterrupt
    images = tuple(tuple(_picture(results[_family(recipe)], recipe) for recipe in row) for row in table)
    return images, tuple(results.values())


def _family(recipe: Recipe) -> Recipe:
    """What recipes have in common that share a render."""
    return recipe if recipe.stages is not None else replace(recipe, steps=0)


def _picture(result: Result, recipe: Recipe) -> Tensor:
    return result.images[0] if recipe.stages is not None else result.snapshots[recipe.steps][0]
