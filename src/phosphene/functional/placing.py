"""Stimuli placed in a rectangle of a grey canvas, and cut out of it again."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from phosphene.errors import ImageError, ParameterError


class Box(NamedTuple):
    """A rectangle of pixels: rows ``top`` to ``bottom``, columns ``left`` to ``right``, the ends not included; it may
    reach beyond the canvas.
    """

    top: int
    left: int
    bottom: int
    right: int

    @property
    def height(self) -> int:
        """Number of rows."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        """Number of columns."""
        return self.right - self.left

    def within(self, height: int, width: int) -> Box:
        """The part that lies on a canvas of that size."""
        top, left = min(max(self.top, 0), height), min(max(self.left, 0), width)
        return Box(top, left, max(min(self.bottom, height), top), max(min(self.right, width), left))


def place(
    image: Float[Tensor, "*n c h w"], box: Box, canvas_size: tuple[int, int], *, background: float = 0.5
) -> Float[Tensor, "*n c p q"]:
    """Images resized to ``box`` on a canvas of one grey, such as stimuli in a neuron's receptive field.

    They are stretched to the box's two sides, bilinearly and anti-aliased, and cut where it reaches beyond the canvas.

    Args:
        image: one image (c, h, w) or several (n, c, h, w).
        box: where they are shown.
        canvas_size: height and width of the canvas, in pixels.
        background: the grey around them; 0 is black, 1 white.

    Raises:
        ImageError: no image.
        ParameterError: the box is empty or lies beside the canvas, or the grey is no number in [0, 1].
    """
    inside = _checked(image, box, canvas_size)
    if not 0 <= background <= 1:
        raise ParameterError(f"background is {background}; expected a grey in [0, 1]")
    batch = image if image.ndim == 4 else image[None]
    size = [box.height, box.width]
    if list(batch.shape[2:]) != size:
        batch = F.interpolate(batch, size, mode="bilinear", align_corners=False, antialias=True)
    canvas = torch.full((*batch.shape[:2], *canvas_size), background, dtype=batch.dtype, device=batch.device)
    rows = slice(inside.top - box.top, inside.bottom - box.top)
    columns = slice(inside.left - box.left, inside.right - box.left)
    canvas[..., inside.top : inside.bottom, inside.left : inside.right] = batch[..., rows, columns]
    return canvas if image.ndim == 4 else canvas[0]


def crop(image: Float[Tensor, "*n c h w"], box: Box) -> Float[Tensor, "*n c p q"]:
    """What lies in ``box``, as far as it is on the images: what a neuron sees of them.

    Args:
        image: one image (c, h, w) or several (n, c, h, w).
        box: what is cut out.

    Raises:
        ImageError: no image.
        ParameterError: the box is empty or lies beside the image.
    """
    inside = _checked(image, box, (int(image.shape[-2]), int(image.shape[-1])) if image.ndim in (3, 4) else (0, 0))
    return image[..., inside.top : inside.bottom, inside.left : inside.right]


def _checked(image: Tensor, box: Box, size: tuple[int, int]) -> Box:
    """The part of the box that lies on a canvas."""
    if image.ndim not in (3, 4) or 0 in image.shape or not image.is_floating_point():
        raise ImageError(
            f"the image is {tuple(image.shape)} of {image.dtype}; expected floats (c, h, w) or (n, c, h, w)"
        )
    inside = box.within(*size)
    if inside.height == 0 or inside.width == 0:
        raise ParameterError(f"{box} shows nothing on {size[0]} × {size[1]} pixels; expected a box that overlaps them")
    return inside
