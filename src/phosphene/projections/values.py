"""Projections onto ranges, norms and contrasts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._component import check
from phosphene.errors import ParameterError
from phosphene.functional.norms import l2, largest, sd
from phosphene.projections.base import Projection


@dataclass(frozen=True)
class Clip(Projection):
    """Clamp every value to a range.

    Attributes:
        low: smallest value, or one for each channel (DeepDream in Caffe clips to what is 0 before the mean is taken).
        high: largest value, or one for each channel.
    """

    cites: ClassVar[tuple[str, ...]] = ("mordvintsev2015inceptionism",)

    low: float | tuple[float, ...] = 0.0
    high: float | tuple[float, ...] = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        low, high = _listed(self.low), _listed(self.high)
        check(1 in (len(low), len(high)) or len(low) == len(high), "low, high", (self.low, self.high), "equal lengths")
        ordered = bool(low and high) and not any(map(math.isnan, (*low, *high))) and _ordered(low, high)
        check(ordered, "low, high", (self.low, self.high), "numbers, low <= high")

    def project(self, image: Float[Tensor, "n c h w"], step: int) -> Float[Tensor, "n c h w"]:
        """The clamped images.

        Raises:
            ParameterError: the image has another number of channels than there are bounds.
        """
        if isinstance(self.low, float) and isinstance(self.high, float):
            return image.clamp(self.low, self.high)
        low, high = self._bounds(self.low, image), self._bounds(self.high, image)
        return torch.minimum(torch.maximum(image, low), high)

    def _bounds(self, bound: float | tuple[float, ...], image: Tensor) -> Tensor:
        values = _listed(bound)
        if len(values) not in (1, image.shape[1]):
            raise ParameterError(
                f"Clip has bounds for {len(values)} channels, but the image has {image.shape[1]}; "
                "give one number, or one for each channel"
            )
        return torch.tensor(values, device=image.device, dtype=image.dtype)[:, None, None]


@dataclass(frozen=True)
class FixNorm(Projection):
    """Each image's L2 distance from a constant image set to ``norm``; the constant image itself stays (Walker et al.
    2019).

    Attributes:
        norm: the distance, above 0.
        center: value of the constant image; 0 is black, 0.5 grey.
    """

    cites: ClassVar[tuple[str, ...]] = ("walker2019inception",)

    norm: float
    center: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check(0 < self.norm < math.inf, "norm", self.norm, "a number above 0")
        check(math.isfinite(self.center), "center", self.center, "a finite number")

    def project(self, image: Float[Tensor, "n c h w"], step: int) -> Float[Tensor, "n c h w"]:
        away = image - self.center
        return away.mul_(_factor(self.norm, l2(away))).add_(self.center)


@dataclass(frozen=True)
class CapNorm(FixNorm):
    """Each image's L2 distance from a constant image brought down to ``norm`` where it is larger.

    Attributes:
        norm: the largest distance, above 0.
        center: value of the constant image; 0 is black, 0.5 grey.
    """

    def project(self, image: Float[Tensor, "n c h w"], step: int) -> Float[Tensor, "n c h w"]:
        away = image - self.center
        factor = _factor(self.norm, l2(away))
        return torch.where(factor < 1, away.mul_(factor).add_(self.center), image)


@dataclass(frozen=True)
class FixContrast(Projection):
    """Each image's mean and standard deviation, over all pixels and channels, set to given values (Walker et al. 2019);
    a constant image gets the mean only.

    Attributes:
        mean: the mean; None keeps the image's own.
        sd: the standard deviation; None keeps the image's own.
    """

    cites: ClassVar[tuple[str, ...]] = ("walker2019inception",)

    mean: float | None = 0.5
    sd: float | None = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self.mean is None or math.isfinite(self.mean), "mean", self.mean, "a finite number, or None")
        check(self.sd is None or 0 <= self.sd < math.inf, "sd", self.sd, "a number from 0, or None")

    def project(self, image: Float[Tensor, "n c h w"], step: int) -> Float[Tensor, "n c h w"]:
        own = image.mean((1, 2, 3), keepdim=True)
        contrast = image - own
        if self.sd is not None:
            rounding = 16 * torch.finfo(image.dtype).eps * largest(image)  # no contrast, however it was rounded
            found = sd(image)
            contrast.mul_(_factor(self.sd, found.masked_fill(found <= rounding, 0)))
        return contrast.add_(own if self.mean is None else self.mean)


@dataclass(frozen=True)
class Quantize(Projection):
    """Clamp to [0, 1] and round to so many equidistant values, as a passage through an image of whole numbers does in
    "pytorch-cnn-visualizations".

    Attributes:
        levels: number of values, at least 2.
    """

    cites: ClassVar[tuple[str, ...]] = ("ozbulak2019visualizations",)

    levels: int = 256

    def __post_init__(self) -> None:
        super().__post_init__()
        check(2 <= self.levels <= 2**16, "levels", self.levels, "a whole number from 2 to 65536")

    def project(self, image: Float[Tensor, "n c h w"], step: int) -> Float[Tensor, "n c h w"]:
        top = self.levels - 1
        return image.clamp(0, 1).mul_(top).round_().div_(top)


@dataclass(frozen=True)
class ClipSmallNorm(Projection):
    """The pixels that are nearest to a constant colour are set to it, so that only what matters remains (Yosinski et
    al. 2015, "clipping pixels with small norm").

    Attributes:
        percentile: share of each image's pixels, in percent.
        center: the constant value; 0.5 is grey.
    """

    cites: ClassVar[tuple[str, ...]] = ("yosinski2015understanding",)

    percentile: float = 50.0
    center: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        check(0 <= self.percentile <= 100, "percentile", self.percentile, "a number from 0 to 100")
        check(math.isfinite(self.center), "center", self.center, "a finite number")

    def project(self, image: Float[Tensor, "n c h w"], step: int) -> Float[Tensor, "n c h w"]:
        distance = torch.linalg.vector_norm(image - self.center, dim=1, keepdim=True)
        n_small = int(distance[0].numel() * self.percentile / 100)
        if n_small == 0:
            return image
        limit = distance.flatten(1).kthvalue(n_small).values
        return image.masked_fill(distance <= limit[:, None, None, None], self.center)


def _factor(wanted: float, found: Float[Tensor, " n"]) -> Float[Tensor, "n 1 1 1"]:
    """What brings each image from one size to another; 1 for an image without any."""
    return torch.where(found == 0, 1.0, wanted / found)[:, None, None, None]


def _listed(value: float | tuple[float, ...]) -> tuple[float, ...]:
    return value if isinstance(value, tuple) else (value,)


def _ordered(low: tuple[float, ...], high: tuple[float, ...]) -> bool:
    n = max(len(low), len(high))
    pairs = zip(low * (n // len(low)), high * (n // len(high)), strict=True)
    return all(a <= b for a, b in pairs)
