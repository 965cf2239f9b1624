"""Other gradients for max-pools."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from phosphene._component import check
from phosphene.models.overrides.base import Override, Pooling


class _Relay(torch.autograd.Function):
    """The first tensor's values, the second one's gradient."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, smooth: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return None, gradient


@dataclass(frozen=True)
class SmoothedMaxPool(Override):
    """Max-pools whose gradient is that of a smooth pool, so that it reaches more than the largest value (Lucid).

    Attributes:
        pool: "average" takes the gradient of the mean, "l2" that of ``mean(x²) / (epsilon + mean(|x|))``; both over the
            pixels of the window that lie in the image.
        epsilon: guard of the division.
    """

    cites: ClassVar[tuple[str, ...]] = ("olah2018building",)

    pool: Literal["average", "l2"] = "average"
    epsilon: float = 1e-2

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self.pool in ("average", "l2"), "pool", self.pool, "'average' or 'l2'")
        check(0 < self.epsilon < math.inf, "epsilon", self.epsilon, "a number above 0")

    def max_pool(self, asked: Pooling) -> Tensor | None:
        with torch.no_grad():
            values = F.max_pool2d(asked.values, **asked.options)
        return _Relay.apply(values, self._smooth(asked))  # pyright: ignore[reportReturnType]

    def _smooth(self, asked: Pooling) -> Tensor:
        if self.pool == "average":
            return _mean(asked.values, asked.options)
        size = _mean(asked.values.abs(), asked.options)
        return _mean(asked.values.square(), asked.options) / (self.epsilon + size)


def _mean(values: Tensor, options: dict[str, Any]) -> Tensor:
    return F.avg_pool2d(values, count_include_pad=False, **options)
