"""Views that change over the steps: from the whole picture to its details, as MaCo looks (Fel and others 2023)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar, Final

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._component import check
from phosphene._schedules import Constant, Linear, Schedule
from phosphene.functional.geometry import Affine, scaling, translation
from phosphene.transforms.base import Draws, Frame, Geometric, Photometric, ViewFunction

#: The steps by which the largest window of a schedule is judged, to decide on how many samples its pixels need.
_JUDGED = (0, 10, 100, 1000)
#: Windows are seldom larger than the mean by more than this many standard deviations.
_SPREAD = 2.0
#: From half the picture to a twentieth, in the 256 steps of the published recipe.
_MACO_SIDE: Final = Linear(256, 0.5, 0.05)


@dataclass(frozen=True)
class ScheduledCrop(Geometric):
    """A random window of the canvas, enlarged to the whole grid, whose mean side changes over the steps.

    The side is N(side at this step, sd), cut off at ``low`` and 1, as a share of the grid's side; the centre is
    N(1/2, center_sd) in each direction. A window may reach beyond the canvas, which is then mirrored at its edge, where
    the published code shows black.

    Attributes:
        side: mean side over the steps; MaCo's goes from 0.5 to 0.05 in 256 steps, and stays there.
        sd: standard deviation of the side.
        low: smallest side, above 0.
        center_sd: standard deviation of the centre, as a share of the grid's side.
    """

    side: Schedule = _MACO_SIDE
    sd: float = 0.05
    low: float = 0.05
    center_sd: float = 0.15

    cites: ClassVar[tuple[str, ...]] = ("fel2023maco",)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("sd", "center_sd"):
            check(0 <= getattr(self, name) <= 1, name, getattr(self, name), "a number in [0, 1]")
        check(1e-3 <= self.low <= 1, "low", self.low, "a number from 0.001 to 1")

    def is_identity(self) -> bool:
        return self.center_sd == 0 == self.sd and (self.low == 1 or self.side == Constant())

    def place(self, draws: Draws, frame: Frame) -> tuple[Affine, Frame]:
        normal = draws.generators.normal(draws.n_steps, draws.n_views, 3).to(torch.float64).transpose(0, 1)
        steps = range(draws.first_step, draws.first_step + draws.n_steps)
        mean = torch.tensor([self.side.factor(step) for step in steps], dtype=torch.float64)[:, None, None]
        side = (mean + self.sd * normal[..., 0]).clamp(self.low, 1.0)[..., None]
        size = torch.tensor([frame.width, frame.height], dtype=torch.float64)
        to_grid = translation(self.center_sd * normal[..., 1:] * size) @ scaling(side.expand(*side.shape[:-1], 2))
        largest = max(self.side.factor(step) for step in _JUDGED) + _SPREAD * self.sd
        return to_grid, replace(frame, shrink=frame.shrink * min(max(largest, self.low), 1.0))


@dataclass(frozen=True)
class ScheduledNoise(Photometric):
    """Normal and uniform noise on every value of every view, whose strength changes over the steps.

    With a strength s at this step, N(0, s) + U(−uniform · s, uniform · s) is added.

    Attributes:
        sd: strength where the schedule is 1, in units of the image's range [0, 1]; MaCo's 0.08 is meant for the range
            [−1, 1].
        uniform: half-width of the uniform part, in units of the strength.
        schedule: the factor of ``sd`` over the steps.
    """

    sd: float = 0.04
    uniform: float = 0.5
    schedule: Schedule = Constant()

    cites: ClassVar[tuple[str, ...]] = ("fel2023maco",)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("sd", "uniform"):
            check(0 <= getattr(self, name) < math.inf, name, getattr(self, name), "a number from 0")

    def is_identity(self) -> bool:
        return self.sd == 0

    def sample(self, draws: Draws, device: torch.device) -> Callable[[int], ViewFunction]:
        def at(step: int) -> ViewFunction:
            strength = self.sd * self.schedule.factor(draws.first_step + step)
            drawn: list[Tensor] = []

            def add(views: Float[Tensor, "m c h w"]) -> Float[Tensor, "m c h w"]:
                # Drawn at the first look and kept, so that every look of a line search sees the same noise.
                if not drawn:
                    drawn.append(self._unit_noise(draws, views))
                return torch.add(views, drawn[0], alpha=strength)

            return add

        return at

    def _unit_noise(self, draws: Draws, views: Float[Tensor, "m c h w"]) -> Float[Tensor, "m c h w"]:
        normal, even = (torch.empty(views.shape, device=views.device, dtype=views.dtype) for _ in range(2))
        draws.generators.normal_(normal.flatten(1).unflatten(0, (-1, draws.n_views)))
        for row, generator in zip(even.unflatten(0, (-1, draws.n_views)), draws.generators.device, strict=True):
            row.uniform_(-self.uniform, self.uniform, generator=generator)
        return normal.add_(even)
