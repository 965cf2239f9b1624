"""A method of the literature by name: the recipe it gives, where it comes from, and what it starts from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from phosphene._references import BIBLIOGRAPHY
from phosphene._types import FrozenArray

_GREY = FrozenArray.of([[[0.5] * 64] * 64] * 3)


@dataclass(frozen=True)
class Method:
    """An entry of :func:`phosphene.recipes.methods`.

    Attributes:
        name: what ``ph.recipes.get`` and ``phosphene render --recipe`` know it by.
        make: gives the recipe: of height, width and channels where it starts from noise, of an image (c, h, w) in
            [0, 1] where it starts from a photograph; further parameters have the authors' defaults. Where it starts
            from a network, it is a function that renders.
        source: who published it, and where.
        year: when.
        start: what it starts from: "noise" and "photograph" are recipes; "network" is a function of a network and
            units, such as ``ph.recipes.diversity``.
        canvas: "input", where the canvas is as large as the network's input unless somebody says otherwise; "own",
            where the method has a size of its own.
        follows: keys of the bibliography, for what starts from a network; a recipe has its own.
    """

    name: str
    make: Callable[..., Any]
    source: str
    year: int
    start: Literal["noise", "photograph", "network"] = "noise"
    canvas: Literal["input", "own"] = "input"
    follows: tuple[str, ...] = ()

    def citation(self) -> str:
        """BibTeX entries of what the method follows."""
        if self.start == "network":
            return "\n\n".join(BIBLIOGRAPHY[key] for key in self.follows)
        # What a recipe cites does not depend on the photograph.
        return (self.make(_GREY) if self.start == "photograph" else self.make()).citation()

    @property
    def summary(self) -> str:
        """The first sentence of what :attr:`make` says of itself."""
        text = " ".join((self.make.__doc__ or "").split("\n\n")[0].split())
        return text.split(". ")[0].split("; ")[0].rstrip(".")
