"""Colour: decorrelation of an image's channels, as a matrix that maps decorrelated to natural colours."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._types import FrozenArray
from phosphene.errors import ImageError

# Lucid's square root of the covariance of ImageNet's colours (lucid/optvis/param/color.py), columns by decreasing
# variance.
_IMAGENET_SQRT = ((0.26, 0.09, 0.02), (0.27, 0.00, -0.05), (0.27, -0.09, 0.03))
#: Mean colour of ImageNet as Lucid adds it where the range is clipped instead of squashed.
IMAGENET_MEAN = (0.48, 0.46, 0.41)


@cache
def imagenet_matrix() -> FrozenArray:
    """Lucid's colour matrix, scaled so that its longest column has norm 1.

    >>> [round(v, 6) for v in imagenet_matrix().tensor()[0].tolist()]
    [0.562829, 0.194825, 0.043295]
    """
    matrix = np.array(_IMAGENET_SQRT)
    return FrozenArray.of(matrix / np.linalg.norm(matrix, axis=0).max())


def measured_matrix(images: Iterable[Float[Tensor, "c _ _"]]) -> FrozenArray:
    """The colour matrix of a set of images: the square root of the covariance of their pixels, scaled as Lucid's.

    Args:
        images: tensors (c, h, w) with the same number of channels, values in [0, 1]; sizes may differ.

    Raises:
        ImageError: if there are no images, or their numbers of channels differ.
    """
    total, products, count = None, None, 0
    for image in images:
        pixels = image.detach().to("cpu", torch.float64).flatten(1)
        if total is not None and pixels.shape[0] != total.shape[0]:
            raise ImageError(f"expected images of {total.shape[0]} channels, got one of {pixels.shape[0]}")
        total = pixels.sum(1) + (0 if total is None else total)
        products = pixels @ pixels.T + (0 if products is None else products)
        count += pixels.shape[1]
    if total is None or products is None:
        raise ImageError("the colour matrix of no images is not defined; give at least one")
    mean = total / count
    variances, axes = torch.linalg.eigh(products / count - torch.outer(mean, mean))
    # Columns by decreasing variance, each with a positive sum or first entry, so that the result is unique.
    matrix = (axes * variances.clamp(min=1e-10).sqrt()).flip(1)
    signs = torch.where(matrix.sum(0) < 0, -1.0, 1.0)
    matrix = matrix * signs
    return FrozenArray.of(matrix / torch.linalg.vector_norm(matrix, dim=0).max())


def mix(matrix: Float[Tensor, "k c"], image: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k h w"]:
    """Apply a colour matrix to every pixel: ``out[k] = sum_c matrix[k, c] · image[c]``."""
    return torch.matmul(matrix, image.flatten(2)).unflatten(2, image.shape[2:])
