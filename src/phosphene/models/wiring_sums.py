"""What operations on several tensors do to channels: sums, products and rows of tensors side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor

from phosphene.models.wiring_maps import Map, Maps, stacked, total
from phosphene.models.wiring_traces import GATE, UNKNOWN, Call, Trace, broadcast, channel_axis, counted, plain


def signed_sum(call: Call, _: Trace) -> Trace:
    """A sum or difference; what hangs on layers in ways that are not known is left out of it."""
    if call.kwargs.get("alpha", 1) != 1 or call.name == "rsub":
        return UNKNOWN
    first, second = (call.trace(value) for value in call.args[:2])
    if "sub" in call.name and second is not None:
        second = _times(second, -1.0)
    known = [trace for trace in (first, second) if trace is not None and trace.maps]
    return broadcast(known[0], call.output) if len(known) == 1 else _sum_of(known, call.output)


def _sum_of(parts: Sequence[Trace], output: Tensor) -> Trace:
    """The sum of two tensors whose channels lie along the same axis."""
    axes = {channel_axis(trace.labels) for trace in parts}
    if len(axes) != 1 or None in axes:
        return UNKNOWN
    axis = cast(int, axes.pop())
    each = [counted(trace, axis) for trace in parts]
    whole = [broadcast(trace, output) for trace in each if trace is not None]
    if len({trace.n_rows for trace in whole}) != 1:
        return UNKNOWN
    return Trace(whole[0].labels, total([trace.maps for trace in whole]), whole[0].n_rows)


def _times(trace: Trace, factor: float) -> Trace:
    values = {layer: Map(one.values * factor, one.weighted) for layer, one in trace.maps.items()}
    return Trace(trace.labels, values, trace.n_rows)


def product(call: Call, _: Trace) -> Trace:
    """A product with a constant, or with a gate, which counts as open."""
    first, second = call.args[:2]
    traces = (call.trace(first), call.trace(second))
    if (trace := traces[0]) is not None and trace.maps:
        other, gate = second, traces[1]
    elif (trace := traces[1]) is not None and trace.maps and "div" not in call.name:
        other, gate = first, traces[0]
    else:
        return GATE if all(one is not None and one.is_gate for one in traces) else UNKNOWN
    if gate is not None:
        return broadcast(trace, call.output) if gate.is_gate else UNKNOWN
    return _by_constant(trace, other, call)


def _by_constant(trace: Trace, other: Any, call: Call) -> Trace:
    constant = plain(torch.as_tensor(other))
    constant = constant.reciprocal() if "div" in call.name else constant
    if constant.numel() == 1:
        return broadcast(_times(trace, float(constant)), call.output)
    axis = channel_axis(trace.labels)
    each = None if axis is None else counted(trace, axis)
    spread = torch.broadcast_to(constant, call.output.shape)
    if each is None or axis is None or each.labels.shape != call.output.shape:
        return UNKNOWN
    rows = spread.movedim(axis, 0).flatten(1)
    if not bool((rows == rows[:, :1]).all()):
        return UNKNOWN
    return Trace(each.labels, {layer: one.scaled(rows[:, 0]) for layer, one in each.maps.items()}, each.n_rows)


def joined(call: Call, _: Trace) -> Trace:
    """Tensors side by side: their rows follow each other; those of constants and of what is unknown are left out."""
    parts: Sequence[Tensor] = call.args[0] if call.args else call.kwargs["tensors"]
    axis = call.kwargs.get("dim", call.args[1] if len(call.args) > 1 else 0)
    labels, blocks, n = list[Tensor](), list[tuple[Maps, int]](), 0
    for part in parts:
        trace = call.trace(part)
        if trace is None or not trace.maps:
            labels.append(torch.full(part.shape, -1))
            continue
        labels.append(torch.where(trace.labels < 0, trace.labels, trace.labels + n))
        blocks.append((trace.maps, trace.n_rows))
        n += trace.n_rows
    return Trace(torch.cat(labels, axis), stacked(blocks), n)
