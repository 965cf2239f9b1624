"""Tensors that a penalty needs at every step, made once for each device and type: no step waits for an upload."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from phosphene._types import FrozenArray
from phosphene.errors import ImageError, ParameterError
from phosphene.functional.spectrum import frequencies


def per_channel(values: tuple[float, ...], image: Float[Tensor, "n c h w"]) -> Float[Tensor, "c 1 1"]:
    """One value for each channel of an image, or one for all.

    Raises:
        ParameterError: there is another number of values.
    """
    channels = image.shape[1]
    if len(values) not in (1, channels):
        raise ParameterError(f"{len(values)} values are given for images of {channels} channels; give {channels}, or 1")
    return _column(values, channels, image.device, image.dtype)


@lru_cache(maxsize=16)
def _column(
    values: tuple[float, ...], channels: int, device: torch.device, dtype: torch.dtype
) -> Float[Tensor, "c 1 1"]:
    return torch.tensor(values, device=device, dtype=dtype).expand(channels)[:, None, None]


def border_mask(width: int, image: Float[Tensor, "n c h w"]) -> Float[Tensor, "1 1 h w"]:
    """1 within ``width`` pixels of the border, 0 inside."""
    return _border(width, tuple(image.shape[2:]), image.device, image.dtype)


@lru_cache(maxsize=16)
def _border(width: int, size: tuple[int, ...], device: torch.device, dtype: torch.dtype) -> Float[Tensor, "1 1 h w"]:
    mask = torch.ones(1, 1, *size, device=device, dtype=dtype)
    inside = (slice(width, max(width, n - width)) for n in size)
    mask[(0, 0, *inside)] = 0
    return mask


def given_mask(mask: FrozenArray, image: Float[Tensor, "n c h w"]) -> Float[Tensor, "1 a h w"]:
    """A given mask (h, w) or (c, h, w), resized bilinearly to the image's size.

    Raises:
        ImageError: it has another number of channels than the image.
    """
    return _given(mask, tuple(image.shape[1:]), image.device, image.dtype)


@lru_cache(maxsize=16)
def _given(
    mask: FrozenArray, shape: tuple[int, ...], device: torch.device, dtype: torch.dtype
) -> Float[Tensor, "1 a h w"]:
    made = mask.tensor(device, dtype)
    made = made.expand(1, 1, -1, -1) if made.ndim == 2 else made[None]
    if made.shape[1] not in (1, shape[0]):
        raise ImageError(f"the mask has {made.shape[1]} channels, the images have {shape[0]}; give a mask (h, w)")
    size = list(shape[1:])
    return made if list(made.shape[2:]) == size else F.interpolate(made, size, mode="bilinear", align_corners=False)


def blur_loss(sigma: float, image: Float[Tensor, "n c h w"]) -> Float[Tensor, "h f"]:
    """What a Gaussian blur of ``sigma`` pixels takes from each frequency, ``1 - exp(-2 (π σ f)²)``, counted twice where
    the real transform leaves out the mirrored half.
    """
    return _loss(sigma, tuple(image.shape[2:]), image.device, image.dtype)


@lru_cache(maxsize=16)
def _loss(sigma: float, size: tuple[int, int], device: torch.device, dtype: torch.dtype) -> Float[Tensor, "h f"]:
    height, width = size
    loss = -np.expm1(-2 * (math.pi * sigma * frequencies(height, width)) ** 2)
    loss[:, 1 : (width + 1) // 2] *= 2
    return torch.from_numpy(loss).to(device, dtype)
