"""The p-norm of an image, root and all."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._algebra import Regularizer
from phosphene._component import check
from phosphene.regularizers.constants import per_channel

#: Least value that others are divided by.
_LEAST = 1e-12


@dataclass(frozen=True)
class LpNorm(Regularizer):
    """``(sum |(image - center) / scale|^p)^(1/p)`` (featurevis' ``LpNorm``; of p = 6 in DeepTune).

    It grows in proportion to an image's contrast, where :class:`AlphaNorm`, its p-th power, explodes.

    Attributes:
        p: exponent, from 1; the larger, the more it minds the largest values only.
        center: the value that costs nothing, one for all channels or one for each.
        scale: unit in which values count, above 0, one for all channels or one for each.
    """

    p: float = 6.0
    center: tuple[float, ...] = (0.5,)
    scale: tuple[float, ...] = (1.0,)
    cites: ClassVar[tuple[str, ...]] = ("abbasiasl2018deeptune", "cobos2019featurevis")

    def __post_init__(self) -> None:
        super().__post_init__()
        check(1 <= self.p <= 32, "p", self.p, "a number from 1 to 32")
        finite = len(self.center) > 0 and all(map(math.isfinite, self.center))
        check(finite, "center", self.center, "finite numbers, one or one for each channel")
        above = len(self.scale) > 0 and all(0 < s < math.inf for s in self.scale)
        check(above, "scale", self.scale, "numbers above 0")

    def penalty(self, image: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        values = (image - per_channel(self.center, image)) / per_channel(self.scale, image)
        # The largest value is taken out, so that no power of a small or a large one is lost.
        top = values.detach().abs().amax((1, 2, 3)).clamp(min=_LEAST)
        total = ((values.abs() / top[:, None, None, None]) ** self.p).sum((1, 2, 3))
        some = total > 0
        return top * torch.where(some, total, 1.0) ** (1 / self.p) * some
