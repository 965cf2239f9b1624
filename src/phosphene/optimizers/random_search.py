"""Random search: the baseline that every other search must beat."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._component import check
from phosphene.optimizers.norms import Free, NormControl
from phosphene.optimizers.search import Search
from phosphene.optimizers.search_optimizer import SearchOptimizer
from phosphene.optimizers.states import State, tensor_of


@dataclass(frozen=True)
class RandomSearch(SearchOptimizer):
    """Independent codes from N(origin, sd²); it remembers the best.

    Attributes:
        sd: standard deviation of each number of a code.
        norm: where codes may lie.
    """

    sd: float = 1.0
    norm: NormControl = field(default_factory=Free)

    def __post_init__(self) -> None:
        super().__post_init__()
        check(0 < self.sd < math.inf, "sd", self.sd, "a number above 0")

    def _begin(self, dim: int, seed: int, origin: Tensor | None, dtype: torch.dtype) -> Search:
        mean = torch.zeros(dim, dtype=dtype) if origin is None else torch.atleast_2d(origin).mean(0)
        return _RandomSearch(self, mean, seed=seed)


class _RandomSearch(Search):
    def __init__(self, spec: RandomSearch, mean: Tensor, *, seed: int) -> None:
        super().__init__(spec, len(mean), seed=seed, dtype=mean.dtype)
        self.rules, self.mean = spec, mean

    def _code(self, index: int) -> Float[Tensor, " dim"]:
        return self.rules.norm.project(self.mean + self.rules.sd * self.normal(index))

    def _update(self, codes: Float[Tensor, "n dim"], scores: Float[Tensor, " n"]) -> None:
        pass

    def _state(self) -> State:
        return {"mean": self.mean}

    def _load(self, state: Mapping[str, Any]) -> None:
        self.mean = tensor_of(state, "mean", (self.dim,), self.dtype)

    def recommend(self) -> Float[Tensor, " dim"]:
        """The best that was observed, as there is nothing else; the origin before that."""
        best = self.best_observed
        return (self.rules.norm.project(self.mean) if best is None else best.code).clone()
