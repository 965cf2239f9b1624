"""Lucent's objectives: functions of ``T``, which gives a layer's output by its name, to a *loss* that is minimised.

``T("mixed4a")`` is what a layer put out, its path joined with ``_`` (or dotted); ``T("input")`` the image itself, in
[0, 1] and untransformed; ``T("labels")`` what the model put out. Positions are x, the column, and y, the row, in the
middle by default (the lower right one of four). Lucent mixes up the two middles, which shows where a layer is not
square.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from phosphene.compat.lucent.optvis.objectives_util import (
    Getter,
    Objective,
    as_weights,
    handle_batch,
    position,
    wrap_objective,
)
from phosphene.errors import ArgumentError, UnitFormatError, UnitRangeError
from phosphene.functional.filters import BLUR_3X3, blur_normalized

__all__ = [
    "Objective",
    "alignment",
    "as_objective",
    "blur_input_each_step",
    "channel",
    "channel_interpolate",
    "channel_weight",
    "direction",
    "direction_neuron",
    "diversity",
    "handle_batch",
    "localgroup_weight",
    "neuron",
    "neuron_weight",
    "wrap_objective",
]

Loss = Callable[[Getter], Tensor]

#: Neighbours in a batch that :func:`alignment` compares, by their distance.
_DISTANCES = (1, 2, 3, 4)


@wrap_objective
def neuron(layer: str, n_channel: int, x: int | None = None, y: int | None = None, batch: int | None = None) -> Loss:
    """``−mean(a[:, n_channel, y, x])``."""
    return handle_batch(batch)(lambda model: -_channel(position(model(layer), x, y), n_channel).mean())


@wrap_objective
def channel(layer: str, n_channel: int, batch: int | None = None) -> Loss:
    """``−mean(a[:, n_channel])``, also for vectors."""
    return handle_batch(batch)(lambda model: -_channel(model(layer), n_channel).mean())


@wrap_objective
def neuron_weight(
    layer: str, weight: Tensor | None, x: int | None = None, y: int | None = None, batch: int | None = None
) -> Loss:
    """``−mean(w · a[:, :, y, x])`` over images and channels; without weights the mean of all channels."""
    return handle_batch(batch)(lambda model: -_weighted(position(model(layer), x, y), weight))


@wrap_objective
def channel_weight(layer: str, weight: Tensor, batch: int | None = None) -> Loss:
    """``−mean(w · a)`` over images, channels and positions."""
    return handle_batch(batch)(lambda model: -_weighted(model(layer), weight))


@wrap_objective
def localgroup_weight(  # noqa: PLR0913 - Lucent's signature
    layer: str,
    weight: Tensor | None = None,
    x: int | None = None,
    y: int | None = None,
    wx: int = 1,
    wy: int = 1,
    batch: int | None = None,
) -> Loss:
    """``−mean(w · a[:, :, y:y+wy, x:x+wx])``; without weights the mean of all channels, without place the middle."""
    return handle_batch(batch)(lambda model: -_weighted(position(model(layer), x, y, wx, wy), weight))


@wrap_objective
def direction(layer: str, direction: Tensor, batch: int | None = None) -> Loss:
    """Minus the mean over positions of the cosine between activations and a direction (channels,)."""
    return handle_batch(batch)(lambda model: -_cosine(model(layer), direction))


@wrap_objective
def direction_neuron(
    layer_name: str, direction: Tensor, x: int | None = None, y: int | None = None, batch: int | None = None
) -> Loss:
    """Minus the cosine between the activations at one position and a direction (channels,)."""
    return handle_batch(batch)(lambda model: -_cosine(position(model(layer_name), x, y), direction))


@wrap_objective
def blur_input_each_step() -> Loss:
    """``−½ Σ (image − blurred)²``: *minus* k times it draws the image towards its 3 × 3 blur, plus sharpens it."""

    def inner(model: Getter) -> Tensor:
        image = model("input")
        return -0.5 * (image - blur_normalized(image.detach(), BLUR_3X3)).square().sum()

    return inner


@wrap_objective
def channel_interpolate(layer1: str, n_channel1: int, layer2: str, n_channel2: int) -> Loss:
    """The first channel for the first image, the second for the last, and mixtures in between; a single image gets the
    first (Lucent divides by 0).
    """

    def inner(model: Getter) -> Tensor:
        first, second = _means(model(layer1), n_channel1), _means(model(layer2), n_channel2)
        share = torch.linspace(0, 1, len(first), device=first.device, dtype=first.dtype)
        return -((1 - share) * first + share * second).sum()

    return inner


@wrap_objective
def alignment(layer: str, decay_ratio: float = 2) -> Loss:
    """``Σ_d Σ_i mean((a_i − a_{i+d})²) / decay_ratio^d`` for distances of 1 to 4: images that follow each other should
    be alike.
    """

    def inner(model: Getter) -> Tensor:
        acts = model(layer).flatten(1)
        gaps = [(acts[d:] - acts[:-d]).square().mean(1).sum() / decay_ratio**d for d in _DISTANCES if d < len(acts)]
        return torch.stack(gaps).sum() if gaps else acts.sum() * 0

    return inner


@wrap_objective
def diversity(layer: str) -> Loss:
    """``−Σ_{i ≠ j} ⟨G_i, G_j⟩ / n`` of Gram matrices at unit norm: subtract it to have different images."""

    def inner(model: Getter) -> Tensor:
        acts = model(layer).flatten(2)
        grams = F.normalize((acts @ acts.transpose(1, 2)).flatten(1), dim=1)
        likeness = grams @ grams.T
        return -(likeness.sum() - likeness.diagonal().sum()) / len(acts)

    return inner


def as_objective(obj: object) -> Callable[[Getter], Tensor]:
    """An objective from a text "layer:channel"; objectives and any other functions of ``T`` stay as they are.

    Raises:
        UnitFormatError: a text of another form.
        ArgumentError: neither a text nor a function.
    """
    if isinstance(obj, str):
        layer, colon, number = obj.rpartition(":")
        if not colon or not number.strip().isdecimal():
            raise UnitFormatError(f"{obj!r} is no objective; expected 'layer:channel', such as 'mixed4a:476'")
        return channel(layer.strip(), int(number))
    if callable(obj):
        return cast("Callable[[Getter], Tensor]", obj)
    raise ArgumentError(f"expected an objective, a function of T or 'layer:channel'; got {type(obj).__name__}")


def _means(acts: Tensor, n_channel: int) -> Tensor:
    """The mean of one channel in each image (n,)."""
    return _channel(acts, n_channel).flatten(1).mean(1)


def _channel(acts: Tensor, n_channel: int) -> Tensor:
    """One channel of (n, c, …), counted from the end where it is negative.

    Raises:
        UnitRangeError: the layer has no such channel.
    """
    count = acts.shape[1]
    if not -count <= n_channel < count:
        raise UnitRangeError(f"channel {n_channel} was asked for, but the layer has {count}: use 0 to {count - 1}")
    return acts[:, n_channel]


def _weighted(acts: Tensor, weight: Tensor | None) -> Tensor:
    return acts.mean() if weight is None else (acts * as_weights(weight, acts)).mean()


def _cosine(acts: Tensor, direction: Tensor) -> Tensor:
    return F.cosine_similarity(as_weights(direction, acts), acts, dim=1).mean()
