"""An adapter to pycma, the reference implementation of CMA-ES by its author's group."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._component import check
from phosphene.errors import MissingExtraError
from phosphene.functional.random import stream_seed
from phosphene.optimizers.cma_shapes import check_dense
from phosphene.optimizers.ranking import MIN_SCORED, best_first
from phosphene.optimizers.search import MAX_POPULATION, Search
from phosphene.optimizers.search_optimizer import SearchOptimizer
from phosphene.optimizers.states import State, tensor_of


@dataclass(frozen=True)
class PyCMA(SearchOptimizer):
    """pycma's CMA-ES, by the extra ``cma``: to compare with, and for what it has learned in twenty years.

    It is told ranks; a candidate that was lost counts as a middling one, which is pycma's own rule. NumPy's global
    random numbers are left alone, and none of pycma's reasons to stop is asked: who scores decides. The step size is
    controlled by its path (CSA) always: pycma by itself takes two-point adaptation (TPA) above 299 numbers in the
    diagonal form, and then needs the first two candidates of each generation together. The mean may go anywhere.

    A saved state holds what was told, which is small; loading it goes through all generations again. With the full
    covariance of 4,096 numbers that takes minutes, as the search does (3 s for a generation, 1 GB of memory).

    Attributes:
        diagonal: learn a variance for each number of the code instead of the whole covariance.
        sigma0: standard deviation of the first generation's codes.
    """

    cites: ClassVar[tuple[str, ...]] = ("hansen2019pycma",)
    diagonal: bool = False
    sigma0: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check(0 < self.sigma0 < math.inf, "sigma0", self.sigma0, "a number above 0")

    def population_for(self, dim: int) -> int:
        """Candidates of a generation unless given: 4 + ⌊3 ln(dim)⌋, or of the diagonal form 4 + ⌊3 log2(dim)⌋."""
        textbook = 4 + int(3 * math.log(max(2, dim)))
        return self.population or (super().population_for(dim) if self.diagonal else textbook)

    def _begin(self, dim: int, seed: int, origin: Tensor | None, dtype: torch.dtype) -> Search:
        check(dim > 1, "dim", dim, "2 or more, as pycma has no search in one dimension")
        if not self.diagonal:
            check_dense(dim, "diagonal=True, or CMAES(cov='iso')")
        mean = torch.zeros(dim, dtype=dtype) if origin is None else torch.atleast_2d(origin).mean(0)
        return _PyCMA(self, mean, seed=seed)


def _library() -> Any:
    try:
        import cma
    except ImportError:
        raise MissingExtraError("PyCMA", "cma") from None
    return cma


class _PyCMA(Search):
    def __init__(self, spec: PyCMA, origin: Tensor, *, seed: int) -> None:
        super().__init__(spec, len(origin), seed=seed, dtype=origin.dtype)
        self.rules, self.origin = spec, origin
        self._restart()

    def _restart(self) -> None:
        """pycma's search from its beginning."""
        cma = _library()
        random = np.random.RandomState(stream_seed(self.seed, "pycma") % 2**32)
        options = {
            "popsize": self.population,
            "randn": random.randn,
            "seed": math.nan,
            "CMA_diagonal": self.rules.diagonal,
            "AdaptSigma": cma.sigma_adaptation.CMAAdaptSigmaCSA,
            "verbose": -9,
            "verb_log": 0,
            "signals_filename": None,
        }
        #: Values that pycma was told of each generation, smaller is better; NaN where all was lost.
        self.told: list[Tensor] = []
        self.drawn: list[Any] = []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.inner = cma.CMAEvolutionStrategy(self.origin.double().tolist(), self.rules.sigma0, options)

    def _draw_up_to(self, n: int) -> None:
        """Let pycma draw the generation in one go, and what goes beyond it one by one: always in the same order."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if not self.drawn:
                self.drawn += self.inner.ask(self.population)
            while len(self.drawn) < n:
                self.drawn += self.inner.ask(1)

    def _code(self, index: int) -> Float[Tensor, " dim"]:
        self._draw_up_to(index + 1)
        return torch.tensor(self.drawn[index], dtype=self.dtype)

    def _update(self, codes: Float[Tensor, "n dim"], scores: Float[Tensor, " n"]) -> None:
        n = max(len(codes), self.population)
        order = best_first(scores)
        values = torch.full((n,), math.nan if len(order) < MIN_SCORED else (len(order) - 1) / 2, dtype=torch.float64)
        if len(order) >= MIN_SCORED:
            values[order] = torch.arange(len(order), dtype=torch.float64)
        self._learn(values)

    def _learn(self, values: Float[Tensor, " n"]) -> None:
        self._draw_up_to(len(values))
        self.told.append(values)
        if bool(values.isfinite().all()):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self.inner.tell(self.drawn, values.tolist())
        self.drawn = []

    def _state(self) -> State:
        sizes = [len(values) for values in self.told]
        told = torch.cat(self.told) if self.told else torch.zeros(0, dtype=torch.float64)
        return {"origin": self.origin, "sizes": sizes, "told": told}

    def _load(self, state: Mapping[str, Any]) -> None:
        sizes, told = list(state["sizes"]), state["told"]
        fits = all(type(n) is int and self.population <= n <= MAX_POPULATION for n in sizes)
        if not fits or sum(sizes) != len(told) or bool(told.isinf().any()):
            raise ValueError("told does not fit sizes")
        self.origin = tensor_of(state, "origin", (self.dim,), self.dtype)
        self._restart()
        for values in torch.split(told.double(), sizes):
            self._learn(values)

    def recommend(self) -> Float[Tensor, " dim"]:
        """The distribution's mean."""
        return torch.tensor(self.inner.mean, dtype=self.dtype)

    def figures(self) -> dict[str, float]:
        """The step size, the mean's norm, and the angle in degrees that a typical step has, seen from zero."""
        norm, sigma = float(np.linalg.norm(self.inner.mean)), float(self.inner.sigma)
        reach = float(np.linalg.norm(self.inner.stds))
        return {"sigma": sigma, "norm": norm, "angular_step_deg": math.degrees(math.atan2(reach, norm))}
