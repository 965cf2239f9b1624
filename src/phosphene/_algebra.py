"""Objectives as values, and the algebra that builds new ones from them.

An objective says *what* is wanted: one score per image, bigger is better. It is a frozen value; ``+ - *`` never change
their operands. How an objective is evaluated for a whole batch at once is the business of :mod:`phosphene.objectives`.
"""

from __future__ import annotations

import abc
import math
from collections.abc import Iterable
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from phosphene._component import Component, check
from phosphene.errors import ArgumentError, ParameterError


@dataclass(frozen=True)
class Objective(Component, base=True):
    """Base of everything that gives one score per image; bigger is better.

    ``a + b``, ``a - b``, ``-a``, ``0.5 * a``, ``a * b`` and ``a / 2`` build new objectives.
    """

    @property
    def coupled(self) -> bool:
        """Whether the images of a render influence each other's scores, as they do by diversity and alignment."""
        return any(inner.coupled for inner in self.parts)

    @property
    def parts(self) -> tuple[Objective, ...]:
        """The objectives of which this one is made."""
        return ()

    @property
    def needs_whole_image(self) -> bool:
        """Whether it compares the image with another, or is bound to a place in it, and so makes no sense of a tile."""
        return any(inner.needs_whole_image for inner in self.parts)

    def __add__(self, other: object) -> Objective:
        return self if _is_zero(other) else Sum((*_terms(self), *_terms(_objective(other))))

    __radd__ = __add__

    def __sub__(self, other: object) -> Objective:
        return self + -_objective(other)

    def __rsub__(self, other: object) -> Objective:
        return -self + other

    def __neg__(self) -> Objective:
        return self * -1.0

    def __mul__(self, other: object) -> Objective:
        if isinstance(other, int | float):
            return Scaled(self, float(other))
        return Product((self, _objective(other)))

    __rmul__ = __mul__

    def __truediv__(self, other: object) -> Objective:
        if not isinstance(other, int | float):
            raise ArgumentError(f"an objective can be divided by a number only, not by {type(other).__name__}")
        check(other != 0, "divisor", other, "a number other than 0")
        return self * (1.0 / other)


@dataclass(frozen=True)
class Regularizer(Objective, abc.ABC):
    """An objective that reads the untransformed image, (n, c, h, w) in [0, 1]; subtract it to have less of what it
    measures.
    """

    @abc.abstractmethod
    def penalty(self, image: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        """How much there is of what is unwanted, per image; at least 0."""

    def __str__(self) -> str:
        return type(self).__name__


@dataclass(frozen=True)
class Constant(Objective):
    """A score that is the same for every image."""

    value: float

    def __post_init__(self) -> None:
        super().__post_init__()
        check(math.isfinite(self.value), "value", self.value, "a finite number")

    def __str__(self) -> str:
        return f"{self.value:g}"


@dataclass(frozen=True)
class Sum(Objective):
    """The sum of several objectives."""

    terms: tuple[Objective, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        check(len(self.terms) > 0, "terms", self.terms, "at least one objective")

    @property
    def parts(self) -> tuple[Objective, ...]:
        return self.terms

    def __str__(self) -> str:
        return " + ".join(str(t) for t in self.terms).replace("+ -", "- ")


@dataclass(frozen=True)
class Scaled(Objective):
    """An objective times a number."""

    objective: Objective
    weight: float

    def __post_init__(self) -> None:
        super().__post_init__()
        check(math.isfinite(self.weight), "weight", self.weight, "a finite number")

    @property
    def parts(self) -> tuple[Objective, ...]:
        return (self.objective,)

    def __str__(self) -> str:
        inner = f"({self.objective})" if isinstance(self.objective, Sum) else str(self.objective)
        return f"-{inner}" if self.weight == -1 else f"{self.weight:g}·{inner}"


@dataclass(frozen=True)
class Product(Objective):
    """The product of several objectives, image by image and view by view."""

    terms: tuple[Objective, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        check(len(self.terms) > 0, "terms", self.terms, "at least one objective")

    @property
    def parts(self) -> tuple[Objective, ...]:
        return self.terms

    def __str__(self) -> str:
        return " · ".join(f"({t})" if isinstance(t, Sum) else str(t) for t in self.terms)


def mean(objectives: Iterable[Objective]) -> Objective:
    """The mean of several objectives, such as one unit in several layers.

    Raises:
        ParameterError: if there are none.
    """
    terms = tuple(objectives)
    if not terms:
        raise ParameterError("the mean of no objectives is not defined; give at least one")
    return Sum(terms) / len(terms)


def _terms(objective: Objective) -> tuple[Objective, ...]:
    return objective.terms if isinstance(objective, Sum) else (objective,)


def _objective(value: object) -> Objective:
    if isinstance(value, Objective):
        return value
    if isinstance(value, int | float):
        return Constant(float(value))
    raise ArgumentError(f"expected an objective or a number, got {type(value).__name__}")


def _is_zero(value: object) -> bool:
    """``sum([a, b])`` starts from the integer 0."""
    return isinstance(value, int) and value == 0
