"""Pixels, and the spectrum of pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from phosphene.functional.spectrum import decay_scale, to_image

Param = tuple[list[Tensor], Callable[[], Tensor]]

#: Standard deviation of the start.
SD = 0.01
#: Lucid's divisor of its Fourier image.
_MAGIC = 4.0


def noise(shape: Sequence[int], sd: float | None) -> Tensor:
    """A leaf of normal draws of standard deviation ``sd`` on torch's default device, drawn on the CPU, so that a seed
    gives the same start on every device.
    """
    drawn = torch.randn(tuple(shape), device="cpu") * (sd or SD)
    return drawn.to(torch.get_default_device()).requires_grad_()


def pixel_image(shape: Sequence[int], sd: float | None = None) -> Param:
    """The values of an image (n, c, h, w) themselves, unbounded."""
    tensor = noise(shape, sd)
    return [tensor], lambda: tensor


def fft_image(shape: Sequence[int], sd: float | None = None, decay_power: float = 1) -> Param:
    """The spectrum of an image (n, c, h, w), scaled by ``1 / max(f, 1/max(h, w))^decay_power``; unbounded values.

    The parameters are (n, c, h, w // 2 + 1, 2). Lucent keeps one more column for odd widths, which nothing reads.
    """
    n, channels, height, width = shape
    spectrum = noise((n, channels, height, width // 2 + 1, 2), sd)
    scale = decay_scale(height, width, decay_power)[..., None].to(spectrum)
    return [spectrum], lambda: to_image(spectrum * scale, height, width) / _MAGIC
