"""A floor: an objective that must be reached, and counts no more beyond it."""

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
class AtLeast(Objective):
    """``min(objective - level, 0)``, view by view: below 0 where the level is missed, 0 and flat where it is reached.

    Beside another term it leaves all images that drive a unit well enough to that term: diverse exciting inputs.

    Attributes:
        objective: what is measured.
        level: the value that it shall reach.
    """

    cites: ClassVar[tuple[str, ...]] = ("ding2023bipartite",)

    objective: Objective
    level: float

    def __post_init__(self) -> None:
        super().__post_init__()
        check(math.isfinite(self.level), "level", self.level, "a finite number")

    @property
    def parts(self) -> tuple[Objective, ...]:
        return (self.objective,)

    def __str__(self) -> str:
        return f"({self.objective})≥{self.level:g}"


@grouping_key.register
def _(objective: AtLeast) -> object:
    return structure(objective.objective)


@compile_kind.register
def _(first: AtLeast, objectives: Sequence[AtLeast], net: NetworkLike) -> Scorer:
    inner = compile_alike([o.objective for o in objectives], net)
    levels = OnDevice(torch.tensor([[o.level] for o in objectives]))

    def score(scene: Scene) -> Float[Tensor, "n v"]:
        return (inner.score(scene) - levels.like(scene.image)).clamp(max=0)

    return Scorer(inner.layers, score)
