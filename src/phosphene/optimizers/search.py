"""Search without gradients: codes are asked for, scores are told, in any order, with gaps and repeats.

What a candidate's code is depends on the state, the seed and the candidate's number alone, never on how many were asked
for at once; so a search that is saved and continued gives the same codes, bit for bit.
"""

from __future__ import annotations

import abc
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._component import check
from phosphene.errors import ParameterError
from phosphene.functional.random import stream_seed
from phosphene.optimizers.candidates import Candidates, Observed, Told, averaged, candidate_id, index_of
from phosphene.optimizers.states import MAX_GENERATION, State, check_same_spec, copied, observed_of, scores_of, whole_of

if TYPE_CHECKING:
    from phosphene.optimizers.search_optimizer import SearchOptimizer

#: The far end of sensible populations.
MAX_POPULATION = 10**5


class Search(abc.ABC):
    """A search under way. Bigger scores are better.

    Attributes:
        spec: how it searches.
        dim: length of a code.
        seed: seed of all its draws.
        generation: number of the present generation, from 0.
        population: candidates of a generation.
    """

    def __init__(self, spec: SearchOptimizer, dim: int, *, seed: int, dtype: torch.dtype) -> None:
        self.spec, self.dim, self.seed, self.dtype = spec, dim, seed, dtype
        self.population = spec.population_for(dim)
        self.generation = 0
        self._best: Observed | None = None
        self._codes: list[Tensor] = []
        self._scores: dict[int, tuple[float, float]] = {}

    @property
    def best_observed(self) -> Observed | None:
        """The candidate with the highest score that was told, a copy. Under noise it is the luckiest rather than the
        best, and its score too high (the winner's curse): trust :meth:`recommend`.
        """
        best = self._best
        return None if best is None else replace(best, code=best.code.clone())

    @abc.abstractmethod
    def _code(self, index: int) -> Float[Tensor, " dim"]:
        """The code of a candidate of the present generation, in the search's dtype: a function of state, seed and
        index alone.
        """

    @abc.abstractmethod
    def _update(self, codes: Float[Tensor, "n dim"], scores: Float[Tensor, " n"]) -> None:
        """Learn from a generation, in the order of its candidates; NaN where there is no score, which may be
        everywhere.
        """

    @abc.abstractmethod
    def _state(self) -> State:
        """What :meth:`_update` changes."""

    @abc.abstractmethod
    def _load(self, state: Mapping[str, Any]) -> None:
        """Take over what :meth:`_state` gave."""

    @abc.abstractmethod
    def recommend(self) -> Float[Tensor, " dim"]:
        """The code to trust, under noise above all: the mean of the distribution where there is one."""

    def figures(self) -> dict[str, float]:
        """Numbers that tell how the search goes on, such as its step size."""
        return {}

    def normal(self, index: int, *purpose: str) -> Float[Tensor, " dim"]:
        """Standard normal draws of one candidate of the present generation."""
        seed = stream_seed(self.seed, "search", str(self.generation), str(index), *purpose)
        return torch.randn(self.dim, generator=torch.Generator().manual_seed(seed), dtype=self.dtype)

    def ask(self, n: int | None = None) -> Candidates:
        """Candidates of the present generation.

        Args:
            n: so many that nobody asked for yet; by default all of the generation that have no score yet, the same ones
                again if they were asked for before.

        Raises:
            ParameterError: ``n`` is out of range.
        """
        first = len(self._codes)
        if n is not None:
            check(0 < n <= MAX_POPULATION - first, "n", n, "a number of candidates above 0")
        self._codes += [self._code(i) for i in range(first, self.population if n is None else first + n)]
        indices = range(first, len(self._codes)) if n is not None else range(len(self._codes))
        waiting = [i for i in indices if i not in self._scores]
        codes = torch.stack([self._codes[i] for i in waiting])
        return Candidates(tuple(candidate_id(self.generation, i) for i in waiting), codes)

    def tell(
        self, ids: Sequence[str], scores: Iterable[float] | Tensor, n_reps: Iterable[float] | Tensor | None = None
    ) -> Told:
        """Say how candidates scored: any of them, in any order, each in one call.

        All trials of one candidate belong in one call, as rows of their own or as their mean with ``n_reps``: they are
        averaged, by their numbers of repeats. Every row is a trial, so the same row twice in a call is two trials that
        came out alike. From a call on in which it had a score a candidate is settled: what later calls tell of it is
        ignored, be it the same message once more or another trial. (Sessions keep all trials, and tell those of one
        candidate together.) When the configured share of the generation is in, the search learns from it and goes on
        to the next one.

        Args:
            ids: candidates, each as often as it has rows. Those that have a score from an earlier call, and those of
                generations that are over, are ignored.
            scores: their scores; NaN for a candidate that was lost.
            n_reps: repeats of which each score is the mean; one each by default.

        Raises:
            ArgumentError: the lists differ in length.
            ParameterError: an id was never asked for, a score is infinite, or a number of repeats is not above 0.
        """
        means = averaged(list(ids), scores, n_reps)
        indices = {id_: index_of(id_, self.generation, len(self._codes)) for id_ in means}
        told = {index: means[id_] for id_, index in indices.items() if index is not None}
        # A candidate that was given up for lost may come in after all, as long as its generation lasts.
        new = {i: mean for i, mean in told.items() if i not in self._scores or mean[1] > self._scores[i][1] == 0}
        self._scores.update(new)
        for i in sorted(new):
            self._observe(i)
        updated = len(self._scores) >= self.n_needed
        if updated:
            self.advance()
        return Told(len(new), len(means) - len(new), updated)

    @property
    def n_needed(self) -> int:
        """Scores, lost ones among them, that complete a generation."""
        # 0.55 of 100 is 55.000000000000007.
        return max(1, math.ceil(self.spec.share * self.population - 1e-9))

    def advance(self) -> None:
        """End the present generation now, with the scores that are in; without any, nothing is learned."""
        scores = [self._scores.get(i, (math.nan, 0.0))[0] for i in range(len(self._codes))]
        if self._codes:
            self._update(torch.stack(self._codes), torch.tensor(scores, dtype=torch.float64))
        self.generation += 1
        self._codes, self._scores = [], {}

    def _observe(self, index: int) -> None:
        score, n = self._scores[index]
        observed = Observed(candidate_id(self.generation, index), self._codes[index], score, n)
        if math.isfinite(score) and observed.beats(self._best):
            self._best = replace(observed, code=observed.code.clone())

    def state_dict(self) -> State:
        """Everything that the search needs to go on, copied: tensors and JSON values; small, as codes that wait are
        drawn again from it.
        """
        best, scored = self._best, sorted(self._scores)
        state: State = self._identity() | {
            "seed": self.seed,
            "generation": self.generation,
            "n_asked": len(self._codes),
            "scored": scored,
            "scores": torch.tensor([self._scores[i] for i in scored], dtype=torch.float64).view(-1, 2),
            **self._state(),
        }
        if best is not None:
            observed = torch.tensor([best.score, best.n_reps], dtype=torch.float64)
            state |= {"best_id": best.id, "best_code": best.code, "best": observed}
        return copied(state)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over the state of another search with the same optimizer, dimension and dtype.

        Raises:
            ParameterError: the state is of another search, or damaged; this one is left as it was.
        """
        check_same_spec(state.get("spec"), self._identity()["spec"])
        for name, value in self._identity().items():
            check(state.get(name) == value, f"state[{name!r}]", state.get(name), repr(value))
        before = self.state_dict()
        try:
            self._take(state)
        except (KeyError, TypeError, ValueError, RuntimeError, IndexError, OverflowError) as error:
            self._take(before)
            raise ParameterError(f"state is damaged: {type(error).__name__}: {error}") from error

    def _identity(self) -> State:
        """What two searches must share for one to take over the other's state."""
        spec, dtype = json.dumps(self.spec.to_json(), sort_keys=True), str(self.dtype).removeprefix("torch.")
        return {"spec": spec, "dim": self.dim, "population": self.population, "dtype": dtype}

    def _take(self, state: Mapping[str, Any]) -> None:
        n_asked = whole_of(state, "n_asked", MAX_POPULATION)
        pairs = dict(zip(state["scored"], scores_of(state, n_asked), strict=True))
        best = observed_of(state, self.dim, self.dtype)
        self.seed = whole_of(state, "seed", math.inf, signed=True)
        self.generation = whole_of(state, "generation", MAX_GENERATION)
        self._load(state)
        self._codes, self._scores, self._best = [], pairs, best
        self._codes += [self._code(i) for i in range(n_asked)]
