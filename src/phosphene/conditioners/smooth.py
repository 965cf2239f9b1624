"""Conditioners that smooth a gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._component import check
from phosphene.conditioners.base import Conditioner
from phosphene.functional.filters import gaussian_blur, gaussian_radius, smooth_frequencies


@dataclass(frozen=True)
class BlurGradient(Conditioner):
    """Gaussian blur of the gradient, mirrored at the borders (Øygard 2015; Walker et al. 2019).

    Attributes:
        sigma: standard deviation in pixels; 0 leaves the gradient as it is.
    """

    cites: ClassVar[tuple[str, ...]] = ("oygard2015visualizing", "walker2019inception")

    sigma: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check(0 <= self.sigma <= 64, "sigma", self.sigma, "a number from 0 to 64")

    def condition(self, gradient: Float[Tensor, "n c h w"], step: int) -> Float[Tensor, "n c h w"]:
        if self.sigma == 0:
            return gradient
        sigmas = torch.full((len(gradient),), self.sigma, device=gradient.device, dtype=gradient.dtype)
        return gaussian_blur(gradient, sigmas, gaussian_radius(self.sigma))


@dataclass(frozen=True)
class SmoothGradient(Conditioner):
    """Every spatial frequency of the gradient times ``(1 − f)^power``, f in cycles per pixel (Walker et al. 2019,
    "featurevis").

    Attributes:
        power: exponent; 0 leaves the gradient as it is, more smooths more.
    """

    cites: ClassVar[tuple[str, ...]] = ("walker2019inception",)

    power: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check(0 <= self.power <= 64, "power", self.power, "a number from 0 to 64")

    def condition(self, gradient: Float[Tensor, "n c h w"], step: int) -> Float[Tensor, "n c h w"]:
        return gradient if self.power == 0 else smooth_frequencies(gradient, self.power)
