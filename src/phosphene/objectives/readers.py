"""How each unit is read from its layer's activations, many units at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import singledispatch

import torch
from torch import Tensor

from phosphene._algebra import Objective, Regularizer
from phosphene._types import FrozenArray
from phosphene.errors import LayoutError, UnitRangeError
from phosphene.functional.similarity import dot_cossim
from phosphene.objectives.compile import (
    LayerLike,
    NetworkLike,
    OnDevice,
    Scorer,
    compile_kind,
    compile_objectives,
    grouping_key,
)
from phosphene.objectives.custom import Custom
from phosphene.objectives.layouts import (
    POSITION_AXES,
    at_position,
    channels_of,
    check_position,
    flat_index,
    per_view,
    places,
    single_layer,
)
from phosphene.objectives.scene import Scene
from phosphene.units import (
    Channel,
    ClassUnit,
    Direction,
    Layer,
    LayerUnit,
    Logit,
    LogProbability,
    Neuron,
    Probability,
    WeightedChannels,
)

__all__ = ["channels_of", "check_place", "check_positions", "compile_objectives", "places"]


@grouping_key.register
def _(objective: LayerUnit) -> object:
    return objective.layer


@grouping_key.register
def _(objective: Direction) -> object:
    return objective.layer, objective.position is None


@grouping_key.register
def _(objective: ClassUnit) -> object:
    return None


@compile_kind.register
def _(first: Layer, objectives: Sequence[Layer], net: NetworkLike) -> Scorer:
    net.layer(first.layer)
    return single_layer(first.layer, lambda scene: scene.activations[first.layer].flatten(1).square().mean(1))


@compile_kind.register
def _(first: Channel, objectives: Sequence[Channel], net: NetworkLike) -> Scorer:
    layer = net.layer(first.layer)
    spread = channels_of(layer)
    index = OnDevice(torch.tensor([[_channel(layer, o.index)] for o in objectives]))

    def score(scene: Scene) -> Tensor:
        means = spread(scene.activations[first.layer]).mean(2)
        return means.gather(1, per_view(index, scene, means))[:, 0]

    return single_layer(first.layer, score)


@compile_kind.register
def _(first: Neuron, objectives: Sequence[Neuron], net: NetworkLike) -> Scorer:
    layer = net.layer(first.layer)
    spread = channels_of(layer)
    index = OnDevice(torch.tensor([[_channel(layer, o.index)] for o in objectives]))
    place = places([o.position for o in objectives], layer)

    def score(scene: Scene) -> Tensor:
        acts = scene.activations[first.layer]
        there = at_position(spread(acts), place(scene, acts))
        return there.gather(1, per_view(index, scene, there))[:, 0]

    return single_layer(first.layer, score)


@compile_kind.register
def _(first: Direction, objectives: Sequence[Direction], net: NetworkLike) -> Scorer:
    layer = net.layer(first.layer)
    spread = channels_of(layer)
    vectors = OnDevice(torch.stack([_vector(o.vector, layer) for o in objectives])[:, None])
    powers = OnDevice(torch.tensor([[o.cossim_power] for o in objectives]))
    place = None if first.position is None else places([o.position for o in objectives], layer)

    def score(scene: Scene) -> Tensor:
        acts = scene.activations[first.layer]
        here = spread(acts)
        if place is not None:
            here = at_position(here, place(scene, acts))[:, :, None]
        vector, power = per_view(vectors, scene, here), per_view(powers, scene, here)
        return dot_cossim(here.transpose(1, 2), vector, power).mean(1)

    return single_layer(first.layer, score)


@compile_kind.register
def _(first: WeightedChannels, objectives: Sequence[WeightedChannels], net: NetworkLike) -> Scorer:
    layer = net.layer(first.layer)
    spread = channels_of(layer)
    table = torch.zeros(len(objectives), layer.n_channels)
    for row, objective in enumerate(objectives):
        for index, weight in objective.weights:
            table[row, _channel(layer, index)] += weight
    weights = OnDevice(table)

    def score(scene: Scene) -> Tensor:
        means = spread(scene.activations[first.layer]).mean(2)
        return (means * per_view(weights, scene, means)).sum(1)

    return single_layer(first.layer, score)


def _class_scorer(objectives: Sequence[ClassUnit], net: NetworkLike, read: Callable[[Tensor], Tensor]) -> Scorer:
    layer = net.layer(net.output_layer)
    if layer.layout != "NC":
        raise LayoutError(
            f"classes need a network whose output is (n, classes); its shape is {layer.shape}; use a Channel"
        )
    index = OnDevice(torch.tensor([[_channel(layer, net.class_index(o.class_))] for o in objectives]))

    def score(scene: Scene) -> Tensor:
        outputs = read(scene.activations[layer.name])
        return outputs.gather(1, per_view(index, scene, outputs))[:, 0]

    return single_layer(layer.name, score)


@compile_kind.register
def _(first: Logit, objectives: Sequence[Logit], net: NetworkLike) -> Scorer:
    return _class_scorer(objectives, net, lambda logits: logits)


@compile_kind.register
def _(first: Probability, objectives: Sequence[Probability], net: NetworkLike) -> Scorer:
    return _class_scorer(objectives, net, lambda logits: logits.softmax(1))


@compile_kind.register
def _(first: LogProbability, objectives: Sequence[LogProbability], net: NetworkLike) -> Scorer:
    return _class_scorer(objectives, net, lambda logits: logits.log_softmax(1))


@compile_kind.register
def _(first: Custom, objectives: Sequence[Custom], net: NetworkLike) -> Scorer:
    for name in first.layers:
        net.layer(name)

    def score(scene: Scene) -> Tensor:
        scores = first.function(*(scene.activations[name] for name in first.layers))
        expected = scene.image.shape[0] * scene.n_views
        if scores.shape != (expected,):
            raise LayoutError(
                f"{first} returned scores of shape {tuple(scores.shape)}; expected ({expected},), one per view"
            )
        return scene.by_view(scores)

    return Scorer(frozenset(first.layers), score)


@compile_kind.register
def _(first: Regularizer, objectives: Sequence[Regularizer], net: NetworkLike) -> Scorer:
    return Scorer(frozenset(), lambda scene: first.penalty(scene.image)[:, None])


def check_positions(objective: Objective, net: NetworkLike) -> None:
    """Refuse units whose position lies beyond their layer at the network's input size.

    Raises:
        UnitRangeError: naming the layer's positions.
    """
    check_place(objective, net)
    for part in objective.parts:
        check_positions(part, net)


@singledispatch
def check_place(objective: Objective, net: NetworkLike) -> None:
    """Refuse one objective's own position; a kind that has one registers its own check."""


@check_place.register
def _(objective: Neuron | Direction, net: NetworkLike) -> None:
    if objective.position is not None:
        layer = net.layer(objective.layer)
        size = tuple(layer.shape[a] for a in POSITION_AXES.get(layer.layout, ()))
        check_position(objective.position, size, layer)
        flat_index(objective.position, size, layer)


def _channel(layer: LayerLike, index: int) -> int:
    channels_of(layer)
    if index >= layer.n_channels:
        raise UnitRangeError(
            f"layer {layer.name!r} has {layer.n_channels} channels, 0 to {layer.n_channels - 1}; got {index}"
        )
    return index


def _vector(vector: FrozenArray, layer: LayerLike) -> Tensor:
    if vector.shape != (layer.n_channels,):
        raise LayoutError(
            f"layer {layer.name!r} has {layer.n_channels} channels; the direction has {vector.shape[0]} numbers"
        )
    return vector.tensor()
