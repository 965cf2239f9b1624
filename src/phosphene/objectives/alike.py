"""Likeness to a given activation: tensor directions, inversion and caricature by dot products, guided dreams."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._component import check
from phosphene._types import FrozenArray
from phosphene.errors import LayoutError
from phosphene.functional.similarity import COSINE_FLOOR, dot_cossim
from phosphene.objectives.compile import NetworkLike, OnDevice, Scorer, compile_kind, grouping_key
from phosphene.objectives.layouts import channels_of, grid_of, per_view, single_layer
from phosphene.objectives.scene import Scene
from phosphene.objectives.targets import Targets, TargetUnit, check_target
from phosphene.units import LayerUnit

#: Guard of the denominator of a caricature's cosine (Lucid's recipe).
_CARICATURE_EPSILON = 1e-6
#: Dot products of positions with a guide's features that are held at once: 64 MiB of float32.
_PRODUCTS_AT_ONCE = 2**24


@dataclass(frozen=True)
class TensorDirection(TargetUnit):
    """A direction with a shape in space: ``dot · max(0.1, cosine)^p`` at each position, averaged over them (Lucid's
    ``tensor_direction``).

    The target is never resized: the layer is cropped to it, at ``(size - target) // 2``.

    Attributes:
        cossim_power: p, at least 0; 0 is the plain dot product.
    """

    cossim_power: float = 0.0
    cites: ClassVar[tuple[str, ...]] = ("olah2017feature",)

    def __post_init__(self) -> None:
        super().__post_init__()
        check(0 <= self.cossim_power < math.inf, "cossim_power", self.cossim_power, "a number from 0")


@dataclass(frozen=True)
class Inversion(TargetUnit):
    """The dot product of the whole layer with the target, summed over channels and positions (Lucid's
    ``feature_inversion``): :class:`Caricature` of power 0.
    """

    cites: ClassVar[tuple[str, ...]] = ("olah2018building",)


@dataclass(frozen=True)
class Caricature(TargetUnit):
    """``dot · max(0.1, cosine)^p`` of the whole layer and the target, flattened (Lucid's ``caricature``).

    Attributes:
        cossim_power: p, at least 0; Lucid shows 0, 0.5, 1 and 2.
        cosine: "true", or "lucid", which leaves out the target's norm: dot / (1e-6 + ‖activation‖), a factor that
            differs from image to image, and lets the floor of 0.1 bite only where the dot product is about 0.
    """

    cossim_power: float = 0.0
    cosine: Literal["true", "lucid"] = "true"
    cites: ClassVar[tuple[str, ...]] = ("olah2018building",)

    def __post_init__(self) -> None:
        super().__post_init__()
        check(0 <= self.cossim_power < math.inf, "cossim_power", self.cossim_power, "a number from 0")
        check(self.cosine in ("true", "lucid"), "cosine", self.cosine, "'true' or 'lucid'")


@dataclass(frozen=True)
class Guide(LayerUnit):
    """Guided DeepDream: at each position, the dot product with that feature of a guide image which it matches best.

    ``sum_p x_p · y_m(p)`` with ``m(p) = argmax_k x_p · y_k``; the match is held constant, so the gradient at a position
    is its match.

    Attributes:
        features: the guide's features in the layer, (channels, positions); an array or tensor is frozen.
    """

    features: FrozenArray
    cites: ClassVar[tuple[str, ...]] = ("mordvintsev2015inceptionism",)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "features", FrozenArray.of(self.features))
        shape = self.features.shape
        check(len(shape) == 2 and 0 not in shape, "features", shape, "a table (channels, positions)")

    def __str__(self) -> str:
        return f"Guide({self.layer})"


@grouping_key.register
def _(objective: Caricature) -> object:
    return objective.layer, objective.target.shape, objective.cosine


@grouping_key.register
def _(objective: Guide) -> object:
    return objective.layer, objective.features.shape


@compile_kind.register
def _(first: TensorDirection, objectives: Sequence[TensorDirection], net: NetworkLike) -> Scorer:
    layer = net.layer(first.layer)
    grid = grid_of(layer)
    for objective in objectives:
        check_target(objective.target, layer)
    targets = OnDevice(grid(torch.stack([o.target.tensor() for o in objectives])))
    powers = OnDevice(torch.tensor([[o.cossim_power] for o in objectives]))

    def score(scene: Scene) -> Tensor:
        here = grid(scene.activations[first.layer])
        target, power = per_view(targets, scene, here), per_view(powers, scene, here)
        here = _center_crop(here, tuple(target.shape[2:]), first.layer)
        return dot_cossim(_positions_first(here), _positions_first(target), power).mean(1)

    return single_layer(first.layer, score)


@compile_kind.register
def _(first: Inversion, objectives: Sequence[Inversion], net: NetworkLike) -> Scorer:
    targets = Targets([o.target for o in objectives], net.layer(first.layer))

    def score(scene: Scene) -> Tensor:
        here, target = targets.beside(scene)
        return (here * target).flatten(1).sum(1)

    return single_layer(first.layer, score)


@compile_kind.register
def _(first: Caricature, objectives: Sequence[Caricature], net: NetworkLike) -> Scorer:
    targets = Targets([o.target for o in objectives], net.layer(first.layer))
    powers = OnDevice(torch.tensor([o.cossim_power for o in objectives]))

    def score(scene: Scene) -> Tensor:
        here, target = (t.flatten(1) for t in targets.beside(scene))
        return caricatured(here, target, per_view(powers, scene, here), first.cosine)

    return single_layer(first.layer, score)


def caricatured(
    here: Float[Tensor, "m k"], target: Float[Tensor, "m k"], power: Float[Tensor, " m"], cosine: str
) -> Float[Tensor, " m"]:
    """``dot · max(0.1, cosine)^power``; with the cosine "lucid" the target's norm is left out."""
    dot = (here * target).sum(1)
    alike = dot / (_CARICATURE_EPSILON + torch.linalg.vector_norm(here, dim=1))
    if cosine == "true":
        alike = alike / (_CARICATURE_EPSILON + torch.linalg.vector_norm(target, dim=1))
    return dot * alike.clamp(min=COSINE_FLOOR) ** power


@compile_kind.register
def _(first: Guide, objectives: Sequence[Guide], net: NetworkLike) -> Scorer:
    layer = net.layer(first.layer)
    spread = channels_of(layer)
    if first.features.shape[0] != layer.n_channels:
        raise LayoutError(
            f"layer {layer.name!r} has {layer.n_channels} channels; the guide's features have {first.features.shape[0]}"
        )
    features = OnDevice(torch.stack([o.features.tensor() for o in objectives]))

    def score(scene: Scene) -> Tensor:
        here = spread(scene.activations[first.layer])
        return (here * best_match(here.detach(), per_view(features, scene, here))).sum((1, 2))

    return single_layer(first.layer, score)


def best_match(here: Float[Tensor, "m c p"], features: Float[Tensor, "m c k"]) -> Float[Tensor, "m c p"]:
    """For each position, the feature with the greatest dot product; the products, p × k, are never all held at once."""
    n_at_once = max(1, _PRODUCTS_AT_ONCE // (len(features) * features.shape[2]))
    best = torch.cat([(some.transpose(1, 2) @ features).argmax(2) for some in here.split(n_at_once, dim=2)], dim=1)
    return features.gather(2, best[:, None].expand(-1, here.shape[1], -1))


def _center_crop(grid: Tensor, size: tuple[int, ...], layer: str) -> Tensor:
    for axis, wanted in enumerate(size, start=2):
        spare = grid.shape[axis] - wanted
        if spare < 0:
            raise LayoutError(
                f"layer {layer!r} has {tuple(grid.shape[2:])} positions here, fewer than the tensor's {size}; give a "
                "smaller tensor or larger views"
            )
        grid = grid.narrow(axis, spare // 2, wanted)
    return grid


def _positions_first(grid: Tensor) -> Float[Tensor, "m p c"]:
    return grid.flatten(2).transpose(1, 2) if grid.ndim > 2 else grid[:, None]
