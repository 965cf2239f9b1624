"""What a population optimizer is: a frozen description that starts searches."""

from __future__ import annotations

import abc
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from phosphene._component import check
from phosphene.functional.random import Generators
from phosphene.optimizers.base import Optimizer, Stepper
from phosphene.optimizers.population import PopulationStepper
from phosphene.optimizers.search import MAX_POPULATION, Search

#: The far end of sensible codes.
_MAX_DIM = 10**8


@dataclass(frozen=True)
class SearchOptimizer(Optimizer, abc.ABC):
    """An optimizer that asks for scores only.

    Attributes:
        population: candidates of a generation; None takes one that fits the dimension.
        share: share of a generation's scores, in (0, 1], with which the search goes on; the candidates that are missing
            then count as lost.
    """

    population: int | None = None
    share: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        fits = self.population is None or 1 < self.population <= MAX_POPULATION
        check(fits, "population", self.population, f"a whole number from 2 to {MAX_POPULATION}, or None")
        check(0 < self.share <= 1, "share", self.share, "a number in (0, 1]")

    @property
    def needs_gradient(self) -> bool:
        return False

    def population_for(self, dim: int) -> int:
        """Candidates of a generation for codes of ``dim`` numbers: 4 + ⌊3 · log2(dim)⌋ unless given (40 for 4096)."""
        return self.population or 4 + int(3 * math.log2(max(2, dim)))

    def unbounded(self) -> SearchOptimizer:
        """The same without a bound of its own choosing on codes, for parameters whose units are not those of codes."""
        return self

    def for_generations(self, n: int) -> SearchOptimizer:
        """The same for a run of ``n`` generations, for what follows a schedule and was not told its length."""
        return self

    def search(
        self, dim: int, *, seed: int = 0, origin: Tensor | None = None, dtype: torch.dtype = torch.float64
    ) -> Search:
        """A search for codes of ``dim`` numbers.

        Args:
            dim: length of a code.
            seed: seed of all draws.
            origin: a code (dim,) or several (m, dim) to start from; by default what the optimizer starts from.
            dtype: float64, or float32 for less memory.

        Raises:
            ParameterError: an argument is out of range.
        """
        check(0 < dim <= _MAX_DIM, "dim", dim, f"a whole number from 1 to {_MAX_DIM}")
        check(dtype in (torch.float32, torch.float64), "dtype", dtype, "torch.float64 or torch.float32")
        if origin is not None:
            origin = origin.detach().to("cpu", dtype)
            fits = origin.ndim in (1, 2) and origin.shape[-1] == dim and origin.numel() > 0
            check(fits, "origin", tuple(origin.shape), f"a code of {dim} numbers, or several of these")
            check(bool(origin.isfinite().all()), "origin", "a code that is not finite", "finite numbers")
        return self._begin(dim, seed, origin, dtype)

    @abc.abstractmethod
    def _begin(self, dim: int, seed: int, origin: Tensor | None, dtype: torch.dtype) -> Search:
        """The search itself; its arguments have been checked."""

    def start(self, parameters: Sequence[Tensor], noise: Generators | None = None) -> Stepper:
        """A stepper that evolves every image by a search of its own, for parameters (n, …)."""
        return PopulationStepper(self, parameters, noise)
