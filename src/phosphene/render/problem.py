"""What an optimizer climbs: parameters to images to views to activations to scores, and back as gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from phosphene.models.overrides import Override, overriding
from phosphene.objectives import Scene, Scorer
from phosphene.parameterizations import Canvas
from phosphene.transforms.base import ViewFunction

Forward = Callable[[Tensor], Mapping[str, Tensor]]
#: Scores (n,) of a problem at a step through a look, and the gradient of their sum in each parameter, if there is any.
Slope = Callable[["Problem", "Look"], tuple[Tensor, Sequence[Tensor | None] | None]]


@dataclass(frozen=True)
class Look:
    """One step's way of looking: the same for every evaluation of a line search.

    Attributes:
        view: images to views.
        step: number of the step within its stage, from 0; -1 where no step is taken.
    """

    view: ViewFunction
    step: int = -1


def score(
    image: Tensor, look: Look, forward: Forward, scorer: Scorer, parameters: tuple[Tensor, ...] = ()
) -> Float[Tensor, " n"]:
    """Scores of images through one look."""
    views = look.view(image)

    @torch.no_grad()
    def see(images: Tensor) -> Mapping[str, Tensor]:
        return forward(look.view(images))

    n_views = views.shape[0] // image.shape[0]
    return scorer(Scene(image, forward(views), n_views, look.step, parameters, see))


def _laid_out_as(parameter: Tensor, gradient: Tensor) -> Tensor:
    """The gradient in the parameter's order in memory: a network's comes channels last, and PyTorch's fused optimizers
    read both side by side without a look at the strides.
    """
    if gradient.stride() == parameter.stride():
        return gradient
    return torch.empty_like(parameter).copy_(gradient)


def direct(problem: Problem, look: Look) -> tuple[Tensor, Sequence[Tensor | None]]:
    """The gradient straight to the parameters, in one backward pass."""
    scores = problem.score_of(problem.canvas(), look, problem.own_parameters)
    total = scores.sum()
    if not total.requires_grad:
        return scores, [None] * len(problem.parameters)
    return scores, torch.autograd.grad(total, problem.parameters, allow_unused=True)


@torch.no_grad()
def no_slope(problem: Problem, look: Look) -> tuple[Tensor, None]:
    """Scores alone, for optimizers that need no gradient: nothing is asked for one."""
    return problem.score_of(problem.canvas(), look, problem.own_parameters), None


class Problem:
    """A batch of images on their way up.

    Attributes:
        canvas: the images' parameters.
        parameters: the same as a list; each has one row per image, or is shared by several images.
        shared: for each parameter, whether it is shared.
        n_images: number of images.
    """

    def __init__(
        self,
        canvas: Canvas,
        forward: Forward,
        scorer: Scorer,
        *,
        slope: Slope = direct,
        overrides: Sequence[Override] = (),
    ) -> None:
        self.canvas, self.forward, self.scorer = canvas, forward, scorer
        self.slope, self.overrides = slope, tuple(overrides)
        named = dict(canvas.named_parameters())
        self.parameters = list(named.values())
        self.shared = [name in canvas.shared for name in named]
        self.n_images = next(p for p, s in zip(self.parameters, self.shared, strict=True) if not s).shape[0]

    @property
    def own_parameters(self) -> tuple[Tensor, ...]:
        """The parameters that have one row per image."""
        return tuple(p for p, shared in zip(self.parameters, self.shared, strict=True) if not shared)

    def evaluate(self, look: Look) -> Float[Tensor, " n"]:
        """Scores of all images through one look; their gradient is left in the parameters' ``.grad``."""
        for parameter in self.parameters:
            parameter.grad = None  # a large image's last gradient is not held beside the new one
        scores, gradients = self.slope(self, look)
        if gradients is None:
            return scores
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.grad = torch.zeros_like(parameter) if gradient is None else _laid_out_as(parameter, gradient)
        return scores.detach()

    @torch.no_grad()
    def image(self) -> Float[Tensor, "n c h w"]:
        """The images as they are now."""
        return self.canvas().detach()

    def score_of(self, image: Tensor, look: Look, parameters: tuple[Tensor, ...] = ()) -> Float[Tensor, " n"]:
        """Scores of images through one look."""
        forward = self._overridden(look.step) if self.overrides else self.forward
        return score(image, look, forward, self.scorer, parameters)

    def _overridden(self, step: int) -> Forward:
        """The network's pass with other gradients; nothing but the pass, as images and losses are clamped too."""

        def forward(views: Tensor) -> Mapping[str, Tensor]:
            with overriding(*self.overrides, step=step):
                return self.forward(views)

        return forward

    def finite(self) -> Bool[Tensor, " n"]:
        """Which images' gradients are finite; all, where there are none."""
        if all(p.grad is None for p in self.parameters):
            return torch.ones(self.n_images, dtype=torch.bool, device=self.parameters[0].device)
        return self._finite([p.grad for p in self.parameters])

    def finite_parameters(self) -> Bool[Tensor, " n"]:
        """Which images' parameters are finite."""
        return self._finite([p.detach() for p in self.parameters])

    def dead(self) -> Bool[Tensor, " n"]:
        """Which images' gradients are exactly zero."""
        return self._rows([p.grad for p in self.parameters], lambda rows: (rows == 0).all(1))

    def _finite(self, tensors: Sequence[Tensor | None]) -> Bool[Tensor, " n"]:
        # One pass over memory: a sum is finite unless an entry is not (or the sum overflows, which is as bad).
        return self._rows(tensors, lambda rows: torch.isfinite(rows.sum(1)))

    def _rows(
        self, tensors: Sequence[Tensor | None], holds: Callable[[Tensor], Bool[Tensor, " k"]]
    ) -> Bool[Tensor, " n"]:
        """Which images something holds for: in all rows of their own, and in all of what they share."""
        found = [
            holds(t.flatten()[None]).expand(self.n_images) if shared else holds(t.flatten(1))
            for t, shared in zip(tensors, self.shared, strict=True)
            if t is not None
        ]
        return torch.stack(found).all(0)
