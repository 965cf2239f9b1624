"""How each unit is read from its layer's activations, many units at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._algebra import Objective, Product, Regularizer, Scaled, Sum
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
    Position,
    Probability,
    WeightedChannels,
)

__all__ = ["channels_of", "check_positions", "compile_objectives", "places"]

#: Layout to the axes of its positions, and how an activation becomes (m, channels, positions).
_POSITION_AXES = {"NC": (), "NCHW": (2, 3), "NHWC": (1, 2), "NLC": (1,)}
_TO_CHANNELS: dict[str, Callable[[Tensor], Tensor]] = {
    "NC": lambda a: a[:, :, None],
    "NCHW": lambda a: a.flatten(2),
    "NHWC": lambda a: a.flatten(1, 2).transpose(1, 2),
    "NLC": lambda a: a.transpose(1, 2),
}


@grouping_key.register
def _(objective: LayerUnit) -> object:
    return objective.layer


@grouping_key.register
def _(objective: Direction) -> object:
    return objective.layer, objective.position is None


@grouping_key.register
def _(objective: ClassUnit) -> object:
    return None


def _single(layer: str, score: Callable[[Scene], Tensor]) -> Scorer:
    """A scorer of views that reads one layer."""
    return Scorer(frozenset({layer}), lambda scene: scene.by_view(score(scene)))


def _per_view(values: OnDevice, scene: Scene, activations: Tensor) -> Tensor:
    """A constant of each image, once for each of its views."""
    value = values.like(activations)
    return value.repeat_interleave(scene.n_views, 0) if scene.n_views > 1 else value


@compile_kind.register
def _(first: Layer, objectives: Sequence[Layer], net: NetworkLike) -> Scorer:
    net.layer(first.layer)
    return _single(first.layer, lambda scene: scene.activations[first.layer].flatten(1).square().mean(1))


@compile_kind.register
def _(first: Channel, objectives: Sequence[Channel], net: NetworkLike) -> Scorer:
    layer = net.layer(first.layer)
    spread = channels_of(layer)
    index = OnDevice(torch.tensor([[_channel(layer, o.index)] for o in objectives]))

    def score(scene: Scene) -> Tensor:
        means = spread(scene.activations[first.layer]).mean(2)
        return means.gather(1, _per_view(index, scene, means))[:, 0]

    return _single(first.layer, score)


@compile_kind.register
def _(first: Neuron, objectives: Sequence[Neuron], net: NetworkLike) -> Scorer:
    layer = net.layer(first.layer)
    spread = channels_of(layer)
    index = OnDevice(torch.tensor([[_channel(layer, o.index)] for o in objectives]))
    place = places([o.position for o in objectives], layer)

    def score(scene: Scene) -> Tensor:
        acts = scene.activations[first.layer]
        there = _at(spread(acts), place(scene, acts))
        return there.gather(1, _per_view(index, scene, there))[:, 0]

    return _single(first.layer, score)


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
            here = _at(here, place(scene, acts))[:, :, None]
        vector, power = _per_view(vectors, scene, here), _per_view(powers, scene, here)
        return dot_cossim(here.transpose(1, 2), vector, power).mean(1)

    return _single(first.layer, score)


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
        return (means * _per_view(weights, scene, means)).sum(1)

    return _single(first.layer, score)


def _class_scorer(objectives: Sequence[ClassUnit], net: NetworkLike, read: Callable[[Tensor], Tensor]) -> Scorer:
    layer = net.layer(net.output_layer)
    if layer.layout != "NC":
        raise LayoutError(
            f"classes need a network whose output is (n, classes); its shape is {layer.shape}; use a Channel"
        )
    index = OnDevice(torch.tensor([[_channel(layer, net.class_index(o.class_))] for o in objectives]))

    def score(scene: Scene) -> Tensor:
        outputs = read(scene.activations[layer.name])
        return outputs.gather(1, _per_view(index, scene, outputs))[:, 0]

    return _single(layer.name, score)


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


def channels_of(layer: LayerLike) -> Callable[[Tensor], Float[Tensor, "m c p"]]:
    """How the layer's activations become (m, channels, positions).

    Raises:
        LayoutError: if the layer has no channels that phosphene knows of.
    """
    if layer.layout not in _TO_CHANNELS:
        raise LayoutError(
            f"layer {layer.name!r} gives {layer.shape}, which has no channel axis that is known; use objectives.Custom"
        )
    return _TO_CHANNELS[layer.layout]


def places(positions: Sequence[Position | None], layer: LayerLike) -> Callable[[Scene, Tensor], Tensor]:
    """The flat position (m, 1, 1) of each image's unit, the centre worked out from the activation's own size.

    Raises:
        LayoutError: a position of the wrong length for the layer.
        UnitRangeError: a position beyond the layer at the network's input size.
    """
    axes = _POSITION_AXES.get(layer.layout, ())
    size = tuple(layer.shape[a] for a in axes)
    if not axes:
        raise LayoutError(f"layer {layer.name!r} has no positions: its output is {layer.shape}; use a Channel")
    for position in positions:
        _check_position(position, size, layer)
    cache: dict[tuple[int, ...], OnDevice] = {}

    def flat(scene: Scene, activations: Tensor) -> Tensor:
        now = tuple(activations.shape[a] for a in axes)
        if now not in cache:
            cache[now] = OnDevice(torch.tensor([_flat_index(p, now, layer) for p in positions]))
        return _per_view(cache[now], scene, activations)

    return flat


def check_positions(objective: Objective, net: NetworkLike) -> None:
    """Refuse units whose position lies beyond their layer at the network's input size.

    Raises:
        UnitRangeError: naming the layer's positions.
    """
    if isinstance(objective, Sum | Product):
        for term in objective.terms:
            check_positions(term, net)
    elif isinstance(objective, Scaled):
        check_positions(objective.objective, net)
    elif isinstance(objective, Neuron | Direction) and objective.position is not None:
        layer = net.layer(objective.layer)
        size = tuple(layer.shape[a] for a in _POSITION_AXES.get(layer.layout, ()))
        _check_position(objective.position, size, layer)
        _flat_index(objective.position, size, layer)


def _check_position(position: Position | None, size: tuple[int, ...], layer: LayerLike) -> None:
    if position is not None and len(position) != len(size):
        expected = "(row, column)" if len(size) == 2 else "(token,)"
        raise LayoutError(f"position {position} does not fit layer {layer.name!r}; expected {expected} within {size}")


def _flat_index(position: Position | None, size: tuple[int, ...], layer: LayerLike) -> int:
    place = tuple(n // 2 for n in size) if position is None else position
    if any(p >= n for p, n in zip(place, size, strict=True)):
        raise UnitRangeError(
            f"position {place} lies beyond layer {layer.name!r}, whose positions are {size}, counted from 0"
        )
    return place[0] * size[1] + place[1] if len(size) == 2 else place[0]


def _at(channels: Float[Tensor, "m c p"], place: Tensor) -> Float[Tensor, "m c"]:
    return channels.gather(2, place[:, None, None].expand(-1, channels.shape[1], 1))[:, :, 0]


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
