"""What a gradient override is."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import Tensor

from phosphene._component import Component


class Rectifier(NamedTuple):
    """A rectification that a network asked for.

    Attributes:
        values: what is rectified, one row per image.
        ceiling: the largest result; None has no ceiling (6 for ReLU6).
        in_place: whether the result is written over the values.
    """

    values: Tensor
    ceiling: float | None
    in_place: bool


class Pooling(NamedTuple):
    """A max-pool over the last two axes that a network asked for.

    Attributes:
        values: what is pooled, (n, c, h, w) or (c, h, w).
        options: kernel_size, stride, padding and ceil_mode, as :func:`torch.nn.functional.avg_pool2d` takes them.
    """

    values: Tensor
    options: dict[str, Any]


@dataclass(frozen=True)
class Override(Component, abc.ABC, base=True):
    """Another gradient for an operation of the network; its values stay what they are."""

    def acts(self, step: int) -> bool:
        """Whether it acts at a step of a stage, from 0."""
        return True

    def rectify(self, asked: Rectifier, *, ascent: bool) -> Tensor | None:
        """The rectified values with another gradient; None leaves rectifications as they are.

        Args:
            asked: the operation.
            ascent: whether gradients are those of a score to climb; false for a loss to descend.
        """
        return None

    def max_pool(self, asked: Pooling) -> Tensor | None:
        """The pooled values with another gradient; None leaves max-pools as they are."""
        return None
