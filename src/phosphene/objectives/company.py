"""Objectives that couple the images of a batch: that they differ, and that neighbours resemble each other.

All images of a batch whose objectives have the same structure are company; the batch is never split. Each image carries
its share, so that the sum over images is the quantity of the literature.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from phosphene._component import check
from phosphene.objectives.compile import NetworkLike, Scorer, compile_kind, grouping_key
from phosphene.objectives.layouts import channels_of
from phosphene.objectives.scene import Scene
from phosphene.units import LayerUnit

#: Below the squared norm of a Gram matrix (TensorFlow's ``l2_normalize``, as Lucid calls it).
_GRAM_EPSILON = 1e-10


@dataclass(frozen=True)
class Diversity(LayerUnit):
    """How alike the images are: subtract it, with a weight of about 100, to have different ones (Distill; Lucid's
    ``diversity``).

    ``sum_{j ≠ i} <G_i, G_j> / n``, with G the Gram matrix of an image's activations at unit norm. Summed over the n
    images this is the quantity of Lucid: 1 for two images that are the same, n - 1 for n of them, 0 for Gram matrices
    that are orthogonal. One image alone has 0. The k-th view of an image is compared with the k-th views of the others.
    """

    cites: ClassVar[tuple[str, ...]] = ("olah2017feature",)

    @property
    def coupled(self) -> bool:
        return True

    def __str__(self) -> str:
        return f"Diversity({self.layer})"


@dataclass(frozen=True)
class Alignment(LayerUnit):
    """How much neighbours in the list of images differ: subtract it for a smooth row of images (Lucid's ``alignment``).

    ``sum_{d = 1..reach} sum_i mean((a_i - a_{i+d})²) / decay_ratio^d``, each pair's term shared half and half by its
    two images. Every image is seen through views of its own, which differ too; views without randomness make the
    comparison sharper.

    Attributes:
        decay_ratio: how much less each further neighbour counts, above 0.
        reach: how far neighbours count, from 1.
    """

    decay_ratio: float = 2.0
    reach: int = 4
    cites: ClassVar[tuple[str, ...]] = ("mordvintsev2018differentiable",)

    def __post_init__(self) -> None:
        super().__post_init__()
        check(0 < self.decay_ratio < float("inf"), "decay_ratio", self.decay_ratio, "a number above 0")
        check(self.reach >= 1, "reach", self.reach, "a whole number from 1")

    @property
    def coupled(self) -> bool:
        return True

    def __str__(self) -> str:
        return f"Alignment({self.layer})"


@grouping_key.register
def _(objective: Alignment) -> object:
    return objective.layer, objective.decay_ratio, objective.reach


@compile_kind.register
def _(first: Diversity, objectives: Sequence[Diversity], net: NetworkLike) -> Scorer:
    spread = channels_of(net.layer(first.layer))

    def score(scene: Scene) -> Float[Tensor, "n v"]:
        here = spread(scene.activations[first.layer])
        grams = (here @ here.transpose(1, 2)).flatten(1)
        unit = grams * grams.square().sum(1, keepdim=True).clamp(min=_GRAM_EPSILON).rsqrt()
        unit = unit.view(-1, scene.n_views, unit.shape[1])
        others = unit.sum(0, keepdim=True) - unit
        return (unit * others).sum(2) / unit.shape[0]

    return Scorer(frozenset({first.layer}), score)


@compile_kind.register
def _(first: Alignment, objectives: Sequence[Alignment], net: NetworkLike) -> Scorer:
    net.layer(first.layer)

    def score(scene: Scene) -> Float[Tensor, "n v"]:
        here = scene.activations[first.layer].flatten(1)
        here = here.view(-1, scene.n_views, here.shape[1])
        shares = [here.new_zeros(here.shape[:2])]
        for distance in range(1, min(first.reach, here.shape[0] - 1) + 1):
            gaps = (here[distance:] - here[:-distance]).square().mean(2) / first.decay_ratio**distance
            shares += [F.pad(gaps, (0, 0, 0, distance)) / 2, F.pad(gaps, (0, 0, distance, 0)) / 2]
        return torch.stack(shares).sum(0)

    return Scorer(frozenset({first.layer}), score)
