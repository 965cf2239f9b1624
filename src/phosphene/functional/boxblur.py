"""Box blur: the mean over a square around each pixel."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def box_blur(image: Float[Tensor, "n c h w"], side: int) -> Float[Tensor, "n c h w"]:
    """Mean over ``side`` × ``side`` pixels, the image mirrored about its border pixels (cv2's ``blur`` and its
    reflect-101); an even box reaches one pixel further up and left.
    """
    for axis in (2, 3):
        image = _mean_along(image, axis, side)
    return image


def _mean_along(image: Float[Tensor, "n c h w"], axis: int, side: int) -> Float[Tensor, "n c h w"]:
    before, after = side // 2, (side - 1) // 2
    window = (side, 1) if axis == 2 else (1, side)
    return F.avg_pool2d(_mirrored(image, axis, before, after), window, stride=1)


def _mirrored(image: Float[Tensor, "n c h w"], axis: int, before: int, after: int) -> Float[Tensor, "n c p q"]:
    """Mirror about the border pixels, as often as a small image needs it."""
    extent = image.shape[axis]
    if extent == 1:
        sizes = list(image.shape)
        sizes[axis] = before + 1 + after
        return image.expand(sizes)
    while before or after:
        head, tail = min(before, extent - 1), min(after, extent - 1)
        pad = (0, 0, head, tail) if axis == 2 else (head, tail, 0, 0)
        image = F.pad(image, pad, mode="reflect")
        before, after, extent = before - head, after - tail, image.shape[axis]
    return image
