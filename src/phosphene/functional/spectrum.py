"""Spatial spectra: the frequencies of a real 2-D transform and their 1/f scaling (Lucid, Distill "Feature
Visualization").
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor


def frequencies(height: int, width: int) -> Float[np.ndarray, "h f"]:
    """Radial frequency in cycles per pixel of each entry of ``rfft2`` of a ``height`` × ``width`` image.

    >>> frequencies(4, 4)[0].tolist()
    [0.0, 0.25, 0.5]
    """
    return np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :])


def decay_scale(height: int, width: int, decay: float) -> Float[Tensor, "h f"]:
    """``1 / max(f, 1/max(h, w))^decay``: amplitude of each frequency in natural images, about decay 1; float64.

    >>> decay_scale(4, 4, 1.0)[0].tolist()
    [4.0, 4.0, 2.0]
    """
    floor = 1.0 / max(height, width)
    return torch.from_numpy(1.0 / np.maximum(frequencies(height, width), floor) ** decay)


def to_image(spectrum: Float[Tensor, "n c h f 2"], height: int, width: int) -> Float[Tensor, "n c h w"]:
    """Orthonormal inverse real transform of a spectrum given as real and imaginary parts."""
    return torch.fft.irfft2(torch.view_as_complex(spectrum), s=(height, width), norm="ortho")


def to_spectrum(image: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h f 2"]:
    """Orthonormal real transform of an image, as real and imaginary parts."""
    return torch.view_as_real(torch.fft.rfft2(image, norm="ortho"))
