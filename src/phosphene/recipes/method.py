"""A method of the literature by name: the recipe it gives, where it comes from, and what it starts from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from phosphene.render import Recipe


@dataclass(frozen=True)
class Method:
    """An entry of :func:`phosphene.recipes.methods`.

    Attributes:
        name: what ``ph.recipes.get`` and ``phosphene render --recipe`` know it by.
        make: gives the recipe: of height, width and channels where it starts from noise, of an image (c, h, w) in
            [0, 1] where it starts from a photograph; further parameters have the authors' defaults.
        source: who published it, and where.
        year: when.
        start: what it starts from.
        canvas: "input", where the canvas is as large as the network's input unless somebody says otherwise; "own",
            where the method begins at a size of its own, from which it grows.
    """

    name: str
    make: Callable[..., Recipe]
    source: str
    year: int
    start: Literal["noise", "photograph"] = "noise"
    canvas: Literal["input", "own"] = "input"

    @property
    def summary(self) -> str:
        """The first sentence of what :attr:`make` says of itself."""
        text = " ".join((self.make.__doc__ or "").split("\n\n")[0].split())
        return text.split(". ")[0].split("; ")[0].rstrip(".")
