"""Norm control: where the codes of a search may lie."""

from __future__ import annotations

import abc
import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._component import Component, check

#: From that share of the radius on a code is at the border.
_AT_BORDER = 1 - 1e-6


@dataclass(frozen=True)
class NormControl(Component, abc.ABC, base=True):
    """Where codes may lie.

    Every code that is shown obeys it, and so does the mean of a search. A search learns from what it drew, before that
    was brought back, as the way back would look like short steps; and from a mean at the border nothing is drawn
    outwards, as the lasting wish to go there would look like too short ones. Its step size goes by what it does along
    the border alone; where scores tell nothing it comes out below what it is without a border nevertheless: by a tenth
    where the size alone is learned, by a quarter where a shape is (100 numbers, 200 generations).
    """

    def bars(self, code: Float[Tensor, " dim"]) -> Literal["nothing", "outwards", "radially"]:
        """Where no step leads from a code, seen from zero."""
        return "nothing"

    @abc.abstractmethod
    def project(self, codes: Float[Tensor, "*n dim"]) -> Float[Tensor, "*n dim"]:
        """The nearest codes that are allowed, each row on its own."""


@dataclass(frozen=True)
class Free(NormControl):
    """Anywhere."""

    def project(self, codes: Float[Tensor, "*n dim"]) -> Float[Tensor, "*n dim"]:
        """The codes themselves."""
        return codes


@dataclass(frozen=True)
class Capped(NormControl):
    """In a ball.

    Attributes:
        radius: the largest L2 norm of a code, above 0. A code of N(0, 1) numbers has about √dim.
    """

    radius: float

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_radius(self.radius)

    def project(self, codes: Float[Tensor, "*n dim"]) -> Float[Tensor, "*n dim"]:
        """Codes outside are scaled to the radius."""
        return torch.where(_norms(codes) > self.radius, _scaled(codes, self.radius), codes)

    def bars(self, code: Float[Tensor, " dim"]) -> Literal["nothing", "outwards", "radially"]:
        """Outwards, from the border."""
        return "outwards" if float(_norms(code)) >= self.radius * _AT_BORDER else "nothing"


@dataclass(frozen=True)
class OnSphere(NormControl):
    """On a sphere. A code of zeros, where searches without an origin begin, has no direction: it stays.

    Attributes:
        radius: the L2 norm of every code, above 0.
    """

    radius: float

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_radius(self.radius)

    def project(self, codes: Float[Tensor, "*n dim"]) -> Float[Tensor, "*n dim"]:
        """Codes scaled to the radius."""
        return _scaled(codes, self.radius)

    def bars(self, code: Float[Tensor, " dim"]) -> Literal["nothing", "outwards", "radially"]:
        """Outwards and inwards, but from zeros."""
        return "radially" if bool(code.any()) else "nothing"


def turned(
    vector: Float[Tensor, " dim"], start: Float[Tensor, " dim"], goal: Float[Tensor, " dim"]
) -> Float[Tensor, " dim"]:
    """A vector, turned as the direction ``start`` is turned to ``goal`` along the great circle (parallel transport).

    Args:
        vector: what is turned; its length stays.
        start: of length 1.
        goal: of length 1, not opposite to ``start``; to the opposite one there is no one way, and nothing is turned.
    """
    middle, cosine = start + goal, start @ goal
    if float(cosine) < -1 + 1e-9:
        return vector
    return vector - (middle @ vector) / (1 + cosine) * middle + 2 * (start @ vector) * goal


def _check_radius(radius: float) -> None:
    check(0 < radius < math.inf, "radius", radius, "a number above 0")


def _norms(codes: Tensor) -> Tensor:
    return torch.linalg.vector_norm(codes, dim=-1, keepdim=True)


def _scaled(codes: Tensor, radius: float) -> Tensor:
    norms = _norms(codes)
    return codes * (radius / torch.where(norms > 0, norms, torch.ones_like(norms)))
