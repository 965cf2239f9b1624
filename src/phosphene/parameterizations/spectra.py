"""Magnitudes of frequencies that a picture may be held to."""

from __future__ import annotations

import abc
import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._component import Component, check
from phosphene._types import FrozenArray
from phosphene.errors import ParameterError
from phosphene.functional.spectrum import decay_scale, resize_spectrum


@dataclass(frozen=True)
class Spectrum(Component, abc.ABC, base=True):
    """A rule that gives the magnitude of every frequency, for images of any size."""

    @abc.abstractmethod
    def magnitude(self, channels: int, height: int, width: int) -> Float[Tensor, "c h f"]:
        """Magnitudes of the orthonormal ``rfft2`` of decorrelated images, float64."""


@dataclass(frozen=True)
class PowerLaw(Spectrum):
    """``1 / max(f, 1/max(h, w))^alpha``, scaled so that an image of random phases has unit variance in each
    decorrelated channel; the colour matrix then gives the channels the shares that they have in photographs.

    Attributes:
        alpha: power of the fall; about 1 in photographs; larger is smoother.
        weights: standard deviation of each decorrelated channel; empty for 1 in each.
    """

    alpha: float = 1.0
    weights: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        check(0 <= self.alpha <= 8, "alpha", self.alpha, "a number from 0 to 8")
        check(all(0 <= w < math.inf for w in self.weights), "weights", self.weights, "numbers from 0")

    def magnitude(self, channels: int, height: int, width: int) -> Float[Tensor, "c h f"]:
        check(len(self.weights) in (0, channels), "weights", self.weights, f"{channels} numbers, one for each channel")
        amplitude = decay_scale(height, width, self.alpha)
        # Every column but the first, and the last of an even width, stands for its mirror image too.
        twice = torch.full((amplitude.shape[1],), 2.0, dtype=torch.float64)
        twice[:: width // 2 if width % 2 == 0 else width] = 1.0
        amplitude = amplitude / ((amplitude.square() * twice).sum() / (height * width)).sqrt()
        return torch.tensor(self.weights or (1.0,) * channels, dtype=torch.float64)[:, None, None] * amplitude


def magnitude_of(source: Spectrum | FrozenArray, channels: int, height: int, width: int) -> Float[Tensor, "c h f"]:
    """The magnitudes of a rule, or of an array (c, rows, columns), brought to the image's size; float64.

    Raises:
        ParameterError: an array of another shape or with negative values.
    """
    if isinstance(source, Spectrum):
        return source.magnitude(channels, height, width)
    found = source.tensor(dtype=torch.float64)
    if found.ndim != 3 or found.shape[0] != channels or 0 in found.shape:
        raise ParameterError(
            f"magnitude has shape {source.shape}; expected ({channels}, h, w // 2 + 1), as "
            "ph.recipes.fit_spectrum gives"
        )
    check(bool(np.all(source.numpy() >= 0)), "magnitude", "an array with negative values", "magnitudes, from 0")
    return resize_spectrum(found, height, width)
