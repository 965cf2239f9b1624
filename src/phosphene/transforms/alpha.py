"""Transparent images in front of random backgrounds."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._component import check
from phosphene.functional.color import imagenet_matrix, mix
from phosphene.functional.random import Generators
from phosphene.functional.spectrum import decay_scale, to_image
from phosphene.transforms.base import Draws, Photometric, ViewFunction

#: Lucid divides its Fourier images by 4.
_FOURIER_GAIN = 0.25


@dataclass(frozen=True)
class CollapseAlpha(Photometric):
    """Puts a transparent image in front of a random background with the spectrum and the colours of photographs, a
    fresh one for each image, view and step: ``alpha · colours + (1 − alpha) · background`` (Lucid's
    ``collapse_alpha_random``).

    The last channel is the opacity, as :class:`phosphene.parameterizations.Alpha` gives it. What stays transparent is
    what the unit does not care about: keep the objective from filling everything by a penalty on the opacity.

    Attributes:
        sd: standard deviation of the background's frequencies before their 1/f scaling, as of
            :class:`phosphene.parameterizations.Fourier`.
        decay: power of the fall of the background's spectrum.
    """

    sd: float = 0.5
    decay: float = 1.0

    cites: ClassVar[tuple[str, ...]] = ("mordvintsev2018differentiable",)

    def __post_init__(self) -> None:
        super().__post_init__()
        check(0 <= self.sd < math.inf, "sd", self.sd, "a number from 0")
        check(0 <= self.decay <= 8, "decay", self.decay, "a number from 0 to 8")

    def channels(self, channels: int) -> int:
        return max(channels - 1, 0)

    def sample(self, draws: Draws, device: torch.device) -> Callable[[int], ViewFunction]:
        def at(step: int) -> ViewFunction:
            drawn: list[Tensor] = []

            def collapse(views: Float[Tensor, "m c h w"]) -> Float[Tensor, "m k h w"]:
                channels = views.shape[1]
                check(channels > 1, "channels of the image", channels, "colours and an opacity: wrap it in Alpha(…)")
                # Drawn at the first look and kept, so that every look of a line search sees the same background.
                if not drawn:
                    drawn.append(self.background(draws.generators, views[:, :-1], draws.n_views))
                return drawn[0] + views[:, -1:] * (views[:, :-1] - drawn[0])

            return collapse

        return at

    @torch.no_grad()
    def background(
        self, generators: Generators, like: Float[Tensor, "m c h w"], n_views: int
    ) -> Float[Tensor, "m c h w"]:
        """Random natural-like images in (0, 1) of the shape, type and device of ``like``; the views of an image follow
        each other.
        """
        (m, channels), (height, width) = like.shape[:2], like.shape[2:]
        spectrum = torch.empty(m, channels, height, width // 2 + 1, 2, device=like.device, dtype=like.dtype)
        generators.normal_(spectrum.unflatten(0, (-1, n_views)))
        scale, matrix = _constants((height, width), self.decay, like.device, like.dtype)
        image = to_image(spectrum * (self.sd * scale), height, width)
        return torch.sigmoid(mix(matrix, image) if channels == 3 else image)


@lru_cache(maxsize=16)
def _constants(
    size: tuple[int, int], decay: float, device: torch.device, dtype: torch.dtype
) -> tuple[Float[Tensor, "h f 1"], Float[Tensor, "3 3"]]:
    """The frequencies' scale and the colour matrix; kept, so that no step waits for an upload."""
    scale = _FOURIER_GAIN * decay_scale(*size, decay)[..., None]
    return scale.to(device, dtype), imagenet_matrix().tensor(device, dtype)
