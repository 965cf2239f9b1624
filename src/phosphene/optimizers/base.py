"""What an optimizer is: a frozen description, and a stepper that owns how the score is asked for."""

from __future__ import annotations

import abc
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._component import Component, check

#: Scores of all images at the parameters' present values (n,); leaves the gradient of the *score* in each parameter's
#: ``.grad``.
Evaluate = Callable[[], Float[Tensor, " n"]]


class Stepper(abc.ABC):
    """The optimizer of one render, with its state; parameters have one row per image, and no row influences another."""

    @abc.abstractmethod
    def step(self, evaluate: Evaluate) -> Float[Tensor, " n"]:
        """Climb one step; returns the scores from which the step started."""


@dataclass(frozen=True)
class Optimizer(Component, abc.ABC):
    """Base of every optimizer; all of them climb: bigger scores are better."""

    @abc.abstractmethod
    def start(self, parameters: Sequence[Tensor]) -> Stepper:
        """A stepper for parameters (n, …)."""


@dataclass(frozen=True)
class Schedule(Component, abc.ABC):
    """A factor of the learning rate that changes over the steps."""

    @abc.abstractmethod
    def factor(self, step: int) -> float:
        """The factor at ``step``, counted from 0."""


@dataclass(frozen=True)
class Constant(Schedule):
    """The learning rate as it is."""

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
    """

    every: int
    decay: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self.every > 0, "every", self.every, "a whole number above 0")
        check(0 < self.decay <= 1, "decay", self.decay, "a factor above 0, at most 1")

    def factor(self, step: int) -> float:
        return self.decay ** (step // self.every)


@torch.no_grad()
def clip_by_norm(parameters: Sequence[Tensor], limit: float) -> None:
    """Scale each image's gradient so that its L2 norm over all parameters is at most ``limit``."""
    norms = image_norm([p.grad for p in parameters if p.grad is not None])
    factor = (limit / norms.clamp(min=1e-12)).clamp(max=1.0)
    for parameter in parameters:
        if parameter.grad is not None:
            parameter.grad.mul_(per_image(factor, parameter))


def image_norm(tensors: Sequence[Tensor]) -> Float[Tensor, " n"]:
    """L2 norm of each image's rows over several tensors."""
    return torch.stack([t.flatten(1).square().sum(1) for t in tensors]).sum(0).sqrt()


def per_image(values: Float[Tensor, " n"], like: Tensor) -> Tensor:
    """One value per image, shaped to broadcast over ``like`` (n, …)."""
    return values.view(-1, *[1] * (like.ndim - 1))
