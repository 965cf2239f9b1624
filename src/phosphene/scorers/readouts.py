"""Readouts: responses of several units to one score for each image."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._component import Component, check
from phosphene._types import FrozenArray
from phosphene.errors import ParameterError


@dataclass(frozen=True)
class Readout(Component, abc.ABC, base=True):
    """Responses (n, k) to scores (n,), each image on its own; higher is better.

    A score that needs a lost response (NaN) is lost.
    """

    @abc.abstractmethod
    def read(self, responses: Float[Tensor, "n k"]) -> Float[Tensor, " n"]:
        """The scores, float64.

        Raises:
            ParameterError: there are not as many responses as the readout wants.
        """

    def __call__(self, responses: Float[Tensor, "n k"]) -> Float[Tensor, " n"]:
        """:meth:`read`, for responses of any precision."""
        return self.read(responses.to(torch.float64))


@dataclass(frozen=True)
class Mean(Readout):
    """The mean response.

    Attributes:
        channels: numbers of the responses that count; None for all.
    """

    channels: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_channels("channels", self.channels)

    def read(self, responses: Float[Tensor, "n k"]) -> Float[Tensor, " n"]:
        return _chosen(responses, self.channels).mean(1)


@dataclass(frozen=True)
class Minimum(Readout):
    """The smallest response: all units must respond.

    Attributes:
        channels: numbers of the responses that count; None for all.
    """

    channels: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_channels("channels", self.channels)

    def read(self, responses: Float[Tensor, "n k"]) -> Float[Tensor, " n"]:
        return _chosen(responses, self.channels).amin(1)


@dataclass(frozen=True)
class WeightedSum(Readout):
    """The weighted sum of the responses.

    Attributes:
        weights: one for each response; those of weight 0 may be lost.
    """

    weights: FrozenArray

    def __post_init__(self) -> None:
        freeze_vector(self, "weights")
        super().__post_init__()

    def read(self, responses: Float[Tensor, "n k"]) -> Float[Tensor, " n"]:
        weights = self.weights.tensor(dtype=torch.float64)
        check_number(responses, len(weights), "weights")
        return (responses * weights).where(weights != 0, 0.0).sum(1)


@dataclass(frozen=True)
class Contrast(Readout):
    """The mean response of some units minus that of others.

    Attributes:
        plus: numbers of the responses that are wanted.
        minus: numbers of those that are not.
    """

    plus: tuple[int, ...]
    minus: tuple[int, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_channels("plus", self.plus)
        _check_channels("minus", self.minus)

    def read(self, responses: Float[Tensor, "n k"]) -> Float[Tensor, " n"]:
        return _chosen(responses, self.plus).mean(1) - _chosen(responses, self.minus).mean(1)


def _chosen(responses: Tensor, channels: Sequence[int] | None) -> Float[Tensor, "n m"]:
    if channels is None:
        return responses
    if max(channels) >= responses.shape[1]:
        raise ParameterError(
            f"response {max(channels)} was asked for, but each image has {responses.shape[1]}, numbered from 0"
        )
    return responses[:, list(channels)]


def check_number(responses: Tensor, n: int, name: str) -> None:
    """Refuse responses that are not ``n`` for each image.

    Raises:
        ParameterError: naming what has ``n`` values.
    """
    if responses.shape[1] != n:
        raise ParameterError(f"each image has {responses.shape[1]} responses, but {name} has {n} values; give one each")


def freeze_vector(readout: Readout, name: str) -> None:
    """Make a field a vector of numbers, whatever it was given as; None stays.

    Raises:
        ParameterError: it is no vector.
    """
    value = getattr(readout, name)
    if value is not None:
        frozen = FrozenArray.of(value)
        check(
            len(frozen.shape) == 1 and frozen.shape[0] > 0, name, frozen.shape, "a vector, a number for each response"
        )
        object.__setattr__(readout, name, frozen)


def _check_channels(name: str, channels: Sequence[int] | None) -> None:
    fits = channels is None or (len(channels) > 0 and all(c >= 0 for c in channels))
    check(fits, name, channels, "numbers of responses from 0, at least one")
