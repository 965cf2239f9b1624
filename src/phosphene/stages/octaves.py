"""Octaves: the image from coarse to fine, what was drawn on one scale carried to the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Float
from torch import Tensor

from phosphene._component import check
from phosphene.errors import ParameterError
from phosphene.functional.resizing import resize, scaled_size
from phosphene.stages.base import Enter, Stages


@dataclass(frozen=True)
class Octaves(Stages):
    """DeepDream's octaves: stages from small to the canvas's own size, each begun from the start image of its size plus
    the detail that the stage before it added.

    The start image is shrunk again and again; ``image = start_k + resize(image − start_{k−1})``. The residual octaves
    of DeepDream in TensorFlow, ``resize(image) + (start_k − resize(start_{k−1}))``, are the same sum. With no steps
    every stage gives the start image exactly.

    Attributes:
        n: number of octaves.
        scale: size of an octave over the one before it, above 1.
        convention: "ndzoom" with sizes rounded (DeepDream in Caffe), or "tf1" with sizes cut (in TensorFlow); see
            :func:`phosphene.functional.resizing.resize`.
    """

    cites: ClassVar[tuple[str, ...]] = ("mordvintsev2015inceptionism",)

    n: int = 4
    scale: float = 1.4
    convention: Literal["ndzoom", "tf1"] = "ndzoom"

    def __post_init__(self) -> None:
        super().__post_init__()
        check(1 <= self.n <= 64, "n", self.n, "a whole number from 1 to 64")
        check(1 < self.scale <= 64, "scale", self.scale, "a number above 1, at most 64")
        check(self.convention in ("ndzoom", "tf1"), "convention", self.convention, "'ndzoom' or 'tf1'")

    def sizes(self, height: int, width: int) -> tuple[tuple[int, int], ...]:
        """Height and width of each octave, smallest first; the last is the canvas's own.

        Raises:
            ParameterError: the smallest octave would have no pixels.
        """
        sizes = [(height, width)]
        while len(sizes) < self.n:
            sizes.append(self._smaller(sizes[-1]))
        if 0 in sizes[-1]:
            raise ParameterError(
                f"n is {self.n}; {self.n} octaves of {self.scale} leave no pixels of {height} × {width}; take fewer"
            )
        return tuple(reversed(sizes))

    def begin(self, start: Float[Tensor, "n c h w"]) -> Enter:
        """What adds the detail of an octave to the start image of the next."""
        sizes = self.sizes(start.shape[2], start.shape[3])
        bases = [start]
        for size in sizes[-2::-1]:
            bases.append(resize(bases[-1], size, self.convention))
        bases.reverse()

        def enter(stage: int, image: Tensor) -> Tensor:
            if stage == 0:
                return bases[0].clone()
            detail = resize(image - bases[stage - 1], sizes[stage], self.convention)
            return detail.add_(bases[stage])

        return enter

    def _smaller(self, size: tuple[int, int]) -> tuple[int, int]:
        if self.convention == "ndzoom":
            return scaled_size(size, 1 / self.scale, "round")
        # Divided in single precision, as the program does.
        return int(np.float32(size[0]) / np.float32(self.scale)), int(np.float32(size[1]) / np.float32(self.scale))
