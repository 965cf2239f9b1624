"""What a search space is: a frozen description of what turns a Gaussian code into an image."""

from __future__ import annotations

import abc
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from phosphene._component import Component

#: Codes (n, dim) to images (n, c, h, w) in [0, 1], float32, each row on its own.
Decoder = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Space(Component, abc.ABC, base=True):
    """A space of codes; a code of standard normal numbers is a typical start."""

    @property
    @abc.abstractmethod
    def dim(self) -> int:
        """Length of a code."""

    @property
    @abc.abstractmethod
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of the images."""

    @abc.abstractmethod
    def open(self, device: torch.device) -> Decoder:
        """What decodes codes into images on a device."""
