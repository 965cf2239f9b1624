"""What a transform is: an image and its random stream make a view; each image and each view has a draw of its own."""

from __future__ import annotations

import abc
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._component import Component, check
from phosphene.functional.geometry import Affine
from phosphene.functional.random import Generators

Fill = Literal["reflect", "wrap", "constant", "random"]
ViewFunction = Callable[[Float[Tensor, "m c h w"]], Float[Tensor, "m k p q"]]


@dataclass(frozen=True)
class Draws:
    """The random numbers of one transform for a block of steps.

    Attributes:
        generators: one stream per image, this transform's own.
        n_steps: steps in the block; the same for every block, so that a longer run begins like a shorter one.
        n_views: views of each image in a step.
        first_step: number of the block's first step within its stage, from 0; for what changes over the steps.
    """

    generators: Generators
    n_steps: int
    n_views: int
    first_step: int = 0

    def uniform(self, low: float = 0.0, high: float = 1.0, k: int | None = None) -> Float[Tensor, "steps n views ..."]:
        """Independent draws from [low, high), ``k`` for each view or one without an axis; float64 on the CPU."""
        draws = self.generators.uniform(self.n_steps, self.n_views, *([] if k is None else [k])).to(torch.float64)
        return (low + (high - low) * draws).transpose(0, 1)

    def integers(self, low: int, high: int, k: int | None = None) -> Float[Tensor, "steps n views ..."]:
        """Independent whole numbers from ``low`` to ``high``, both included, as float64."""
        return self.uniform(low, high + 1, k).floor()

    def choice(self, options: tuple[float, ...]) -> Float[Tensor, "steps n views"]:
        """Independent picks from ``options``."""
        picks = self.integers(0, len(options) - 1).long()
        return torch.tensor(options, dtype=torch.float64)[picks]


@dataclass(frozen=True)
class Frame:
    """The grid that a chain of geometric transforms has arrived at.

    Attributes:
        height: rows of the view, in pixels.
        width: columns of the view, in pixels.
        shrink: how many canvas pixels a view pixel may span along one axis, at most.
        fill: what lies outside the canvas.
        value: the grey level of a constant fill.
    """

    height: int
    width: int
    shrink: float = 1.0
    fill: Fill = "reflect"
    value: float = 0.5

    def sized(self, height: int, width: int) -> Frame:
        """The same frame with another size.

        Raises:
            ParameterError: if nothing would be left.
        """
        check(height > 0 and width > 0, "size of the view", (height, width), "at least one pixel; jitter or crop less")
        return replace(self, height=height, width=width)


@dataclass(frozen=True)
class Transform(Component, abc.ABC, base=True):
    """Base of everything that turns an image into a view, differentiably."""

    def is_identity(self) -> bool:
        """Whether the parameters make this the identity; it is then left out."""
        return False

    def channels(self, channels: int) -> int:
        """Channels of the view, for an image of so many."""
        return channels


@dataclass(frozen=True)
class Geometric(Transform, abc.ABC):
    """A transform that moves pixels. A run of these is one affine map and one resampling."""

    @abc.abstractmethod
    def place(self, draws: Draws, frame: Frame) -> tuple[Affine, Frame]:
        """Maps (steps, n, views, 3, 3) from the new grid to the grid of ``frame``, and the new grid."""


@dataclass(frozen=True)
class Photometric(Transform, abc.ABC):
    """A transform that changes values where they are, or filters them."""

    @abc.abstractmethod
    def sample(self, draws: Draws, device: torch.device) -> Callable[[int], ViewFunction]:
        """Draw for a block of steps; the result gives the function of each step in the block."""


@dataclass(frozen=True)
class Custom(Transform):
    """Any function of views (m, c, h, w) as a transform; it must treat each view on its own and bring its own
    randomness.

    Attributes:
        function: differentiable function of the views.
    """

    function: Callable[..., Tensor]
