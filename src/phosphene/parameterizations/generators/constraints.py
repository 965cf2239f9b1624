"""Where codes may lie: projections and a prior, applied after every step."""

from __future__ import annotations

import abc
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._component import Component, check


@dataclass(frozen=True)
class LatentConstraint(Component, abc.ABC, base=True):
    """A rule for the codes of a :class:`Latent`, each code on its own."""

    @abc.abstractmethod
    def settle(self, codes: Float[Tensor, "n *code"]) -> Float[Tensor, "n *code"]:
        """The codes (n, ...) as they go on after a step."""

    def begin(self, codes: Float[Tensor, "n *code"]) -> Float[Tensor, "n *code"]:
        """The codes as they start: projections hold from the start."""
        return self.settle(codes)


@dataclass(frozen=True)
class UnitNorm(LatentConstraint):
    """Codes on a sphere: z ← radius · z / |z|, with the Euclidean norm of the whole code.

    A standard normal code of d numbers lies near radius √d, which is where generators that were trained on such codes
    draw well: for a DCGAN's 100 numbers, ``UnitNorm(10.0)``. A code of zeros has no direction and stays.

    Attributes:
        radius: norm of every code.
    """

    radius: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check(0 < self.radius < float("inf"), "radius", self.radius, "a number above 0")

    def settle(self, codes: Float[Tensor, "n *code"]) -> Float[Tensor, "n *code"]:
        norm = _norms(codes)
        return torch.where(norm > 0, codes * (self.radius / norm.clamp(min=torch.finfo(norm.dtype).tiny)), codes)


@dataclass(frozen=True)
class CappedNorm(LatentConstraint):
    """Codes in a ball: those whose Euclidean norm is above ``limit`` are scaled back to it, others stay.

    Attributes:
        limit: largest norm of a code.
    """

    limit: float

    def __post_init__(self) -> None:
        super().__post_init__()
        check(0 < self.limit < float("inf"), "limit", self.limit, "a number above 0")

    def settle(self, codes: Float[Tensor, "n *code"]) -> Float[Tensor, "n *code"]:
        norm = _norms(codes)
        return torch.where(norm > self.limit, codes * (self.limit / norm.clamp(min=self.limit)), codes)


@dataclass(frozen=True)
class GaussianPrior(LatentConstraint):
    """The prior z ~ N(0, 1) of a generator's codes, as a shrinkage: z ← z / (1 + weight) after every step.

    This is the implicit gradient step, of rate 1, of the penalty ½ · weight · |z|²: it never overshoots, and needs no
    gradient of its own. With plain gradient ascent of rate lr on a score f it climbs f(z) − ½ · (weight / lr) · |z|²:
    where it stands still, lr · ∇f(z) = weight · z. After Nguyen et al. (2016), who penalise |z|² in the score.

    Attributes:
        weight: strength of a step; 0 leaves codes as they are.
    """

    cites = ("nguyen2016synthesizing",)
    weight: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        check(0 <= self.weight < float("inf"), "weight", self.weight, "a number from 0")

    def settle(self, codes: Float[Tensor, "n *code"]) -> Float[Tensor, "n *code"]:
        return codes / (1 + self.weight)

    def begin(self, codes: Float[Tensor, "n *code"]) -> Float[Tensor, "n *code"]:
        return codes


def _norms(codes: Tensor) -> Tensor:
    """Euclidean norm of every code, shaped to divide codes by it."""
    return torch.linalg.vector_norm(codes.flatten(1), dim=1).view(-1, *[1] * (codes.ndim - 1))
