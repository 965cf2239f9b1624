"""Feature accentuation: more of a feature in a given image, while a layer keeps seeing that image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._algebra import Objective
from phosphene._component import check
from phosphene._types import FrozenArray
from phosphene.objectives.compile import (
    NetworkLike,
    OnDevice,
    Scorer,
    compile_alike,
    compile_kind,
    grouping_key,
    structure,
)
from phosphene.objectives.layouts import channels_of
from phosphene.objectives.originals import FittedImages
from phosphene.objectives.scene import Scene

#: Differences of this share of an activation's norm are taken for rounding: images in [0, 1] come back from their
#: parameters to about 2e-5.
_ROUNDING = 1e-3


@dataclass(frozen=True)
class Accentuation(Objective):
    """``objective - strength · balance · ‖a(view of image) - a(same view of the seed image)‖`` (Hamblin et al. 2024).

    The balance makes both terms pull equally hard: ``Σ|∂objective/∂θ| / Σ|∂distance/∂θ|`` over the image's own
    parameters, measured once in a run. At the seed image itself the distance and its gradient are 0, so it is
    measured for each image at the first evaluation at which both gradients are not 0; until then, and where no
    gradients are asked for, it is 1.

    Attributes:
        objective: the feature.
        layer: where the image must stay like the seed.
        image: the seed (c, h, w) in [0, 1], also the image from which the render should start; an array or tensor is
            frozen. On a canvas of another size it is resized bilinearly.
        strength: how much the distance counts, from 0.
        balance: the balance, if it should not be measured.
        distance: "layer" for the Euclidean norm of the whole layer's difference, or "positions" for the mean of the
            norms at each position, as the authors' code has it, which lets a few positions change much.
    """

    objective: Objective
    layer: str
    image: FrozenArray
    strength: float = 1.0
    balance: float | None = None
    distance: Literal["layer", "positions"] = "layer"
    cites: ClassVar[tuple[str, ...]] = ("hamblin2024accentuation",)

    @property
    def needs_whole_image(self) -> bool:
        return True

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "image", FrozenArray.of(self.image))
        shape = self.image.shape
        check(len(shape) == 3 and 0 not in shape, "image", shape, "an image (channels, height, width)")
        for name in ("strength", "balance"):
            value = getattr(self, name)
            check(value is None or 0 <= value < float("inf"), name, value, "a number from 0")
        check(self.distance in ("layer", "positions"), "distance", self.distance, "'layer' or 'positions'")

    @property
    def parts(self) -> tuple[Objective, ...]:
        return (self.objective,)

    def __str__(self) -> str:
        return f"Accentuation({self.objective}, {self.layer})"


@grouping_key.register
def _(objective: Accentuation) -> object:
    own = objective.layer, objective.image.shape, objective.balance is None, objective.distance
    return structure(objective.objective), *own


@compile_kind.register
def _(first: Accentuation, objectives: Sequence[Accentuation], net: NetworkLike) -> Scorer:
    layer = net.layer(first.layer)
    name, spread = layer.name, channels_of(layer) if first.distance == "positions" else _as_one
    inner = compile_alike([o.objective for o in objectives], net)
    seeds = FittedImages([o.image for o in objectives])
    strengths = OnDevice(torch.tensor([[o.strength] for o in objectives]))
    balance = _Balance([o.balance for o in objectives])

    def score(scene: Scene) -> Float[Tensor, "n v"]:
        gains = inner.score(scene)
        seen = scene.see(seeds.like(scene.image))[name]
        gap = _beyond_rounding(spread(scene.activations[name] - seen), spread(seen))
        distances = scene.by_view(torch.linalg.vector_norm(gap, dim=1).mean(1))
        return gains - strengths.like(gap) * balance.of(scene, gains, distances) * distances

    return Scorer(inner.layers | {name}, score)


def _beyond_rounding(gap: Float[Tensor, "m k p"], seen: Float[Tensor, "m k p"]) -> Float[Tensor, "m k p"]:
    """The difference, 0 where it is no more than the rounding of a start image: a norm pulls with full strength from
    however near, so there it would pull in the direction of the rounding.
    """
    least = _ROUNDING * torch.linalg.vector_norm(seen, dim=1, keepdim=True)
    return gap * (torch.linalg.vector_norm(gap.detach(), dim=1, keepdim=True) > least)


def _as_one(activations: Tensor) -> Float[Tensor, "m k 1"]:
    return activations.flatten(1)[:, :, None]


class _Balance:
    """The weight of each image's distance: given, or measured once. One per compiled scorer, so one per run."""

    def __init__(self, given: Sequence[float | None]) -> None:
        self.value = OnDevice(torch.tensor([1.0 if b is None else b for b in given])[:, None])
        self.waiting = given[0] is None
        self.known = OnDevice(torch.zeros(len(given), 1, dtype=torch.bool))

    def of(self, scene: Scene, gains: Float[Tensor, "n _"], distances: Float[Tensor, "n v"]) -> Float[Tensor, "n 1"]:
        """The balances, measured now if they must be and can be."""
        if self.waiting and scene.parameters and gains.requires_grad and distances.requires_grad:
            self._measure(slopes(gains, scene), slopes(distances, scene))
        return self.value.like(distances)

    def _measure(self, gain: Float[Tensor, " n"], pull: Float[Tensor, " n"]) -> None:
        known = self.known.like(gain)
        ratio = (gain / pull)[:, None]
        fresh = ~known & (ratio > 0) & torch.isfinite(ratio)
        self.value = OnDevice(torch.where(fresh, ratio, self.value.like(gain)))
        self.known = OnDevice(known | fresh)
        self.waiting = not bool(self.known.value.all())


def slopes(scores: Float[Tensor, "n _"], scene: Scene) -> Float[Tensor, " n"]:
    """``Σ|∂score/∂θ|`` over each image's own parameters θ."""
    total = scores.mean(1).sum()
    gradients = torch.autograd.grad(
        total, scene.parameters, retain_graph=True, allow_unused=True, materialize_grads=True
    )
    sums = torch.stack([g.abs().flatten(1).sum(1) for g in gradients]).sum(0)
    return sums if scene.rows is None else sums.index_select(0, scene.rows)
