"""Small linear filters on images."""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from phosphene.functional.spectrum import frequencies

#: Lucid's blur: half weight on the eight neighbours, normalised by the weight that lies inside the image.
BLUR_3X3 = ((0.5, 0.5, 0.5), (0.5, 1.0, 0.5), (0.5, 0.5, 0.5))


def blur_normalized(image: Float[Tensor, "n c h w"], kernel: tuple[tuple[float, ...], ...]) -> Float[Tensor, "n c h w"]:
    """Blur every channel with ``kernel``, weights outside the image left out and the rest normalised to 1."""
    weights, inside = _weights(kernel, tuple(image.shape[2:]), image.device, image.dtype)
    flat = image.flatten(0, 1)[:, None]
    blurred = F.conv2d(flat, weights, padding=(weights.shape[2] // 2, weights.shape[3] // 2)) / inside
    return blurred.view_as(image)


@lru_cache(maxsize=16)
def _weights(
    kernel: tuple[tuple[float, ...], ...], size: tuple[int, ...], device: torch.device, dtype: torch.dtype
) -> tuple[Float[Tensor, "1 1 a b"], Float[Tensor, "1 1 h w"]]:
    """The kernel, and how much of it lies inside an image; kept, so that no step waits for an upload."""
    weights = torch.tensor(kernel, device=device, dtype=dtype)[None, None]
    ones = torch.ones(1, 1, *size, device=device, dtype=dtype)
    return weights, F.conv2d(ones, weights, padding=(weights.shape[2] // 2, weights.shape[3] // 2))


def gaussian_blur(image: Float[Tensor, "n c h w"], sigma: Float[Tensor, " n"], radius: int) -> Float[Tensor, "n c h w"]:
    """Gaussian blur, each image with its own sigma in pixels, truncated at ``radius``, reflected at the borders; sigma
    0 is the identity.
    """
    n, c, height, width = image.shape
    taps = torch.arange(-radius, radius + 1, device=image.device, dtype=image.dtype)
    kernel = torch.exp(-0.5 * (taps / sigma.clamp(min=1e-3)[:, None]) ** 2)
    kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(c, 0)[:, None]
    for axis in (0, 1):
        reach = min(radius, (height, width)[axis] - 1)
        pad = (0, 0, reach, reach) if axis == 0 else (reach, reach, 0, 0)
        padded = F.pad(image, pad, mode="reflect")
        cut = kernel[..., radius - reach : radius + reach + 1]
        weights = (cut / cut.sum(-1, keepdim=True)).unsqueeze(3 if axis == 0 else 2)
        image = F.conv2d(padded.reshape(1, n * c, *padded.shape[2:]), weights, groups=n * c).view(n, c, height, width)
    return image


def smooth_frequencies(image: Float[Tensor, "n c h w"], power: float) -> Float[Tensor, "n c h w"]:
    """Multiply every spatial frequency by ``(1 − f)^power``, f in cycles per pixel: 0 is the mean, 0.71 a checkerboard.

    The mean stays; power 0 is the identity.
    """
    keep = torch.from_numpy((1 - frequencies(image.shape[2], image.shape[3])) ** power).to(image)
    return torch.fft.irfft2(torch.fft.rfft2(image).mul_(keep), s=image.shape[2:])


def gaussian_radius(sigma: float) -> int:
    """Pixels after which a Gaussian is cut: four standard deviations, as ``scipy.ndimage`` does; at least one."""
    return max(1, int(4 * sigma + 0.5))
