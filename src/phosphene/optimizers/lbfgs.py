"""L-BFGS, every image on its own: all images of a batch share the passes, none shares a step length or a memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._component import check
from phosphene.functional.random import Generators
from phosphene.optimizers.base import Evaluate, Optimizer, Stepper

#: Armijo's condition: the share of the promised gain that a step must bring (Nocedal and Wright, section 3.1).
_SUFFICIENT_GAIN = 1e-4
#: Curvature below this share of its Cauchy-Schwarz bound is left out of the memory.
_CURVATURE_FLOOR = 1e-10


@dataclass(frozen=True)
class LBFGS(Optimizer):
    """Limited-memory BFGS ascent with a backtracking line search (Nocedal and Wright, algorithm 7.4).

    The engine freezes the transforms within a step, so that the line search compares like with like; between steps the
    views change, and curvature is measured on the views of one step.

    Attributes:
        lr: first step length that the line search tries.
        history: pairs of steps and gradient differences kept per image.
        max_evaluations: evaluations of the score per step, at least 2.
        first_step: length of the first step, before any curvature is known, in units of the parameters' L2 norm.
    """

    lr: float = 1.0
    history: int = 10
    max_evaluations: int = 8
    first_step: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        check(0 < self.lr < math.inf, "lr", self.lr, "a number above 0")
        check(0 < self.history <= 1000, "history", self.history, "a whole number from 1 to 1000")
        check(2 <= self.max_evaluations <= 100, "max_evaluations", self.max_evaluations, "a whole number from 2 to 100")
        check(0 < self.first_step < math.inf, "first_step", self.first_step, "a number above 0")

    @property
    def searches_lines(self) -> bool:
        return True

    def start(self, parameters: Sequence[Tensor], noise: Generators | None = None) -> Stepper:
        """A stepper for parameters (n, …)."""
        return LBFGSStepper(self, parameters)


class LBFGSStepper(Stepper):
    """Rows of a matrix (n, d) are the images' parameters."""

    def __init__(self, spec: LBFGS, parameters: Sequence[Tensor]) -> None:
        self.spec, self.parameters = spec, parameters
        self.pairs: list[tuple[Tensor, Tensor, Tensor]] = []
        # First guess of each row's inverse curvature, from its last pair.
        self.scale = torch.ones(parameters[0].shape[0], 1, device=parameters[0].device, dtype=parameters[0].dtype)

    def step(self, evaluate: Evaluate) -> Float[Tensor, " n"]:
        start = evaluate()
        point, gradient = self._flat(), self._flat_gradient()
        direction = self._direction(gradient)
        slope = (direction * gradient).sum(1)
        # A row whose memory points downhill falls back on the gradient.
        direction = torch.where((slope > 0)[:, None], direction, self._first(gradient))
        slope = (direction * gradient).sum(1)
        length = torch.full_like(start, self.spec.lr)
        accepted = torch.zeros_like(start, dtype=torch.bool)
        best_gradient = gradient
        for _ in range(self.spec.max_evaluations - 1):
            self._move(point + length[:, None] * direction)
            scores = evaluate()
            enough = start + _SUFFICIENT_GAIN * length * slope
            fits = torch.isfinite(scores) & (scores >= enough)
            best_gradient = torch.where((fits & ~accepted)[:, None], self._flat_gradient(), best_gradient)
            accepted = accepted | fits
            if bool(accepted.all()):
                break
            length = torch.where(accepted, length, length * 0.5)
        # A row that found no gain stays where it was.
        length = torch.where(accepted, length, torch.zeros_like(length))
        moved = length[:, None] * direction
        self._move(point + moved)
        self._remember(moved, gradient - best_gradient, accepted)
        return start

    def _direction(self, gradient: Tensor) -> Tensor:
        """The two-loop recursion: the inverse Hessian's estimate times the gradient."""
        if not self.pairs:
            return self._first(gradient)
        q, alphas = gradient, []
        for s, y, rho in reversed(self.pairs):
            alphas.append(rho * (s * q).sum(1, keepdim=True))
            q = q - alphas[-1] * y
        q = q * self.scale
        for (s, y, rho), alpha in zip(self.pairs, reversed(alphas), strict=True):
            q = q + s * (alpha - rho * (y * q).sum(1, keepdim=True))
        return q

    def _first(self, gradient: Tensor) -> Tensor:
        reach = self.spec.first_step * torch.linalg.vector_norm(self._flat(), dim=1, keepdim=True).clamp(min=1e-3)
        return gradient * (reach / torch.linalg.vector_norm(gradient, dim=1, keepdim=True).clamp(min=1e-30))

    def _remember(self, s: Tensor, y: Tensor, accepted: Tensor) -> None:
        curvature = (s * y).sum(1, keepdim=True)
        bound = torch.linalg.vector_norm(s, dim=1, keepdim=True) * torch.linalg.vector_norm(y, dim=1, keepdim=True)
        useful = (curvature > _CURVATURE_FLOOR * bound) & accepted[:, None] & torch.isfinite(curvature)
        # A pair that is of no use to a row becomes zero there, which leaves the recursion as it is.
        rho = torch.where(useful, 1 / curvature.clamp(min=1e-30), torch.zeros_like(curvature))
        # A row that got nowhere starts its next direction from another scale, or it would try the same step again.
        guess = curvature / (y * y).sum(1, keepdim=True).clamp(min=1e-30)
        self.scale = torch.where(useful, guess, torch.ones_like(guess))
        self.pairs.append(
            (torch.where(useful, s, torch.zeros_like(s)), torch.where(useful, y, torch.zeros_like(y)), rho)
        )
        del self.pairs[: -self.spec.history]

    def _flat(self) -> Tensor:
        return torch.cat([p.detach().flatten(1) for p in self.parameters], 1)

    def _flat_gradient(self) -> Tensor:
        return torch.cat(
            [torch.zeros_like(p).flatten(1) if p.grad is None else p.grad.flatten(1) for p in self.parameters], 1
        )

    @torch.no_grad()
    def _move(self, flat: Tensor) -> None:
        offset = 0
        for parameter in self.parameters:
            size = parameter[0].numel()
            parameter.copy_(flat[:, offset : offset + size].view_as(parameter))
            offset += size
