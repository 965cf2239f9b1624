"""The bilateral filter: a blur that keeps edges (Tomasi and Manduchi 1998)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def bilateral(
    image: Float[Tensor, "n c h w"], *, sigma_space: float, sigma_color: float, radius: int
) -> Float[Tensor, "n c h w"]:
    """Each pixel becomes the mean of its neighbours, weighted by ``exp(-d²/2σ²)`` of their distance and of the
    difference of their colours.

    Args:
        image: images; the difference of colours is Euclidean over all channels, one weight for them all.
        sigma_space: standard deviation of the distance, in pixels.
        sigma_color: standard deviation of the difference of colours, in units of the image.
        radius: pixels to each side that are looked at; beyond the borders the image is reflected without repeating the
            border itself, as far as it reaches.
    """
    height, width = image.shape[2:]
    down, right = min(radius, height - 1), min(radius, width - 1)
    padded = F.pad(image, (right, right, down, down), mode="reflect")
    total, weights = torch.zeros_like(image), torch.zeros_like(image[:, :1])
    for dy in range(2 * down + 1):
        for dx in range(2 * right + 1):
            neighbour = padded[:, :, dy : dy + height, dx : dx + width]
            near = math.exp(-((dy - down) ** 2 + (dx - right) ** 2) / (2 * sigma_space**2))
            difference = (neighbour - image).square().sum(1, keepdim=True)
            weight = near * torch.exp(difference / (-2 * sigma_color**2))
            total, weights = total + weight * neighbour, weights + weight
    return total / weights
