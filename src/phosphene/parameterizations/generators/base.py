"""What a generator is: a frozen description of a network that turns codes into images."""

from __future__ import annotations

import abc
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from phosphene._component import Component

#: Codes (n, *code_shape) to images (n, c, h, w) in [0, 1], differentiable, each row on its own.
Decoder = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Generator(Component, abc.ABC, base=True):
    """A frozen description of an image generator; :meth:`open` gives its network."""

    @property
    @abc.abstractmethod
    def code_shape(self) -> tuple[int, ...]:
        """Shape of the code of one image."""

    @property
    @abc.abstractmethod
    def size(self) -> tuple[int, int]:
        """Height and width of the images that it draws, in pixels."""

    @property
    @abc.abstractmethod
    def n_channels(self) -> int:
        """Colour channels of its images."""

    @abc.abstractmethod
    def open(self, device: torch.device, dtype: torch.dtype) -> Decoder:
        """The network with its weights, ready on a device: its own copy, in eval mode, that nothing trains.

        Every canvas opens its own and drops it with itself, so nothing is kept between renders.

        Raises:
            WeightsError: its weights cannot be found, have another checksum, or do not fit.
        """


def frozen(module: nn.Module, device: torch.device, dtype: torch.dtype) -> nn.Module:
    """The module itself on a device, in eval mode, its parameters closed to gradients."""
    return module.to(device, dtype).eval().requires_grad_(False)
