"""What a schedule of stages is."""

from __future__ import annotations

import abc
from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from phosphene._component import Component

#: Called at the start of each stage with its number and the image with which the stage before it ended (the start
#: image for stage 0); gives the image to start from, at the stage's size.
Enter = Callable[[int, Float[Tensor, "n c h w"]], Float[Tensor, "n c h w"]]


@dataclass(frozen=True)
class Stages(Component, abc.ABC, base=True):
    """A schedule of stages, such as octaves: each resizes or re-seeds the image, and starts the optimizer afresh."""

    @abc.abstractmethod
    def sizes(self, height: int, width: int) -> tuple[tuple[int, int], ...]:
        """Height and width of the image in each stage, for a canvas of ``height`` × ``width`` pixels."""

    @abc.abstractmethod
    def begin(self, start: Float[Tensor, "n c h w"]) -> Enter:
        """What leads from one stage to the next, for start images at the canvas's size."""

    def n_steps(self, stage: int, steps: int) -> int:
        """Steps of a stage, where the recipe says ``steps``."""
        return steps
