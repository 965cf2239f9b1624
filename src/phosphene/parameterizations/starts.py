"""Noise that an image starts from, in the image's own values."""

from __future__ import annotations

import abc
import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._component import Component, check
from phosphene.functional.random import Generators


@dataclass(frozen=True)
class Start(Component, abc.ABC, base=True):
    """Noise to start from, given in values of the image rather than of the parameters."""

    @abc.abstractmethod
    def draw(self, noise: Generators, *shape: int) -> Float[Tensor, "n c h w"]:
        """Start images of ``shape`` (c, h, w), each from its own random stream, float64."""


@dataclass(frozen=True)
class UniformStart(Start):
    """Uniform noise, such as 150 to 180 of 255 in "40 lines".

    Attributes:
        low: smallest value; 0 is black, 1 white.
        high: largest value.
    """

    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        ordered = -math.inf < self.low <= self.high < math.inf
        check(ordered, "low, high", (self.low, self.high), "finite numbers, low <= high")

    def draw(self, noise: Generators, *shape: int) -> Float[Tensor, "n c h w"]:
        return self.low + (self.high - self.low) * noise.uniform(*shape).to(torch.float64)


@dataclass(frozen=True)
class NormalStart(Start):
    """Normal noise.

    Attributes:
        mean: mean value; 0 is black, 1 white.
        sd: standard deviation.
    """

    mean: float = 0.5
    sd: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        check(math.isfinite(self.mean), "mean", self.mean, "a finite number")
        check(0 <= self.sd < math.inf, "sd", self.sd, "a number from 0")

    def draw(self, noise: Generators, *shape: int) -> Float[Tensor, "n c h w"]:
        return self.mean + self.sd * noise.normal(*shape).to(torch.float64)
