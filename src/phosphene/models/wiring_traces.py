"""What is known of a tensor's channels while a network runs, and of the operations that make tensors of tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from phosphene.models.wiring_maps import Maps


@dataclass(frozen=True, eq=False)
class Trace:
    """What is known of a tensor.

    Attributes:
        labels: of the tensor's shape; which row of the maps each of its numbers is an answer of, -1 for none.
        maps: how strongly the rows hang on the channels of layers; empty where that is not known.
        n_rows: number of rows.
        is_gate: whether it is a factor that other tensors are let through by, such as a sigmoid.
    """

    labels: Tensor
    maps: Maps
    n_rows: int
    is_gate: bool = False


UNKNOWN = Trace(torch.empty(0), {}, 0)
GATE = Trace(torch.empty(0), {}, 0, is_gate=True)


@dataclass(frozen=True, eq=False)
class Call:
    """An operation that took place.

    Attributes:
        name: of the function, without underscores around it: ``add_``, ``__add__`` and ``add`` are one.
        function: what was called; of several outputs, it gives the one.
        args, kwargs: with what.
        output: a tensor that came out.
        trace: what is known of a value that went in; None of a constant.
    """

    name: str
    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    output: Tensor
    trace: Callable[[object], Trace | None]

    def again(self, labels: Tensor) -> Tensor:
        """The same operation done to labels."""
        return self.function(labels, *self.args[1:], **self.kwargs)


def along(trace: Trace, labels_shape: tuple[int, ...], axis: int) -> Trace:
    """A trace whose rows are counted along an axis of a tensor."""
    view = [-1 if i == axis % len(labels_shape) else 1 for i in range(len(labels_shape))]
    labels = torch.arange(labels_shape[axis]).view(view).expand(labels_shape)
    return Trace(labels, trace.maps, labels_shape[axis])


def rows_along(labels: Tensor, axis: int) -> Int[Tensor, " rows"] | None:
    """The labels along an axis, where they change along no other one; else None."""
    first = labels.movedim(axis, 0).flatten(1)[:, :1]
    return first[:, 0] if bool((labels.movedim(axis, 0).flatten(1) == first).all()) else None


def counted(trace: Trace, axis: int) -> Trace | None:
    """The same with rows that are counted along an axis; None where labels change along others, too."""
    rows = rows_along(trace.labels, axis)
    if rows is None:
        return None
    maps = {layer: one.chosen(rows) for layer, one in trace.maps.items()}
    return along(Trace(trace.labels, maps, len(rows)), tuple(trace.labels.shape), axis)


def channel_axis(labels: Tensor) -> int | None:
    """The one axis along which labels change; of labels that never change, the second; None where there are several."""
    changing = [i for i in range(labels.ndim) if bool((labels != labels.select(i, 0).unsqueeze(i)).any())]
    if len(changing) > 1 or not labels.ndim:
        return None
    return changing[0] if changing else min(1, labels.ndim - 1)


def plain(values: Tensor) -> Tensor:
    """Values to calculate with: on the CPU, in 32 bits, without a gradient."""
    return values.detach().cpu().float()


def broadcast(trace: Trace, output: Tensor) -> Trace:
    """The same for a tensor that an operation has broadcast."""
    return Trace(torch.broadcast_to(trace.labels, output.shape), trace.maps, trace.n_rows)
