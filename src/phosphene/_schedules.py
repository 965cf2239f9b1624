"""Factors that change over the steps: of a learning rate, of an objective's weight, of a noise."""

from __future__ import annotations

import abc
import math
from dataclasses import dataclass

from phosphene._component import Component, check


@dataclass(frozen=True)
class Schedule(Component, abc.ABC):
    """A factor that changes over the steps."""

    @abc.abstractmethod
    def factor(self, step: int) -> float:
        """The factor at ``step``, counted from 0."""


@dataclass(frozen=True)
class Constant(Schedule):
    """Always 1."""

    def factor(self, step: int) -> float:
        return 1.0


@dataclass(frozen=True)
class Cosine(Schedule):
    """Half a cosine from 1 to ``final``.

    Attributes:
        steps: when ``final`` is reached; it stays there.
        final: the last factor.
    """

    steps: int
    final: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self.steps > 0, "steps", self.steps, "a whole number above 0")
        check(0 <= self.final <= 1, "final", self.final, "a factor in [0, 1]")

    def factor(self, step: int) -> float:
        return self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * min(step / self.steps, 1.0)))


@dataclass(frozen=True)
class Linear(Schedule):
    """A straight line from ``initial`` to ``final``; warm-up if it rises.

    Attributes:
        steps: when ``final`` is reached; it stays there.
        initial: the first factor.
        final: the last factor.
    """

    steps: int
    initial: float = 1.0
    final: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self.steps > 0, "steps", self.steps, "a whole number above 0")
        check(
            0 <= self.initial < math.inf and 0 <= self.final < math.inf,
            "initial, final",
            (self.initial, self.final),
            "factors from 0",
        )

    def factor(self, step: int) -> float:
        return self.initial + (self.final - self.initial) * min(step / self.steps, 1.0)


@dataclass(frozen=True)
class Exponential(Schedule):
    """``decay ** step``.

    Attributes:
        decay: factor from one step to the next, above 0.
    """

    decay: float

    def __post_init__(self) -> None:
        super().__post_init__()
        check(0 < self.decay <= 2, "decay", self.decay, "a factor above 0, at most 2")

    def factor(self, step: int) -> float:
        return self.decay**step


@dataclass(frozen=True)
class Steps(Schedule):
    """A factor that drops by ``decay`` every ``every`` steps.

    Attributes:
        every: steps between drops.
        decay: factor of each drop.
        ahead: how many steps before every ``every``-th the drops come.
    """

    every: int
    decay: float = 0.1
    ahead: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self.every > 0, "every", self.every, "a whole number above 0")
        check(0 < self.decay <= 1, "decay", self.decay, "a factor above 0, at most 1")
        check(0 <= self.ahead < self.every, "ahead", self.ahead, "a whole number from 0, below every")

    def factor(self, step: int) -> float:
        return self.decay ** ((step + self.ahead) // self.every)


@dataclass(frozen=True)
class After(Schedule):
    """0 at first, 1 from a step on (``only_after`` of Lucid's notebooks).

    Attributes:
        start: the first step, counted from 0, at which the factor is 1.
    """

    start: int

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self.start >= 0, "start", self.start, "a whole number from 0")

    def factor(self, step: int) -> float:
        return float(step >= self.start)
