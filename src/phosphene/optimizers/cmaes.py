"""CMA-ES: a normal distribution that moves towards what scored well, and learns its step size and its shape."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._component import check
from phosphene.optimizers.cholesky import Cholesky
from phosphene.optimizers.cma_rates import Rates, expected_norm
from phosphene.optimizers.cma_shapes import Diagonal, Full, Iso, Shape, check_dense, mean_draw
from phosphene.optimizers.norms import Capped, Free, NormControl, turned
from phosphene.optimizers.ranking import MIN_SCORED, best_first
from phosphene.optimizers.search import Search
from phosphene.optimizers.search_optimizer import SearchOptimizer
from phosphene.optimizers.states import State, number_of, positive_of, tensor_of, whole_of

Covariance = Literal["auto", "iso", "diag", "cholesky", "full"]
_SHAPES: Mapping[str, type[Shape]] = {"iso": Iso, "diag": Diagonal, "cholesky": Cholesky, "full": Full}
#: Step sizes beyond these overflow, or do nothing.
_STEP_SIZES = (1e-30, 1e15)
#: Radius of the default ball in units of √dim. On the face DCGAN it costs 0 to 24 % of the score without noise, none
#: under it, and keeps faces faces; a direction of 4,096 numbers is found to a cosine of .53 instead of .54.
_BALL = 1.5


@dataclass(frozen=True)
class CMAES(SearchOptimizer):
    """Covariance matrix adaptation evolution strategy. Only the order of the scores counts.

    Attributes:
        cov: what is learned of the distribution's shape.

            - "iso": its size alone; a few numbers for each of the code's.
            - "diag": a variance for each number of the code (separable CMA-ES).
            - "cholesky": the rank-one update of a Cholesky factor that Wang and Ponce used with neurons.
            - "full": the whole covariance; an eigendecomposition now and then, O(dim³).
            - "auto": "full" up to 200 numbers, "iso" beyond. A covariance has dim² / 2 numbers to be learned from a few
              thousand scores: at 4,096 it ends where it began (condition 1.0002 to 1.12), and the result is that
              of the step size alone.
        sigma0: standard deviation of the first generation's codes; 1 is the spread for which generators are trained.
            Wang and Ponce give 3 to generators of 4,096 numbers.
        norm: where codes may lie. None takes a ball about 0, half as large again as the length √dim of standard normal
            codes, or as the codes of the first generation, or as an origin, if these are longer: a unit that does not
            care for the length of a code, or likes it ever longer, else drives it to where a generator draws posters
            rather than pictures. ``Free()`` for problems whose codes are of another length.
    """

    cites: ClassVar[tuple[str, ...]] = ("hansen2016tutorial", "wang2022highperformance")
    cov: Covariance = "auto"
    sigma0: float = 1.0
    norm: NormControl | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        known = ("auto", *_SHAPES)
        check(self.cov in known, "cov", self.cov, f"one of {', '.join(map(repr, known))}")
        check(0 < self.sigma0 < math.inf, "sigma0", self.sigma0, "a number above 0")

    def cov_for(self, dim: int) -> str:
        """What is learned of the shape for codes of ``dim`` numbers."""
        return ("full" if dim <= 200 else "iso") if self.cov == "auto" else self.cov

    def population_for(self, dim: int) -> int:
        """Candidates of a generation unless given: 4 + ⌊3 ln(dim)⌋ for "full", else 4 + ⌊3 log2(dim)⌋ (40 for 4096)."""
        textbook = 4 + int(3 * math.log(dim))
        return self.population or (textbook if self.cov_for(dim) == "full" else super().population_for(dim))

    def norm_for(self, origin: Float[Tensor, " dim"]) -> NormControl:
        """Where codes may lie in a search that starts from ``origin``."""
        start = math.sqrt(len(origin)) * max(1.0, self.sigma0)
        return self.norm or Capped(_BALL * max(start, float(origin.norm())))

    def unbounded(self) -> CMAES:
        return self if self.norm is not None else replace(self, norm=Free())

    def _begin(self, dim: int, seed: int, origin: Tensor | None, dtype: torch.dtype) -> Search:
        if self.cov_for(dim) == "full":
            check_dense(dim, "cov='iso'")
        mean = torch.zeros(dim, dtype=dtype) if origin is None else torch.atleast_2d(origin).mean(0)
        return _CMAES(self, mean, seed=seed)


class _CMAES(Search):
    def __init__(self, spec: CMAES, mean: Tensor, *, seed: int) -> None:
        dim = len(mean)
        super().__init__(spec, dim, seed=seed, dtype=mean.dtype)
        self.given, self.norm = spec.norm, spec.norm_for(mean)
        self.mean, self.sigma = self.norm.project(mean), spec.sigma0
        self.path, self.n_updates = torch.zeros_like(mean), 0
        #: What chance gives the path outwards, in variance: 0 at a border, growing to 1 away from it.
        self.across = 1.0
        self.shape = _SHAPES[spec.cov_for(dim)](dim, mean.dtype)
        self._meet_border()

    def _meet_border(self) -> None:
        """Find out where no step leads from the present mean."""
        self.barred = self.norm.bars(self.mean)
        #: Draws z lead outwards by z · outward.
        outward = self.shape.transposed(self.mean)
        self.outward = outward / outward.norm().clamp(min=1e-30)

    def _draw(self, index: int) -> Float[Tensor, " dim"]:
        draw = self.normal(index)
        if self.barred == "nothing":
            return draw
        along = self.outward @ draw
        return draw - (along.clamp(min=0.0) if self.barred == "outwards" else along) * self.outward

    def _code(self, index: int) -> Float[Tensor, " dim"]:
        return self.norm.project(self.mean + self.sigma * self.shape.stretch(self._draw(index)))

    def _update(self, codes: Float[Tensor, "n dim"], scores: Float[Tensor, " n"]) -> None:
        order = best_first(scores).tolist()
        if len(order) < MIN_SCORED:
            return
        rates = self.shape.rates(len(order))
        counting = sum(w != 0 for w in rates.weights)
        draws = torch.stack(
            [self._draw(i) for i in (order if counting > rates.n_parents else order[: rates.n_parents])]
        )
        step = mean_draw(draws, rates)
        self.mean = self.norm.project(self.mean + self.sigma * self.shape.stretch(step))
        length, settled = self._lengthen_path(step, rates)
        self.shape.learn(draws, rates, stalled=length / settled >= 1.4 + 2 / (self.dim + 1))
        sigma = self.sigma * math.exp(min(1.0, rates.c_sigma / rates.d_sigma * (length - 1)))
        self.sigma = min(max(sigma, _STEP_SIZES[0]), _STEP_SIZES[1])
        self._carry_path()

    def _carry_path(self) -> None:
        """Take the path along to the new mean: turned with it, and with nothing left of it across the border."""
        barred, before = self.barred, self.outward
        self._meet_border()
        if (barred, self.barred) != ("nothing", "nothing"):
            self.path = turned(self.path, before, self.outward)
        if self.barred != "nothing":
            self.path, self.across = self.path - (self.outward @ self.path) * self.outward, 0.0

    def _lengthen_path(self, step: Float[Tensor, " dim"], rates: Rates) -> tuple[float, float]:
        """The path's length in units of what chance alone gives it, now and at this age of the search."""
        self.n_updates += 1
        gain = math.sqrt(rates.c_sigma * (2 - rates.c_sigma) * rates.mu_eff)
        kept = (1 - rates.c_sigma) ** 2
        if self.barred == "nothing":
            self.across = 1 - kept * (1 - self.across)
        else:
            # What is drawn across the border is not of mean 0, and tells nothing of the step size.
            step = step - (self.outward @ step) * self.outward
        self.path = (1 - rates.c_sigma) * self.path + gain * step
        settled = math.sqrt(1 - kept**self.n_updates)
        return float(self.path.norm()) / expected_norm(max(1.0, self.dim - 1 + self.across)), settled

    def _state(self) -> State:
        own = {"mean": self.mean, "sigma": self.sigma, "path": self.path}
        own |= {"across": self.across, "n_updates": self.n_updates}
        # The ball that nobody asked for depends on where the search started.
        ball = {"radius": self.norm.radius} if self.given is None and isinstance(self.norm, Capped) else {}
        return own | ball | self.shape.state()

    def _load(self, state: Mapping[str, Any]) -> None:
        self.mean = tensor_of(state, "mean", (self.dim,), self.dtype)
        self.path = tensor_of(state, "path", (self.dim,), self.dtype)
        self.sigma, self.across = number_of(state, "sigma", _STEP_SIZES[0]), number_of(state, "across", 0.0)
        self.n_updates = whole_of(state, "n_updates")
        if self.given is None:
            self.norm = Capped(positive_of(state, "radius"))
        self.shape.load(state)
        self._meet_border()

    def recommend(self) -> Float[Tensor, " dim"]:
        return self.mean.clone()

    def figures(self) -> dict[str, float]:
        """The step size, the mean's norm, and the angle in degrees that a typical step has, seen from zero."""
        norm = float(self.mean.norm())
        reach = float(self.shape.stretch(torch.ones_like(self.mean)).norm()) * self.sigma
        return {"sigma": self.sigma, "norm": norm, "angular_step_deg": math.degrees(math.atan2(reach, norm))}
