"""Spatial spectra: the frequencies of a real 2-D transform and their 1/f scaling (Lucid, Distill "Feature
Visualization").
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import torch
from jaxtyping import Complex, Float
from torch import Tensor

from phosphene.errors import ImageError
from phosphene.functional.color import imagenet_matrix, mix


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


def mirrored(spectrum: Complex[Tensor, "n c h f"], width: int) -> Complex[Tensor, "n c h f"]:
    """A half spectrum as ``rfft2`` of a real image has it: a frequency without a horizontal part, or with the highest
    one of an even width, is the conjugate of another one in its column.

    The upper of each pair is kept, the lower one overwritten; frequencies that mirror themselves stay as they are, and
    ``irfft2`` takes their real part.
    """
    first = _mirrored_column(spectrum[..., :1])
    if width % 2:
        return torch.cat([first, spectrum[..., 1:]], -1)
    return torch.cat([first, spectrum[..., 1:-1], _mirrored_column(spectrum[..., -1:])], -1)


def _mirrored_column(column: Complex[Tensor, "n c h 1"]) -> Complex[Tensor, "n c h 1"]:
    height = column.shape[-2]
    pairs = (height - 1) // 2
    return torch.cat([column[..., : height - pairs, :], column[..., 1 : pairs + 1, :].flip(-2).conj()], -2)


def mean_magnitude(images: Iterable[Float[Tensor, "c h w"]]) -> Float[Tensor, "c h f"]:
    """The mean magnitude of each frequency of decorrelated images, float64; what MaCo holds its pictures to.

    It is that of the images' periodic parts (:func:`periodic_part`): where opposite edges do not meet, all frequencies
    along the axes grow, and pictures of random phases show a plaid. The published computation takes the images as they
    are.

    Args:
        images: images of one size in [0, 1]; those of three channels are decorrelated by Lucid's matrix, and mid-grey
            counts as 0.

    Raises:
        ImageError: no images, or of different shapes.
    """
    matrix = torch.linalg.inv(imagenet_matrix().tensor(dtype=torch.float64))
    shape, total, count = None, None, 0
    for image in images:
        if shape is not None and image.shape != shape:
            raise ImageError(f"expected images of shape {tuple(shape)}, got one of {tuple(image.shape)}")
        shape = image.shape
        values = image.detach().to("cpu", torch.float64)[None] - 0.5
        values = periodic_part(mix(matrix, values) if shape[0] == 3 else values)
        magnitude = torch.fft.rfft2(values, norm="ortho")[0].abs()
        total, count = magnitude if total is None else total + magnitude, count + 1
    if total is None:
        raise ImageError("the spectrum of no images is not defined; give at least one")
    return total / count


def periodic_part(image: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """An image less the smooth image that bears its jumps from edge to opposite edge (Moisan, "Periodic plus smooth
    image decomposition", 2011). Its mean stays.
    """
    height, width = image.shape[2:]
    jumps = torch.zeros_like(image)
    rows, columns = image[..., -1, :] - image[..., 0, :], image[..., :, -1] - image[..., :, 0]
    jumps[..., 0, :] += rows
    jumps[..., -1, :] -= rows
    jumps[..., :, 0] += columns
    jumps[..., :, -1] -= columns
    turns = [2 * math.pi * torch.arange(n, dtype=image.dtype, device=image.device) / n for n in (height, width)]
    laplacian = 2 * turns[0].cos()[:, None] + 2 * turns[1].cos()[None, : width // 2 + 1] - 4
    laplacian[0, 0] = 1.0
    smooth = torch.fft.rfft2(jumps) / laplacian
    smooth[..., 0, 0] = 0.0
    return image - torch.fft.irfft2(smooth, s=(height, width))


def resize_spectrum(magnitude: Float[Tensor, "c a b"], height: int, width: int) -> Float[Tensor, "c h f"]:
    """Magnitudes for images of ``height`` × ``width``, interpolated linearly at the same frequencies in cycles per
    pixel.

    Args:
        magnitude: of each entry of ``rfft2``; an array of b columns is taken as that of an image of 2 · (b − 1)
            columns, unless it has the wanted shape already.
        height: image rows.
        width: image columns.
    """
    if magnitude.shape[1:] == (height, width // 2 + 1):
        return magnitude
    rows, columns = magnitude.shape[1:]
    # From the lowest to the highest vertical frequency, with the highest at both ends, where it is the same.
    ordered = torch.cat([torch.fft.fftshift(magnitude, 1), torch.fft.fftshift(magnitude, 1)[:, :1]], 1)
    vertical = np.fft.fftfreq(height) * rows + rows // 2
    horizontal = np.fft.rfftfreq(width) * 2 * (columns - 1)
    return _interpolated(_interpolated(ordered, vertical, 1), horizontal, 2)


def _interpolated(values: Tensor, at: Float[np.ndarray, " k"], axis: int) -> Tensor:
    """The values at fractional indices along an axis, linearly."""
    at = np.clip(at, 0, values.shape[axis] - 1)
    low = torch.from_numpy(np.minimum(np.floor(at), max(values.shape[axis] - 2, 0)).astype(np.int64))
    share = torch.from_numpy(at).to(values) - low
    shape = [-1 if i == axis else 1 for i in range(values.ndim)]
    high = (low + 1).clamp(max=values.shape[axis] - 1)
    return values.index_select(axis, low) * (1 - share.view(shape)) + values.index_select(axis, high) * share.view(
        shape
    )
