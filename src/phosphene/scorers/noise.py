"""Simulated noise of responses, each image's from a stream of its own."""

from __future__ import annotations

import abc
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._component import Component, check

#: Above this the noise of a Poisson count is a share of 3e-8 of it, and NumPy's counts end soon after.
_MAX_COUNT = 1e15

#: Single responses that are drawn at once.
_AT_ONCE = 2**16

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Noise(Component, abc.ABC, base=True):
    """Noise of single trials.

    Draws depend on the seed and on the number of the image, counted from the first that was ever scored: they are the
    same however images are batched, and go on where they were when a search is resumed.

    Attributes:
        seed: seed of all draws.
    """

    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check(0 <= self.seed < 2**63, "seed", self.seed, "a whole number from 0 to 2^63 - 1")

    @abc.abstractmethod
    def trials(self, responses: Array, draws: np.random.Generator) -> Array:
        """A noisy trial for each entry of finite responses, of any shape."""

    def apply(self, responses: Float[Tensor, "n k"], *, first: int, repeats: int = 1) -> Float[Tensor, "n k"]:
        """Responses as means of noisy trials; lost ones (NaN) stay lost.

        Args:
            responses: without noise, float64.
            first: number of the first image.
            repeats: trials of each image.
        """
        noisy = responses.clone()
        for i, row in enumerate(responses.numpy()):
            # A key of 128 bits: half the seed, half the number of the image.
            draws = np.random.Generator(np.random.Philox(key=self.seed + ((first + i) << 64)))
            mean = torch.from_numpy(self._mean(np.nan_to_num(row), draws, repeats))
            noisy[i] = torch.where(responses[i].isnan(), torch.nan, mean)
        return noisy

    def _mean(self, row: Array, draws: np.random.Generator, repeats: int) -> Array:
        """The mean of noisy trials of the responses to one image (k,), of which not all are held at once."""
        total, at_once = np.zeros(len(row)), max(1, _AT_ONCE // max(1, len(row)))
        for first in range(0, repeats, at_once):
            shown = np.broadcast_to(row, (min(at_once, repeats - first), len(row)))
            total += self.trials(shown, draws).sum(0)
        return total / repeats


@dataclass(frozen=True)
class Poisson(Noise):
    """Counts of spikes: Poisson(max(0, s · scale)) / scale (Xiao & Kreiman 2020).

    Attributes:
        scale: expected count of a response of 1; smaller is noisier.
    """

    scale: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check(0 < self.scale < float("inf"), "scale", self.scale, "a number above 0")

    def trials(self, responses: Array, draws: np.random.Generator) -> Array:
        rates = np.maximum(responses * self.scale, 0)
        counts = draws.poisson(np.minimum(rates, _MAX_COUNT))
        return np.where(rates > _MAX_COUNT, rates, counts) / self.scale


@dataclass(frozen=True)
class Multiplicative(Noise):
    """Gain that varies from trial to trial: s · max(0, 1 + sd · N(0, 1)) (Wang & Ponce 2022).

    Attributes:
        sd: standard deviation of the gain.
    """

    sd: float = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        check(0 <= self.sd < float("inf"), "sd", self.sd, "a number from 0")

    def trials(self, responses: Array, draws: np.random.Generator) -> Array:
        return responses * np.maximum(0, 1 + self.sd * draws.standard_normal(responses.shape))


@dataclass(frozen=True)
class Additive(Noise):
    """Noise of the same size for all responses: s + sd · N(0, 1).

    Attributes:
        sd: standard deviation of the noise.
    """

    sd: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check(0 <= self.sd < float("inf"), "sd", self.sd, "a number from 0")

    def trials(self, responses: Array, draws: np.random.Generator) -> Array:
        return responses + self.sd * draws.standard_normal(responses.shape)
