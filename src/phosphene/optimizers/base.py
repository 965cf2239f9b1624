"""What an optimizer is: a frozen description, and a stepper that owns how the score is asked for."""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._component import Component
from phosphene.functional.random import Generators

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

    @property
    def searches_lines(self) -> bool:
        """Whether it compares scores along the gradient, which must then be the score's own."""
        return False

    @property
    def needs_gradient(self) -> bool:
        """Whether ``evaluate`` must leave gradients; what needs none is never given any."""
        return True

    @abc.abstractmethod
    def start(self, parameters: Sequence[Tensor], noise: Generators | None = None) -> Stepper:
        """A stepper for parameters (n, …).

        Args:
            parameters: what it moves.
            noise: each image's random stream, for optimizers that draw.
        """


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
