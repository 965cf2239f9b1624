"""A weighted group of neurons in a window of positions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import ClassVar

import torch
from torch import Tensor

from phosphene._component import check
from phosphene._types import FrozenArray
from phosphene.errors import LayoutError, UnitRangeError
from phosphene.objectives.compile import LayerLike, NetworkLike, OnDevice, Scorer, compile_kind, grouping_key
from phosphene.objectives.layouts import POSITION_AXES, channels_of, check_position, flat_index, per_view, single_layer
from phosphene.objectives.readers import check_place
from phosphene.objectives.scene import Scene
from phosphene.units import LayerUnit, Position


@dataclass(frozen=True)
class LocalGroup(LayerUnit):
    """A weighted sum of channels, averaged over a window of positions (Lucent's ``localgroup_weight``; a window of one
    position is its ``neuron_weight``).

    Lucent also averages over the c channels, so its values with weights are 1/c of these.

    Attributes:
        weights: one number per channel; None is the mean over channels. An array or tensor is frozen.
        position: where the window begins, ``(row, column)`` or ``(token,)``; None centres it at ``shape // 2``, where
            Lucent lets it begin.
        size: rows and columns, or tokens, of the window; None is one position.
    """

    weights: FrozenArray | None = None
    position: Position | None = None
    size: tuple[int, ...] | None = None
    cites: ClassVar[tuple[str, ...]] = ("kiat2020lucent",)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.weights is not None:
            object.__setattr__(self, "weights", FrozenArray.of(self.weights))
            shape = self.weights.shape
            check(len(shape) == 1 and shape[0] > 0, "weights", shape, "one number per channel")
        for name, least in (("position", 0), ("size", 1)):
            value = getattr(self, name)
            fits = value is None or (len(value) in (1, 2) and all(n >= least for n in value))
            check(fits, name, value, f"(rows, columns) or (tokens,), whole numbers from {least}")

    @property
    def needs_whole_image(self) -> bool:
        return True

    def __str__(self) -> str:
        place = "centre" if self.position is None else ",".join(map(str, self.position))
        size = "" if self.size is None else "+" + "×".join(map(str, self.size))
        return f"{self.layer}:group@{place}{size}"


@grouping_key.register
def _(objective: LocalGroup) -> object:
    return objective.layer, objective.size


@compile_kind.register
def _(first: LocalGroup, objectives: Sequence[LocalGroup], net: NetworkLike) -> Scorer:
    layer = net.layer(first.layer)
    spread = channels_of(layer)
    window = _windows(objectives, layer)
    weights = OnDevice(torch.stack([_weights(o, layer) for o in objectives]))

    def score(scene: Scene) -> Tensor:
        here = spread(scene.activations[first.layer])
        group = here.gather(2, window(scene)[:, None].expand(-1, here.shape[1], -1)).mean(2)
        return (group * per_view(weights, scene, group)).sum(1)

    return single_layer(first.layer, score)


@check_place.register
def _(objective: LocalGroup, net: NetworkLike) -> None:
    layer = net.layer(objective.layer)
    _check_window(objective, _axes(layer), layer)
    if objective.position is not None:
        _numbers(objective, tuple(layer.shape[a] for a in _axes(layer)), layer)


def _windows(objectives: Sequence[LocalGroup], layer: LayerLike) -> Callable[[Scene], Tensor]:
    """The flat positions (m, k) of each view's window."""
    axes = _axes(layer)
    for objective in objectives:
        _check_window(objective, axes, layer)
    cache: dict[tuple[int, ...], OnDevice] = {}

    def window(scene: Scene) -> Tensor:
        activations = scene.activations[layer.name]
        now = tuple(activations.shape[a] for a in axes)
        if now not in cache:
            cache[now] = OnDevice(torch.tensor([_numbers(o, now, layer) for o in objectives]))
        return per_view(cache[now], scene, activations)

    return window


def _axes(layer: LayerLike) -> tuple[int, ...]:
    axes = POSITION_AXES.get(layer.layout, ())
    if not axes:
        raise LayoutError(f"layer {layer.name!r} has no positions: its output is {layer.shape}; use WeightedChannels")
    return axes


def _check_window(objective: LocalGroup, axes: tuple[int, ...], layer: LayerLike) -> None:
    size = tuple(layer.shape[a] for a in axes)
    check_position(objective.position, size, layer)
    if objective.size is not None and len(objective.size) != len(size):
        expected = "(rows, columns)" if len(size) == 2 else "(tokens,)"
        raise LayoutError(f"size {objective.size} does not fit layer {layer.name!r}; expected {expected} within {size}")


def _numbers(objective: LocalGroup, now: tuple[int, ...], layer: LayerLike) -> list[int]:
    """The window's positions, counted row after row in a layer of ``now`` positions."""
    size = objective.size or (1,) * len(now)
    start = objective.position or tuple(n // 2 - s // 2 for n, s in zip(now, size, strict=True))
    if any(first < 0 or first + s > n for first, s, n in zip(start, size, now, strict=True)):
        raise UnitRangeError(f"a window of {size} from {start} leaves layer {layer.name!r}, whose positions are {now}")
    ticks = (range(first, first + s) for first, s in zip(start, size, strict=True))
    return [flat_index(place, now, layer) for place in product(*ticks)]


def _weights(objective: LocalGroup, layer: LayerLike) -> Tensor:
    if objective.weights is None:
        return torch.full((layer.n_channels,), 1 / layer.n_channels)
    if objective.weights.shape != (layer.n_channels,):
        raise LayoutError(
            f"layer {layer.name!r} has {layer.n_channels} channels; the group has {objective.weights.shape[0]} weights"
        )
    return objective.weights.tensor()
