"""Fourier: one parameter per spatial frequency, scaled so that all frequencies of a natural image move equally fast."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from phosphene._component import check
from phosphene.functional.random import Generators
from phosphene.functional.spectrum import decay_scale, to_image, to_spectrum
from phosphene.parameterizations.base import ColoredCanvas, ColoredParameterization
from phosphene.parameterizations.pixels import disturb

#: Lucid divides its Fourier image by 4, "a magic constant to make the standard deviation reasonable".
_LUCID_GAIN = 0.25


@dataclass(frozen=True)
class Fourier(ColoredParameterization):
    """Spatially decorrelated parameters: a spectrum scaled by ``1 / max(f, 1/max(h, w))^decay`` (Lucid's ``fft_image``;
    Distill).

    ``forward()`` is ``range(gain · colour matrix · irfft2(scale · spectrum, ortho) / 4)``, for any height × width, odd
    ones too.

    Attributes:
        decay: power of the spectrum's fall; 1 is Lucid's and about that of natural images; larger is smoother.
    """

    decay: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check(0 <= self.decay <= 8, "decay", self.decay, "a number from 0 to 8")

    def scale(self) -> Float[Tensor, "h f 1"]:
        """What each frequency's parameters are multiplied by, float64."""
        return decay_scale(self.height, self.width, self.decay)[..., None]

    def encode(self, latent: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h f 2"]:
        """The spectrum that gives decorrelated values ``latent``."""
        return to_spectrum(latent / _LUCID_GAIN) / self.scale().to(latent)

    def build(self, n: int, noise: Generators, *, device: torch.device, dtype: torch.dtype) -> FourierCanvas:
        """A canvas of ``n`` images; see :meth:`Parameterization.build`."""
        latent = self.latent_start(n, noise)
        if latent is None:
            spectrum = self.sd * noise.normal(self.channels, self.height, self.width // 2 + 1, 2)
        else:
            spectrum = self.encode(latent)
        return FourierCanvas(self, spectrum.to(device, dtype))


class FourierCanvas(ColoredCanvas):
    """The images of :class:`Fourier`; ``spectrum`` is (n, c, h, w // 2 + 1, 2), real and imaginary parts."""

    def __init__(self, spec: Fourier, spectrum: Float[Tensor, "n c h f 2"]) -> None:
        super().__init__(spec, latent_gain=_LUCID_GAIN, device=spectrum.device, dtype=spectrum.dtype)
        self.fourier = spec
        self.size = spec.height, spec.width
        self.sd = spec.sd
        # Both parts side by side: a product without broadcasting along the innermost axis is much faster.
        self.frequency_scale = spec.scale().to(spectrum).expand(-1, -1, 2).contiguous()
        self.spectrum = nn.Parameter(spectrum.contiguous())

    def forward(self) -> Float[Tensor, "n c h w"]:
        return self.colorize(to_image(self.spectrum * self.frequency_scale, *self.size))

    def disturb(self, rows: Tensor, noise: Generators, strength: float) -> None:
        disturb(self.spectrum, rows, noise, strength * self.sd)

    @torch.no_grad()
    def assign(self, image: Float[Tensor, "n c h w"]) -> None:
        self.spectrum.copy_(self.fourier.encode(self.spec.latent(image)))
