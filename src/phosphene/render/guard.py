"""Images that cannot go on: a score or gradient that is not finite stops its image, a gradient of zero at the start
restarts it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from phosphene.functional.random import Generators
from phosphene.optimizers import Stepper
from phosphene.projections import Projection
from phosphene.render.problem import Look, Problem

#: A dead start is tried again this often, each time from noise so many times stronger.
MAX_RESTARTS = 5
_STRONGER = 4.0


class Guard:
    """Takes the steps of a stage, and undoes them for images whose score, gradient or parameters are not finite; those
    stand still from then on.

    Nothing here waits for the device: which images stopped, and when, is read after the last step.

    Args:
        problem: what is climbed.
        stepper: takes the steps.
        projections: what is done to the images after a step.
        before: the guard of the stage before.
        obeying: whether every image that is scored must be one that the projections allow, as those of a population
            are, and not only the image after the step.

    Attributes:
        stopped_at: the step (counted from 1) at which each image stopped, 0 for those that go on.
        begun: the step that was begun last; the parameters before it are kept.
    """

    def __init__(
        self,
        problem: Problem,
        stepper: Stepper,
        projections: Sequence[Projection] = (),
        *,
        before: Guard | None = None,
        obeying: bool = False,
    ) -> None:
        self.problem, self.stepper, self.projections = problem, stepper, tuple(projections)
        self.obeying = obeying
        device = problem.parameters[0].device
        if before is None:
            self.stopped_at = torch.zeros(problem.n_images, dtype=torch.long, device=device)
            self.alive = torch.ones(problem.n_images, dtype=torch.bool, device=device)
        else:
            self.stopped_at, self.alive = before.stopped_at, before.alive
        self.begun = 0
        self._kept = [p.detach().clone() for p in problem.parameters]

    def step(self, number: int, look: Look) -> Tensor:
        """Take step ``number`` of the run through ``look``; returns the scores (n,) from which it started."""
        started: list[Tensor] = []

        def evaluate() -> Tensor:
            if self.obeying:
                self._project(look.step)
            scores = self.problem.evaluate(look)
            # Only where the step starts: a line search may look at a point that is not finite, and turn back.
            if not started:
                started.append(torch.isfinite(scores) & self.problem.finite())
            return scores

        for kept, parameter in zip(self._kept, self.problem.parameters, strict=True):
            kept.copy_(parameter.detach())
        self.begun = number
        scores = self.stepper.step(evaluate)
        self._project(look.step)
        self._settle(number, started[0] & self.problem.finite_parameters())
        return scores

    @torch.no_grad()
    def _project(self, step: int) -> None:
        self.problem.canvas.settle()
        if self.projections:
            image = self.problem.image()
            for projection in self.projections:
                image = projection.project(image, step)
            self.problem.canvas.assign(image)

    def _settle(self, number: int, fine: Tensor) -> None:
        self.stopped_at.masked_fill_(self.alive & ~fine, number)
        self.alive.logical_and_(fine)
        self._restore(self.alive)

    def undo(self, step: int) -> None:
        """Take back whatever was begun after ``step``."""
        if self.begun > step:
            self._restore(torch.zeros_like(self.alive))

    @torch.no_grad()
    def _restore(self, keep: Tensor) -> None:
        for kept, parameter, shared in zip(self._kept, self.problem.parameters, self.problem.shared, strict=True):
            mask = keep.any() if shared else keep.view(-1, *[1] * (parameter.ndim - 1))
            torch.where(mask, parameter, kept, out=parameter)


@dataclass(frozen=True)
class Start:
    """How an image began.

    Attributes:
        restarts: how often it was started again, from ever stronger noise, because its gradient was exactly zero.
        dead: whether its gradient is zero still.
    """

    restarts: int
    dead: bool


def revive(problem: Problem, look: Look, noise: Generators | None) -> list[Start]:
    """Restart images whose gradient is exactly zero (dead ReLUs) from stronger noise, at most :data:`MAX_RESTARTS`
    times; without ``noise`` they stay as they are.
    """
    restarts = torch.zeros(problem.n_images, dtype=torch.long)
    problem.evaluate(look)
    dead = problem.dead().cpu()
    for attempt in range(1, MAX_RESTARTS + 1):
        if noise is None or not bool(dead.any()):
            break
        problem.canvas.disturb(dead, noise, _STRONGER**attempt)
        restarts += dead
        problem.evaluate(look)
        dead = dead & problem.dead().cpu()
    return [Start(int(n), bool(d)) for n, d in zip(restarts, dead, strict=True)]
