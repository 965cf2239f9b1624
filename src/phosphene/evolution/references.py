"""Reference images: what the evolved ones are compared with."""

from __future__ import annotations

from os import PathLike
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from phosphene import store
from phosphene.errors import ImageError

#: Weights of red, green and blue in the luminance of ITU-R BT.601, as Pillow's "L" has it.
_LUMA = (0.299, 0.587, 0.114)


def reference_images(
    references: Tensor | str | PathLike[str] | Any, shape: tuple[int, int, int]
) -> Float[Tensor, "n c h w"]:
    """Reference images in the form of the evolved ones: the largest middle part of that aspect, resized, grey where
    those are grey.

    Args:
        references: a folder of photographs, images (n, c, h, w) in [0, 1], or a list of images (c, h, w).
        shape: channels, height and width of the evolved images.

    Raises:
        ImageError: what came are no images, or their channels cannot be those of the evolved ones.
        StorageError: the folder cannot be read.
    """
    if isinstance(references, str | PathLike):
        images = list(store.read_images(references))
    else:
        images = [torch.as_tensor(image) for image in references]
    if not images:
        raise ImageError("there are no reference images; give at least one, or references=None")
    return torch.stack([_fitted(image, shape) for image in images])


def _fitted(image: Tensor, shape: tuple[int, int, int]) -> Float[Tensor, "c h w"]:
    channels, height, width = shape
    if image.ndim != 3 or image.numel() == 0 or not image.is_floating_point():
        raise ImageError(
            f"a reference image has shape {tuple(image.shape)} and type {image.dtype}; expected floats (c, h, w) in "
            "[0, 1]"
        )
    if not (bool(image.isfinite().all()) and float(image.min()) >= 0 and float(image.max()) <= 1):
        raise ImageError(
            f"a reference image has values from {float(image.min()):.3g} to {float(image.max()):.3g}; expected [0, 1]"
        )
    image = _in_channels(image.float(), channels)
    scale = min(image.shape[1] / height, image.shape[2] / width)
    rows, columns = (
        max(1, min(n, round(side * scale))) for n, side in zip(image.shape[1:], (height, width), strict=True)
    )
    top, left = (image.shape[1] - rows) // 2, (image.shape[2] - columns) // 2
    part = image[None, :, top : top + rows, left : left + columns]
    if (rows, columns) == (height, width):
        return part[0]
    return F.interpolate(part, (height, width), mode="bilinear", align_corners=False, antialias=True)[0].clamp(0, 1)


def _in_channels(image: Tensor, channels: int) -> Tensor:
    if image.shape[0] == channels:
        return image
    if (image.shape[0], channels) == (3, 1):
        return (image * torch.tensor(_LUMA)[:, None, None]).sum(0, keepdim=True)
    if (image.shape[0], channels) == (1, 3):
        return image.expand(3, -1, -1)
    raise ImageError(f"a reference image has {image.shape[0]} channels; the evolved ones have {channels}")
