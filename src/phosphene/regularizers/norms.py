"""Norms of an image: plain, of a power, and of its frequencies."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._algebra import Regularizer
from phosphene._component import check
from phosphene.regularizers.constants import blur_loss, per_channel


@dataclass(frozen=True)
class AlphaNorm(Regularizer):
    """``sum |(image - center) / scale|^alpha`` (Mahendran and Vedaldi): keeps values together, and hardly minds small
    ones.

    Attributes:
        alpha: exponent, from 1; 6 in the paper.
        center: the value that costs nothing, one for all channels or one for each. The CNN-visualization zoo measures
            the normalised image: ImageNet's mean here, and its standard deviation as ``scale``.
        scale: unit in which values count, above 0, one for all channels or one for each.
    """

    alpha: float = 6.0
    center: tuple[float, ...] = (0.5,)
    scale: tuple[float, ...] = (1.0,)
    cites: ClassVar[tuple[str, ...]] = ("mahendran2015understanding", "ozbulak2019visualizations")

    def __post_init__(self) -> None:
        super().__post_init__()
        check(1 <= self.alpha <= 32, "alpha", self.alpha, "a number from 1 to 32")
        check(_finite(self.center), "center", self.center, "finite numbers, one or one for each channel")
        check(_finite(self.scale) and min(self.scale) > 0, "scale", self.scale, "numbers above 0")

    def penalty(self, image: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        values = (image - per_channel(self.center, image)) / per_channel(self.scale, image)
        return (values.abs() ** self.alpha).sum((1, 2, 3))


@dataclass(frozen=True)
class WeightDecay(Regularizer):
    """``½ sum (image - constant)²``: one step of plain descent at rate k brings every value k of the way to the
    constant (Simonyan's L2; "weight decay" of optimizers).

    Attributes:
        constant: the value that costs nothing.
    """

    constant: float = 0.5
    cites: ClassVar[tuple[str, ...]] = ("simonyan2014deep",)

    def __post_init__(self) -> None:
        super().__post_init__()
        check(math.isfinite(self.constant), "constant", self.constant, "a finite number")

    def penalty(self, image: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        return 0.5 * (image - self.constant).square().sum((1, 2, 3))


@dataclass(frozen=True)
class SpectralPenalty(Regularizer):
    """``½ sum_f (1 - exp(-2 (π σ f)²)) |F(f)|²``: an L2 norm that grows with frequency (Distill: what blurring is).

    F is the orthonormal Fourier transform, f in cycles per pixel. One step of plain descent at rate k is exactly
    ``(1 - k) · image + k · blur(image)``, the blur a Gaussian of σ whose borders wrap around. A constant image costs
    nothing; of a wide blur's frequencies, all but that of the constant cost the same.

    Attributes:
        sigma: standard deviation of the blur, in pixels, above 0.
    """

    sigma: float = 1.0
    cites: ClassVar[tuple[str, ...]] = ("olah2017feature",)

    def __post_init__(self) -> None:
        super().__post_init__()
        check(0 < self.sigma <= 1024, "sigma", self.sigma, "a number above 0, at most 1024 pixels")

    def penalty(self, image: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        spectrum = torch.view_as_real(torch.fft.rfft2(image, norm="ortho"))
        power = spectrum.square().sum(-1)
        return 0.5 * (power * blur_loss(self.sigma, image)).sum((1, 2, 3))


def _finite(values: tuple[float, ...]) -> bool:
    return len(values) > 0 and all(map(math.isfinite, values))
