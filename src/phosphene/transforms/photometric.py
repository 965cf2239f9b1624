"""Transforms that change values where they are: noise, blur, colour."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._component import check
from phosphene.functional.filters import gaussian_blur
from phosphene.transforms.base import Draws, Photometric, ViewFunction

#: A Gaussian is cut at three standard deviations.
_BLUR_REACH = 3.0


@dataclass(frozen=True)
class GaussianNoise(Photometric):
    """Independent normal noise on every value of every view.

    Attributes:
        sd: standard deviation, in units of the image's range [0, 1].
    """

    sd: float

    def __post_init__(self) -> None:
        super().__post_init__()
        check(0 <= self.sd < float("inf"), "sd", self.sd, "a number from 0")

    def is_identity(self) -> bool:
        return self.sd == 0

    def sample(self, draws: Draws, device: torch.device) -> Callable[[int], ViewFunction]:
        generators = draws.generators

        def at(step: int) -> ViewFunction:
            drawn: list[Tensor] = []

            def add(views: Float[Tensor, "m c h w"]) -> Float[Tensor, "m c h w"]:
                # Drawn at the first look and kept, so that every look of a line search sees the same noise.
                if not drawn:
                    # In one order whatever the views' order in memory, which depends on their number.
                    noise = torch.empty(views.shape, device=views.device, dtype=views.dtype)
                    generators.normal_(noise.flatten(1).unflatten(0, (-1, draws.n_views)))
                    drawn.append(noise)
                return torch.add(views, drawn[0], alpha=self.sd)

            return add

        return at


@dataclass(frozen=True)
class GaussianBlur(Photometric):
    """Gaussian blur, each view with its own width.

    Attributes:
        low_sigma: smallest standard deviation, in pixels of the view.
        high_sigma: largest standard deviation, in pixels.
    """

    low_sigma: float
    high_sigma: float

    def __post_init__(self) -> None:
        super().__post_init__()
        ordered = 0 <= self.low_sigma <= self.high_sigma <= 64
        check(ordered, "low_sigma, high_sigma", (self.low_sigma, self.high_sigma), "0 <= low_sigma <= high_sigma <= 64")

    def is_identity(self) -> bool:
        return self.high_sigma == 0

    def sample(self, draws: Draws, device: torch.device) -> Callable[[int], ViewFunction]:
        sigma = draws.uniform(self.low_sigma, self.high_sigma).flatten(1).to(device, torch.float32)
        radius = max(1, math.ceil(_BLUR_REACH * self.high_sigma))
        return lambda step: lambda views: gaussian_blur(views, sigma[step].to(views.dtype), radius)


@dataclass(frozen=True)
class ColorJitter(Photometric):
    """Random brightness, contrast and saturation, each view with its own; one affine map of the colours.

    Attributes:
        brightness: largest shift of all values, up or down.
        contrast: largest relative change of the distance from mid-grey.
        saturation: largest relative change of the distance from the pixel's own grey (the mean of its channels).
    """

    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("brightness", "contrast", "saturation"):
            check(0 <= getattr(self, name) <= 1, name, getattr(self, name), "a number in [0, 1]")

    def is_identity(self) -> bool:
        return self.brightness == self.contrast == self.saturation == 0

    def sample(self, draws: Draws, device: torch.device) -> Callable[[int], ViewFunction]:
        def spread(amount: float) -> Tensor:
            return draws.uniform(-amount, amount).flatten(1)[..., None, None, None].to(device, torch.float32)

        shift, contrast, saturation = spread(self.brightness), 1 + spread(self.contrast), 1 + spread(self.saturation)

        def at(step: int) -> ViewFunction:
            b, c, s = shift[step], contrast[step], saturation[step]

            def apply(views: Float[Tensor, "m c h w"]) -> Float[Tensor, "m c h w"]:
                grey = views.mean(1, keepdim=True)
                return ((grey + (views - grey) * s) - 0.5) * c + (0.5 + b)

            return apply

        return at
