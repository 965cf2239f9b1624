"""Where a layer's channels and positions are, in every layout, and how values of images meet values of views."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.errors import LayoutError, UnitRangeError
from phosphene.objectives.compile import LayerLike, OnDevice, Scorer
from phosphene.objectives.scene import Scene
from phosphene.units import Position

#: Layout to the axes of its positions, and how an activation becomes (m, channels, positions) or (m, channels, …).
POSITION_AXES = {"NC": (), "NCHW": (2, 3), "NHWC": (1, 2), "NLC": (1,)}
_TO_CHANNELS: dict[str, Callable[[Tensor], Tensor]] = {
    "NC": lambda a: a[:, :, None],
    "NCHW": lambda a: a.flatten(2),
    "NHWC": lambda a: a.flatten(1, 2).transpose(1, 2),
    "NLC": lambda a: a.transpose(1, 2),
}
_TO_GRID: dict[str, Callable[[Tensor], Tensor]] = {
    "NC": lambda a: a,
    "NCHW": lambda a: a,
    "NHWC": lambda a: a.permute(0, 3, 1, 2),
    "NLC": lambda a: a.transpose(1, 2),
}


def single_layer(layer: str, score: Callable[[Scene], Tensor]) -> Scorer:
    """A scorer of views that reads one layer."""
    return Scorer(frozenset({layer}), lambda scene: scene.by_view(score(scene)))


def per_view(values: OnDevice, scene: Scene, activations: Tensor) -> Tensor:
    """A constant of each image, once for each of its views."""
    value = values.like(activations)
    return value.repeat_interleave(scene.n_views, 0) if scene.n_views > 1 else value


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


def grid_of(layer: LayerLike) -> Callable[[Tensor], Float[Tensor, "m c *positions"]]:
    """How the layer's activations become (m, channels, …) with their positions' axes kept: rows and columns, tokens, or
    none.

    Raises:
        LayoutError: if the layer has no channels that phosphene knows of.
    """
    channels_of(layer)
    return _TO_GRID[layer.layout]


def places(positions: Sequence[Position | None], layer: LayerLike) -> Callable[[Scene, Tensor], Tensor]:
    """The flat position (m,) of each image's unit, the centre worked out from the activation's own size.

    Raises:
        LayoutError: a position of the wrong length for the layer.
        UnitRangeError: a position beyond the layer at the network's input size.
    """
    axes = POSITION_AXES.get(layer.layout, ())
    size = tuple(layer.shape[a] for a in axes)
    if not axes:
        raise LayoutError(f"layer {layer.name!r} has no positions: its output is {layer.shape}; use a Channel")
    for position in positions:
        check_position(position, size, layer)
    cache: dict[tuple[int, ...], OnDevice] = {}

    def flat(scene: Scene, activations: Tensor) -> Tensor:
        now = tuple(activations.shape[a] for a in axes)
        if now not in cache:
            cache[now] = OnDevice(torch.tensor([flat_index(p, now, layer) for p in positions]))
        return per_view(cache[now], scene, activations)

    return flat


def check_position(position: Position | None, size: tuple[int, ...], layer: LayerLike) -> None:
    """Refuse a position of the wrong length.

    Raises:
        LayoutError: naming what the layer has.
    """
    if position is not None and len(position) != len(size):
        expected = "(row, column)" if len(size) == 2 else "(token,)"
        raise LayoutError(f"position {position} does not fit layer {layer.name!r}; expected {expected} within {size}")


def flat_index(position: Position | None, size: tuple[int, ...], layer: LayerLike) -> int:
    """A position's number, row after row, in a layer of ``size`` positions.

    Raises:
        UnitRangeError: it lies beyond them.
    """
    place = tuple(n // 2 for n in size) if position is None else position
    if any(p >= n for p, n in zip(place, size, strict=True)):
        raise UnitRangeError(
            f"position {place} lies beyond layer {layer.name!r}, whose positions are {size}, counted from 0"
        )
    return place[0] * size[1] + place[1] if len(size) == 2 else place[0]


def at_position(channels: Float[Tensor, "m c p"], place: Tensor) -> Float[Tensor, "m c"]:
    """Each view's channels at its flat position (m,)."""
    return channels.gather(2, place[:, None, None].expand(-1, channels.shape[1], 1))[:, :, 0]
