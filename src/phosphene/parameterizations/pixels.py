"""Pixels: one parameter per pixel and channel."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from phosphene.functional.random import Generators
from phosphene.parameterizations.base import ColoredCanvas, ColoredParameterization


@dataclass(frozen=True)
class Pixels(ColoredParameterization):
    """The naive parameterization: one parameter per pixel and channel, started from N(0, sd) (Lucid's ``pixel_image``,
    sd 0.01).

    ``forward()`` is ``range(gain · colour matrix · parameters)``.
    """

    def build(self, n: int, noise: Generators, *, device: torch.device, dtype: torch.dtype) -> PixelCanvas:
        """A canvas of ``n`` images; see :meth:`Parameterization.build`."""
        start = self.latent_start(n, noise)
        if start is None:
            start = self.sd * noise.normal(self.channels, self.height, self.width)
        return PixelCanvas(self, start.to(device, dtype))


class PixelCanvas(ColoredCanvas):
    """The images of :class:`Pixels`; ``pixels`` is (n, c, h, w)."""

    def __init__(self, spec: Pixels, start: Float[Tensor, "n c h w"]) -> None:
        super().__init__(spec, latent_gain=1.0, device=start.device, dtype=start.dtype)
        self.sd = spec.sd
        self.pixels = nn.Parameter(start.contiguous())

    def forward(self) -> Float[Tensor, "n c h w"]:
        return self.colorize(self.pixels)

    def disturb(self, rows: Tensor, noise: Generators, strength: float) -> None:
        disturb(self.pixels, rows, noise, strength * self.sd)

    @torch.no_grad()
    def assign(self, image: Float[Tensor, "n c h w"]) -> None:
        self.pixels.copy_(self.spec.latent(image))


@torch.no_grad()
def disturb(parameter: Tensor, rows: Tensor, noise: Generators, sd: float) -> None:
    """Add N(0, sd) to the chosen rows of a parameter; every row's stream advances, so that a row's draws stay its
    own.
    """
    draws = noise.normal(*parameter.shape[1:]).to(parameter.device, parameter.dtype)
    mask = rows.to(parameter.device, parameter.dtype).view(-1, *[1] * (parameter.ndim - 1))
    parameter.add_(draws * mask, alpha=sd)
