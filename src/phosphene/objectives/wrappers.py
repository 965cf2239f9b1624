"""Objectives around another objective: a weight that changes over the steps, and a level that is aimed at."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._algebra import Objective
from phosphene._component import check
from phosphene._schedules import Schedule
from phosphene.objectives.compile import (
    NetworkLike,
    OnDevice,
    Scorer,
    compile_alike,
    compile_kind,
    grouping_key,
    structure,
)
from phosphene.objectives.scene import Scene


@dataclass(frozen=True)
class Scheduled(Objective):
    """An objective times a factor that changes over the steps of a stage (``decay(n)`` and ``only_after(n)`` of Lucid's
    notebooks).

    Where no step is taken, as when a finished image is scored, the factor is 1.

    Attributes:
        objective: what is weighed.
        schedule: factor at each step, counted from 0.
    """

    objective: Objective
    schedule: Schedule

    @property
    def parts(self) -> tuple[Objective, ...]:
        return (self.objective,)

    def __str__(self) -> str:
        return f"{self.schedule.kind()}·({self.objective})"


@dataclass(frozen=True)
class TargetLevel(Objective):
    """``-|objective - level|``, view by view: an image that drives a unit to a level, neither less nor more.

    Attributes:
        objective: what is measured.
        level: the value that is wanted of it.
    """

    objective: Objective
    level: float
    cites: ClassVar[tuple[str, ...]] = ("hamblin2024accentuation",)

    def __post_init__(self) -> None:
        super().__post_init__()
        check(math.isfinite(self.level), "level", self.level, "a finite number")

    @property
    def parts(self) -> tuple[Objective, ...]:
        return (self.objective,)

    def __str__(self) -> str:
        return f"({self.objective})→{self.level:g}"


@grouping_key.register
def _(objective: Scheduled) -> object:
    return structure(objective.objective), objective.schedule


@grouping_key.register
def _(objective: TargetLevel) -> object:
    return structure(objective.objective)


@compile_kind.register
def _(first: Scheduled, objectives: Sequence[Scheduled], net: NetworkLike) -> Scorer:
    inner = compile_alike([o.objective for o in objectives], net)

    def score(scene: Scene) -> Float[Tensor, "n v"]:
        return inner.score(scene) * (first.schedule.factor(scene.step) if scene.step >= 0 else 1.0)

    return Scorer(inner.layers, score)


@compile_kind.register
def _(first: TargetLevel, objectives: Sequence[TargetLevel], net: NetworkLike) -> Scorer:
    inner = compile_alike([o.objective for o in objectives], net)
    levels = OnDevice(torch.tensor([[o.level] for o in objectives]))
    return Scorer(inner.layers, lambda scene: -(inner.score(scene) - levels.like(scene.image)).abs())
