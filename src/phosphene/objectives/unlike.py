"""Distances from a given activation or style, to be subtracted: each is at least 0, and 0 at what is wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._component import check
from phosphene._types import FrozenArray
from phosphene.errors import LayoutError
from phosphene.functional.gram import gram
from phosphene.objectives.compile import NetworkLike, OnDevice, Scorer, compile_kind, grouping_key
from phosphene.objectives.layouts import channels_of, per_view, single_layer
from phosphene.objectives.originals import root_mean_square
from phosphene.objectives.scene import Scene
from phosphene.objectives.targets import Targets, TargetUnit
from phosphene.units import LayerUnit

Norm = Literal["l1", "l2"]


@dataclass(frozen=True)
class ActivationDifference(TargetUnit):
    """How far the layer is from the target: ``mean |a - target|``, or its root mean square (Lucid's style
    notebooks, for content).

    Attributes:
        norm: "l1" for the mean absolute difference, "l2" for the root mean square.
    """

    norm: Norm = "l1"
    cites: ClassVar[tuple[str, ...]] = ("mordvintsev2018differentiable",)

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self.norm in ("l1", "l2"), "norm", self.norm, "'l1' or 'l2'")


@dataclass(frozen=True)
class InvertedRepresentation(TargetUnit):
    """``weight · ‖a - target‖² / ‖target‖²`` (Mahendran and Vedaldi; 0.1 in the CNN-visualization zoo).

    Attributes:
        weight: factor, above 0: what a layer of zeros costs.
    """

    weight: float = 0.1
    cites: ClassVar[tuple[str, ...]] = ("mahendran2015understanding", "ozbulak2019visualizations")

    def __post_init__(self) -> None:
        super().__post_init__()
        check(0 < self.weight < float("inf"), "weight", self.weight, "a number above 0")
        check(any(self.target.data), "target", "all zeros", "an activation that is not zero everywhere")


@dataclass(frozen=True)
class Style(LayerUnit):
    """How far the layer's Gram matrix ``A Aᵀ / positions`` is from another image's (Gatys; Lucid's ``StyleLoss``).

    The matrix knows which channels go together, not where. Styles of several layers are summed.

    Attributes:
        matrix: the Gram matrix (channels × channels) to match, as :func:`phosphene.functional.gram.gram` makes it of
            the layer's activation (channels, positions); an array or tensor is frozen.
        norm: "l1" for the mean absolute difference of entries, "l2" for the root mean square.
    """

    matrix: FrozenArray
    norm: Norm = "l1"
    cites: ClassVar[tuple[str, ...]] = ("gatys2016style", "mordvintsev2018differentiable")

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "matrix", FrozenArray.of(self.matrix))
        shape = self.matrix.shape
        check(len(shape) == 2 and shape[0] == shape[1] > 0, "matrix", shape, "a matrix of channels × channels")
        check(self.norm in ("l1", "l2"), "norm", self.norm, "'l1' or 'l2'")

    def __str__(self) -> str:
        return f"Style({self.layer})"


@grouping_key.register
def _(objective: ActivationDifference) -> object:
    return objective.layer, objective.target.shape, objective.norm


@grouping_key.register
def _(objective: Style) -> object:
    return objective.layer, objective.norm


@compile_kind.register
def _(first: ActivationDifference, objectives: Sequence[ActivationDifference], net: NetworkLike) -> Scorer:
    targets = Targets([o.target for o in objectives], net.layer(first.layer))

    def score(scene: Scene) -> Tensor:
        here, target = targets.beside(scene)
        return _size(first.norm, (here - target).flatten(1))

    return single_layer(first.layer, score)


@compile_kind.register
def _(first: InvertedRepresentation, objectives: Sequence[InvertedRepresentation], net: NetworkLike) -> Scorer:
    targets = Targets([o.target for o in objectives], net.layer(first.layer))
    weights = OnDevice(torch.tensor([o.weight for o in objectives]))

    def score(scene: Scene) -> Tensor:
        here, target = (t.flatten(1) for t in targets.beside(scene))
        distance, energy = (here - target).square().sum(1), target.square().sum(1)
        return per_view(weights, scene, here) * distance / energy

    return single_layer(first.layer, score)


@compile_kind.register
def _(first: Style, objectives: Sequence[Style], net: NetworkLike) -> Scorer:
    layer = net.layer(first.layer)
    spread, expected = channels_of(layer), (layer.n_channels, layer.n_channels)
    for objective in objectives:
        if objective.matrix.shape != expected:
            raise LayoutError(
                f"layer {layer.name!r} has {layer.n_channels} channels; the style's matrix is {objective.matrix.shape}"
            )
    matrices = OnDevice(torch.stack([o.matrix.tensor() for o in objectives]))

    def score(scene: Scene) -> Tensor:
        here = gram(spread(scene.activations[first.layer]))
        return _size(first.norm, (here - per_view(matrices, scene, here)).flatten(1))

    return single_layer(first.layer, score)


def _size(norm: Norm, difference: Float[Tensor, "m k"]) -> Float[Tensor, " m"]:
    return difference.abs().mean(1) if norm == "l1" else root_mean_square(difference)
