"""What an optimizer climbs: parameters to images to views to activations to scores, and back as gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from phosphene.objectives import Scene, Scorer
from phosphene.parameterizations import Canvas
from phosphene.transforms.base import ViewFunction

Forward = Callable[[Tensor], Mapping[str, Tensor]]


class Problem:
    """A batch of images on their way up.

    Attributes:
        canvas: the images' parameters.
        parameters: the same as a list; each has one row per image.
        n_images: number of images.
    """

    def __init__(self, canvas: Canvas, forward: Forward, scorer: Scorer) -> None:
        self.canvas, self.forward, self.scorer = canvas, forward, scorer
        self.parameters = list(canvas.parameters())
        self.n_images = self.parameters[0].shape[0]

    def evaluate(self, look: ViewFunction) -> Float[Tensor, " n"]:
        """Scores of all images through one look; their gradient is left in the parameters' ``.grad``."""
        scores = self._score(self.canvas(), look)
        total = scores.sum()
        wanted = total.requires_grad
        gradients = (
            torch.autograd.grad(total, self.parameters, allow_unused=True) if wanted else [None] * len(self.parameters)
        )
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.grad = torch.zeros_like(parameter) if gradient is None else gradient
        return scores.detach()

    @torch.no_grad()
    def score(self, look: ViewFunction) -> Float[Tensor, " n"]:
        """Scores of all images through one look, without gradients."""
        return self._score(self.canvas(), look)

    @torch.no_grad()
    def image(self) -> Float[Tensor, "n c h w"]:
        """The images as they are now, in [0, 1]."""
        return self.canvas()

    def _score(self, image: Tensor, look: ViewFunction) -> Tensor:
        views = look(image)
        return self.scorer(Scene(image, self.forward(views), views.shape[0] // image.shape[0]))

    def finite(self) -> Bool[Tensor, " n"]:
        """Which images' gradients are finite."""
        return _finite([p.grad for p in self.parameters if p.grad is not None])

    def finite_parameters(self) -> Bool[Tensor, " n"]:
        """Which images' parameters are finite."""
        return _finite([p.detach() for p in self.parameters])

    def dead(self) -> Bool[Tensor, " n"]:
        """Which images' gradients are exactly zero."""
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        return torch.stack([(g.flatten(1) == 0).all(1) for g in gradients]).all(0)


def _finite(tensors: Sequence[Tensor]) -> Bool[Tensor, " n"]:
    # One pass over memory: a sum is finite unless an entry is not (or the sum overflows, which is as bad).
    return torch.stack([torch.isfinite(t.flatten(1).sum(1)) for t in tensors]).all(0)
