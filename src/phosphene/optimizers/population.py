"""Population searches within a render: every image of the batch is evolved by a search of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.functional.random import Generators
from phosphene.optimizers.base import Evaluate, Stepper

if TYPE_CHECKING:
    from phosphene.optimizers.search_optimizer import SearchOptimizer


class PopulationStepper(Stepper):
    """A generation per step: candidate k of every image is scored in one pass, then every search learns.

    Codes are the parameters in units of their own root mean square at the start, so that a step size means the same for
    every parameterization. Pixels and Fourier coefficients start at a hundredth of what they reach: a ``sigma0`` of
    10 to 100 spares a search the way up. The parameters are left at what each search recommends.
    """

    def __init__(self, spec: SearchOptimizer, parameters: Sequence[Tensor], noise: Generators | None) -> None:
        self.parameters = list(parameters)
        rows = self._rows()
        rms = rows.square().mean(1, keepdim=True).sqrt()
        self.scale = torch.where(rms > 0, rms, torch.ones_like(rms))
        seeds = _seeds(noise, len(rows))
        origins = rows / self.scale
        self.searches = [
            spec.unbounded().search(rows.shape[1], seed=s, origin=o) for s, o in zip(seeds, origins, strict=True)
        ]

    def step(self, evaluate: Evaluate) -> Float[Tensor, " n"]:
        scores = evaluate()
        asked = [search.ask() for search in self.searches]
        told: list[Tensor] = []
        for k in range(self.searches[0].population):
            self._set(torch.stack([candidates.codes[k] for candidates in asked]))
            told.append(evaluate())
        by_image = torch.stack(told, 1).to("cpu", torch.float64)
        # What is not finite has no score: it is lost, and the others go on.
        by_image = torch.where(by_image.isfinite(), by_image, torch.nan)
        for search, candidates, row in zip(self.searches, asked, by_image, strict=True):
            search.tell(candidates.ids, row)
        self._set(torch.stack([search.recommend() for search in self.searches]))
        return scores

    def _rows(self) -> Float[Tensor, "n dim"]:
        return torch.cat([p.detach().flatten(1) for p in self.parameters], 1).to("cpu", torch.float64)

    @torch.no_grad()
    def _set(self, codes: Float[Tensor, "n dim"]) -> None:
        rows, start = codes * self.scale, 0
        for parameter in self.parameters:
            width = parameter[0].numel()
            parameter.copy_(rows[:, start : start + width].reshape(parameter.shape))
            start += width


def _seeds(noise: Generators | None, n: int) -> list[int]:
    if noise is None:
        return list(range(n))
    return [int(torch.randint(2**62, (), generator=generator)) for generator in noise.cpu]
