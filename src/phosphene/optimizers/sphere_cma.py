"""SphereCMA: a search over directions, whose angular step shrinks by a schedule."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._component import check
from phosphene.optimizers.norms import OnSphere
from phosphene.optimizers.ranking import MIN_SCORED, best_first, parents_weights
from phosphene.optimizers.search import Search
from phosphene.optimizers.search_optimizer import SearchOptimizer
from phosphene.optimizers.states import State, tensor_of, whole_of

#: Steps in degrees of Wang and Ponce's schedules, √dim times the standard deviation of a number of the code.
_FIRST_DEG, _LAST_DEG = 50.0, 7.33
_INVERSE = (15.0, 0.0017, 0.0146)
#: Generations of Wang and Ponce's experiments.
_N_GENERATIONS = 75
#: Angles, in radians, below which two directions are one.
_SAME = 1e-9


@dataclass(frozen=True)
class SphereCMA(SearchOptimizer):
    """Search on a sphere of codes (``ZOHA_Sphere_lr_euclid`` of Wang and Ponce, 2022).

    The best half's weighted mean gives a direction; the centre goes towards it and beyond (``lr`` above 1), along the
    great circle. Candidates lie around the centre on great circles, at an angle that a schedule prescribes; the first
    one is the centre itself. The first generation is random points of the sphere, unless there is an origin.

    The best of all without noise; under noise CMAES is as good or better. Only the order of the scores counts.

    Attributes:
        radius: the norm of every code; None takes √dim, the length of standard normal codes. Wang and Ponce give 300 to
            generators of 4,096 numbers.
        select: so many of the best count; None takes half.
        lr: 1 goes to the mean, above 1 beyond it.
        schedule: "exp" shrinks the angle from 50° to 7.33° (in units of which √dim make a typical step of one number)
            in ``n_generations`` updates, by the same factor each, and holds it from then on; "inv" is
            15° + 1° / (0.0017 t + 0.0146) after t updates, which knows no end.
        n_generations: length of the schedule "exp": the number of generations that will be run. A longer search goes
            on with the last angle. None takes what :meth:`for_generations` says, else 75.
    """

    cites: ClassVar[tuple[str, ...]] = ("wang2022highperformance",)
    radius: float | None = None
    select: int | None = None
    lr: float = 1.5
    schedule: Literal["exp", "inv"] = "exp"
    n_generations: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self.radius is None or 0 < self.radius < math.inf, "radius", self.radius, "a number above 0, or None")
        check(self.select is None or self.select > 0, "select", self.select, "a whole number above 0, or None")
        check(0 < self.lr < math.inf, "lr", self.lr, "a number above 0")
        check(self.schedule in ("exp", "inv"), "schedule", self.schedule, "'exp' or 'inv'")
        fits = self.n_generations is None or self.n_generations > 0
        check(fits, "n_generations", self.n_generations, "a whole number above 0, or None")

    def radius_for(self, dim: int) -> float:
        """The norm of codes of ``dim`` numbers."""
        return self.radius or math.sqrt(dim)

    def step_deg(self, n_updates: int) -> float:
        """The typical angle in degrees between the centre and a candidate, after so many updates from 0."""
        if self.schedule == "inv":
            base, slope, start = _INVERSE
            return base + 1 / (slope * n_updates + start)
        last = (self.n_generations or _N_GENERATIONS) - 1
        share = min(1.0, n_updates / max(1, last))
        return _FIRST_DEG * (_LAST_DEG / _FIRST_DEG) ** share

    def for_generations(self, n: int) -> SphereCMA:
        """The same with a schedule of ``n`` generations, unless it was given another length."""
        return self if self.n_generations is not None else replace(self, n_generations=max(1, n))

    def _begin(self, dim: int, seed: int, origin: Tensor | None, dtype: torch.dtype) -> Search:
        center = torch.zeros(dim, dtype=dtype) if origin is None else torch.atleast_2d(origin).mean(0)
        return _SphereCMA(self, center, seed=seed)


class _SphereCMA(Search):
    def __init__(self, spec: SphereCMA, center: Tensor, *, seed: int) -> None:
        super().__init__(spec, len(center), seed=seed, dtype=center.dtype)
        self.sphere = spec
        self.norm = OnSphere(spec.radius_for(self.dim))
        #: Zeros until there is a direction.
        self.center, self.n_updates = self.norm.project(center), 0

    def _code(self, index: int) -> Float[Tensor, " dim"]:
        draw = self.normal(index)
        if not bool(self.center.any()):
            return self.norm.project(draw)
        if index == 0:
            return self.center
        direction = self.center / self.norm.radius
        step = draw - (draw @ direction) * direction
        # In a plane of one number there is nowhere to go.
        length = step.norm().clamp(min=1e-300 if self.dtype == torch.float64 else 1e-30)
        angle = self._spread() * length
        return self.norm.project(torch.cos(angle) * direction + torch.sin(angle) * step / length)

    def _spread(self) -> float:
        """Standard deviation of a number of the tangent step, in radians."""
        # The update that found the first centre does not count: the schedule begins behind it.
        steps = max(0, self.n_updates - 1)
        return math.radians(self.sphere.step_deg(steps)) / math.sqrt(self.dim)

    def _update(self, codes: Float[Tensor, "n dim"], scores: Float[Tensor, " n"]) -> None:
        order = best_first(scores)
        if len(order) < MIN_SCORED:
            return
        weights = _weights(self.sphere.select, len(order)).to(self.dtype)
        mean = self.norm.project(weights @ codes[order[: len(weights)]])
        self.center = self.norm.project(beyond(self.center, mean, self.sphere.lr))
        self.n_updates += 1

    def _state(self) -> State:
        return {"center": self.center, "n_updates": self.n_updates}

    def _load(self, state: Mapping[str, Any]) -> None:
        self.center = tensor_of(state, "center", (self.dim,), self.dtype)
        self.n_updates = whole_of(state, "n_updates")

    def recommend(self) -> Float[Tensor, " dim"]:
        """The centre; zeros before the first update of a search without an origin."""
        return self.center.clone()

    def figures(self) -> dict[str, float]:
        """The step size in units of the code, the centre's norm, and the angle in degrees of a typical step."""
        angle = self._spread()
        return {
            "sigma": angle * self.norm.radius,
            "norm": float(self.center.norm()),
            "angular_step_deg": math.degrees(angle) * math.sqrt(self.dim),
        }


def _weights(select: int | None, n: int) -> Float[Tensor, " mu"]:
    """Normalised ln(mu + ½) - ln(i) of the mu best of n."""
    mu = min(select or max(1, n // 2), n)
    return parents_weights(2 * mu)


def beyond(start: Float[Tensor, " dim"], goal: Float[Tensor, " dim"], share: float) -> Float[Tensor, " dim"]:
    """The point at ``share`` of the way from ``start`` to ``goal`` along their great circle; above 1 beyond the goal.

    The goal itself where there is no way: from zeros, to the same point, and to the opposite one, to which all ways are
    equally long.
    """
    lengths = start.norm() * goal.norm()
    cosine = ((start @ goal) / lengths.clamp(min=1e-30)).clamp(-1.0, 1.0)
    angle = torch.acos(cosine)
    if float(lengths) == 0 or not _SAME < float(angle) < math.pi - _SAME:
        return goal
    return (torch.sin((1 - share) * angle) * start + torch.sin(share * angle) * goal) / torch.sin(angle)
