"""Canvases whose parameters are the normalised image, as in programs that optimise what the network is fed with."""

from __future__ import annotations

import torch

from phosphene._types import FrozenArray
from phosphene.parameterizations import Pixels
from phosphene.parameterizations.starts import Start

#: ImageNet's mean and standard deviation per channel, in units of [0, 1], as torchvision has them.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def statistics(channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation per channel, in units of [0, 1]: ImageNet's for three channels, for other numbers
    their averages.
    """
    if channels == 3:
        return IMAGENET_MEAN, IMAGENET_STD
    return (sum(IMAGENET_MEAN) / 3,) * channels, (sum(IMAGENET_STD) / 3,) * channels


def normalized_pixels(
    height: int, width: int, channels: int = 3, *, start: FrozenArray | Start | None = None, sd: float = 0.1
) -> Pixels:
    """Pixels whose parameters are ``x = (image - mean) / std``; the image may leave [0, 1].

    Optimizers act on x. Hence a learning rate, a weight decay and a bound on the gradient's norm mean what they mean
    in a program that optimises the normalised image: the score's gradient in x is ``std`` times that in the image, and
    a step of Δ in x moves the image by ``std · Δ``.

    Args:
        height: image rows, in pixels.
        width: image columns, in pixels.
        channels: colour channels.
        start: the image (c, h, w), or noise in the image's values, to start from.
        sd: standard deviation of x at the start, where no ``start`` is given.
    """
    mean, std = statistics(channels)
    matrix = FrozenArray.of(torch.diag(torch.tensor(std)))
    return Pixels(height, width, channels=channels, sd=sd, decorrelate=matrix, range="none", start=start, offset=mean)
