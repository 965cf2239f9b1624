"""From unbounded values to colours in [0, 1]."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from phosphene.functional.color import imagenet_matrix, mix


def to_valid_rgb(image_f: Callable[[], Tensor], decorrelate: bool = False) -> Callable[[], Tensor]:
    """A function of images (n, c, h, w) in (0, 1): those of ``image_f``, by the sigmoid.

    Args:
        image_f: unbounded images.
        decorrelate: mix the three channels by the colour matrix of ImageNet first.
    """
    matrix = imagenet_matrix().tensor(dtype=torch.float64)

    def inner() -> Tensor:
        image = image_f()
        return torch.sigmoid(mix(matrix.to(image), image) if decorrelate else image)

    return inner
