"""The ways in which the systems of the literature resize images; they differ in where the new grid's pixels lie."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from phosphene.errors import ParameterError

Convention = Literal["half_pixel", "align_corners", "tf1", "ndzoom", "bicubic", "matlab"]
CONVENTIONS: tuple[str, ...] = get_args(Convention)

Rounding = Literal["floor", "round", "float32"]

#: No side of an image is longer; single precision still holds it.
_LONGEST = 2**31

_INTERPOLATE: dict[str, dict[str, Any]] = {
    "half_pixel": {"mode": "bilinear", "align_corners": False},
    "align_corners": {"mode": "bilinear", "align_corners": True},
    # scipy.ndimage.zoom of order 1: corners map to corners.
    "ndzoom": {"mode": "bilinear", "align_corners": True},
    # Keys' cubic with a = -0.75, as cv2.INTER_CUBIC has it.
    "bicubic": {"mode": "bicubic", "align_corners": False},
}


def resize(image: Float[Tensor, "n c h w"], size: tuple[int, int], convention: str) -> Float[Tensor, "n c p q"]:
    """Resize without antialiasing; an image of that size already is given back itself.

    Args:
        image: the images.
        size: height and width to resize to, in pixels.
        convention: where sample i of ``out`` lies among ``in`` pixels, and what fills the rest:
            "half_pixel" at (i + ½)·in/out − ½, bilinear, the borders repeated (PyTorch's default, TensorFlow 2);
            "align_corners" and "ndzoom" at i·(in − 1)/(out − 1), bilinear (``scipy.ndimage.zoom`` of order 1);
            "tf1" at i·in/out, bilinear, the last pixel repeated (TensorFlow 1);
            "bicubic" as "half_pixel", cubic with a = −0.75 (cv2);
            "matlab" as "half_pixel", but 0 where a sample lies outside the outermost pixels' centres.

    Raises:
        ParameterError: no such convention.
    """
    if convention not in CONVENTIONS:
        raise ParameterError(f"convention is {convention!r}; expected one of {list(CONVENTIONS)}")
    if tuple(image.shape[2:]) == size:
        return image
    if convention in _INTERPOLATE:
        return F.interpolate(image, size, **_INTERPOLATE[convention])
    if convention == "tf1":
        return _along(_along(image, 2, size[0]), 3, size[1])
    return _blank_outside(F.interpolate(image, size, mode="bilinear", align_corners=False), tuple(image.shape[2:]))


def scaled_size(size: tuple[int, int], factor: float, rounding: Rounding = "floor") -> tuple[int, int]:
    """Height and width times ``factor``, above 0.

    Args:
        size: height and width, in pixels.
        factor: what to multiply with.
        rounding: "floor" cuts the product in double precision (MATLAB, Python's ``int``); "round" goes to the nearest,
            halves to the even one (``scipy.ndimage.zoom``); "float32" cuts the product in single precision (DeepDream
            in TensorFlow), which gives 63 rather than 62 for 45 × 1.4.

    Raises:
        ParameterError: the size would be beyond that of any image.

    >>> scaled_size((227, 45), 1.4), scaled_size((227, 45), 1.4, "float32")
    ((317, 62), (317, 63))
    """
    if not max(size) * factor <= _LONGEST:
        raise ParameterError(
            f"{size[0]} × {size[1]} pixels times {factor:g} are too many; at most {_LONGEST} rows or columns"
        )
    if rounding == "round":
        return round(size[0] * factor), round(size[1] * factor)
    if rounding == "float32":
        return int(np.float32(size[0]) * np.float32(factor)), int(np.float32(size[1]) * np.float32(factor))
    return int(size[0] * factor), int(size[1] * factor)


def _along(image: Float[Tensor, "n c h w"], axis: int, n_out: int) -> Float[Tensor, "n c p q"]:
    """Linear interpolation of one axis at i·in/out."""
    n_in = image.shape[axis]
    at = torch.arange(n_out, dtype=torch.float64) * (n_in / n_out)
    before = at.floor().long().clamp(max=n_in - 1)
    shape = [-1 if i == axis else 1 for i in range(4)]
    share = (at - before).to(image.device, image.dtype).view(shape)
    after = (before + 1).clamp(max=n_in - 1)
    first, second = (image.index_select(axis, i.to(image.device)) for i in (before, after))
    return first.lerp_(second, share)


def _blank_outside(image: Float[Tensor, "n c p q"], source: tuple[int, ...]) -> Float[Tensor, "n c p q"]:
    """Zero where half-pixel samples lie outside the centres of the source's outermost pixels."""
    masks = list[Tensor]()
    for n_in, n_out in zip(source, image.shape[2:], strict=True):
        at = (torch.arange(n_out, dtype=torch.float64) + 0.5) * (n_in / n_out) - 0.5
        masks.append(((at >= 0) & (at <= n_in - 1)).to(image.device, image.dtype))
    return image * masks[0][:, None] * masks[1]
