"""Canvases that start from a photograph."""

from __future__ import annotations

from dataclasses import replace

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from phosphene._component import check
from phosphene._types import FrozenArray
from phosphene.errors import ArgumentError, ImageError
from phosphene.parameterizations import Pixels
from phosphene.parameterizations.base import ColoredParameterization
from phosphene.render import Recipe


def pixels_of(image: object) -> Pixels:
    """A canvas of plain pixels that shows ``image`` exactly, its values free to leave [0, 1] from there.

    Args:
        image: (c, h, w) in [0, 1], a tensor, an array or a frozen array, such as
            :func:`phosphene.store.photographs.read_image` gives.

    Raises:
        ImageError: another shape, or values outside [0, 1].
        ArgumentError: no array of numbers.
    """
    start = photograph(image)
    channels, height, width = start.shape
    # With an offset of 0 a pixel's parameter is its value, so that no rounding comes between.
    return Pixels(
        height, width, channels=channels, decorrelate="none", range="none", start=start, offset=(0.0,) * channels
    )


def photograph(image: object) -> FrozenArray:
    """``image`` (c, h, w) as it was given, frozen.

    Raises:
        ImageError: another shape, or values outside [0, 1].
        ArgumentError: no array of numbers.
    """
    start = FrozenArray.of(image)
    if len(start.shape) != 3 or 0 in start.shape:
        raise ImageError(f"the image has shape {start.shape}; expected (channels, height, width)")
    values = start.numpy()
    if values.min() < 0 or values.max() > 1:
        raise ImageError(f"the image has values from {values.min():.3g} to {values.max():.3g}; expected [0, 1]")
    return start


def started_from(recipe: Recipe, image: object) -> Recipe:
    """The same recipe from another image (c, h, w) in [0, 1], at that image's size.

    Raises:
        ImageError: another shape, other channels than the recipe's, or values outside [0, 1].
        ArgumentError: the recipe's parameterization does not start from images.
    """
    start, canvas = photograph(image), recipe.parameterization
    if not isinstance(canvas, ColoredParameterization):
        raise ArgumentError(f"{recipe.name} draws on {canvas.kind()}, which cannot start from an image; use ph.Pixels")
    if start.shape[0] != canvas.channels:
        raise ImageError(f"the image has {start.shape[0]} channels; {recipe.name} makes images of {canvas.channels}")
    sized = canvas.sized(start.shape[1], start.shape[2])
    return replace(recipe, parameterization=replace(sized, start=start))


def fitted_to(image: Float[Tensor, "c h w"], longest: int) -> Float[Tensor, "c p q"]:
    """A photograph resized so that its longer side has ``longest`` pixels, bicubically and anti-aliased, in eight bits.

    Raises:
        ParameterError: ``longest`` is below 1, or above 16384.
    """
    check(1 <= longest <= 2**14, "longest", longest, "a whole number of pixels from 1 to 16384")
    factor = longest / max(image.shape[1:])
    size = [max(1, round(n * factor)) for n in image.shape[1:]]
    resized = F.interpolate(image[None], size, mode="bicubic", align_corners=False, antialias=True)[0]
    return (resized.clamp(0, 1) * 255).round() / 255
