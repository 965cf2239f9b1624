"""Projections that smooth the image."""

from __future__ import annotations

import abc
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._component import check
from phosphene._schedules import Constant, Schedule
from phosphene.functional.boxblur import box_blur
from phosphene.functional.filters import gaussian_blur, gaussian_radius, smooth_frequencies
from phosphene.projections.base import Projection


@dataclass(frozen=True)
class Periodic(Projection, abc.ABC, base=True):
    """A projection that acts after some steps only.

    Attributes:
        every: acts after so many steps, and again after as many.
        phase: by how many steps earlier; "pytorch-cnn-visualizations" blurs one step earlier, before its step number
            ``every``.
    """

    every: int = field(default=1, kw_only=True)
    phase: int = field(default=0, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self.every >= 1, "every", self.every, "a whole number from 1")
        check(0 <= self.phase < self.every, "phase", self.phase, "a whole number from 0, below every")

    def project(self, image: Float[Tensor, "n c h w"], step: int) -> Float[Tensor, "n c h w"]:
        return image if (step + 1 + self.phase) % self.every else self.smooth(image, step)

    @abc.abstractmethod
    def smooth(self, image: Float[Tensor, "n c h w"], step: int) -> Float[Tensor, "n c h w"]:
        """The smoothed images, after a step at which the projection acts."""


@dataclass(frozen=True)
class Blur(Periodic):
    """Gaussian blur, mirrored at the borders (Yosinski et al. 2015; "pytorch-cnn-visualizations", whose radius is
    sigma).

    Attributes:
        sigma: standard deviation in pixels; 0 leaves the image as it is.
        schedule: factor of sigma over the steps, for a blur that fades.
    """

    cites: ClassVar[tuple[str, ...]] = ("yosinski2015understanding", "ozbulak2019visualizations")

    sigma: float = 1.0
    schedule: Schedule = Constant()

    def __post_init__(self) -> None:
        super().__post_init__()
        check(0 <= self.sigma <= 64, "sigma", self.sigma, "a number from 0 to 64")

    def smooth(self, image: Float[Tensor, "n c h w"], step: int) -> Float[Tensor, "n c h w"]:
        sigma = self.sigma * self.schedule.factor(step)
        if sigma == 0:
            return image
        sigmas = torch.full((len(image),), sigma, device=image.device, dtype=image.dtype)
        return gaussian_blur(image, sigmas, gaussian_radius(sigma))


@dataclass(frozen=True)
class BoxBlur(Periodic):
    """Mean over a square around each pixel, mirrored about the border pixels ("40 lines").

    Attributes:
        side: side of the square in pixels; 1 leaves the image as it is.
    """

    cites: ClassVar[tuple[str, ...]] = ("graetz2019forty",)

    side: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        check(1 <= self.side <= 255, "side", self.side, "a whole number from 1 to 255")

    def smooth(self, image: Float[Tensor, "n c h w"], step: int) -> Float[Tensor, "n c h w"]:
        return image if self.side == 1 else box_blur(image, self.side)


@dataclass(frozen=True)
class SmoothFrequencies(Periodic):
    """Every spatial frequency times ``(1 − f)^power``, f in cycles per pixel (Walker et al. 2019, "featurevis").

    Attributes:
        power: exponent; 0 leaves the image as it is.
    """

    cites: ClassVar[tuple[str, ...]] = ("walker2019inception",)

    power: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check(0 <= self.power <= 64, "power", self.power, "a number from 0 to 64")

    def smooth(self, image: Float[Tensor, "n c h w"], step: int) -> Float[Tensor, "n c h w"]:
        return image if self.power == 0 else smooth_frequencies(image, self.power)
