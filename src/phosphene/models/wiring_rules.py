"""What operations do to channels: which of them only pass on, which weigh, and which end the trail."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor

from phosphene.models.wiring_maps import Map, is_counted
from phosphene.models.wiring_sums import joined, product, signed_sum
from phosphene.models.wiring_traces import (
    GATE,
    UNKNOWN,
    Call,
    Trace,
    along,
    channel_axis,
    counted,
    plain,
    rows_along,
)


def _same(call: Call, trace: Trace) -> Trace:
    return trace


def _reshaped(call: Call, trace: Trace) -> Trace:
    # The labels may lie otherwise than the tensor, which "view" minds.
    return Trace(call.again(trace.labels.contiguous()), trace.maps, trace.n_rows)


def _spread(call: Call, trace: Trace) -> Trace:
    """Pools, and others that mix positions of one channel at a time."""
    axis = channel_axis(trace.labels)
    rows = None if axis is None else rows_along(trace.labels, axis)
    if rows is None or axis is None or call.output.ndim != trace.labels.ndim or call.output.shape[axis] != len(rows):
        return UNKNOWN
    view = [-1 if i == axis else 1 for i in range(call.output.ndim)]
    return Trace(rows.view(view).expand(call.output.shape), trace.maps, trace.n_rows)


def _padded(call: Call, trace: Trace) -> Trace:
    """Zeros around: of positions they change nothing, of channels they are channels that hang on nothing."""
    around = _spread(call, trace)
    return around if around.maps else Trace(call.again(trace.labels + 1) - 1, trace.maps, trace.n_rows)


def _mean(call: Call, trace: Trace) -> Trace:
    axes = call.kwargs.get("dim", call.args[1] if len(call.args) > 1 else None)
    if axes is None:
        return UNKNOWN
    keep = call.kwargs.get("keepdim", call.args[2] if len(call.args) > 2 else False)
    low, high = (extreme(trace.labels, axes, keep) for extreme in (torch.amin, torch.amax))
    return Trace(high, trace.maps, trace.n_rows) if torch.equal(low, high) else UNKNOWN


def _weighed(trace: Trace, matrix: Tensor, axis: int, shape: tuple[int, ...]) -> Trace:
    """Rows that a matrix (out, entries along the axis) makes of others; entries of one row are summed."""
    rows = rows_along(trace.labels, axis)
    if rows is None:
        return UNKNOWN
    if not is_counted(rows, trace.n_rows):
        folded = matrix.new_zeros(len(matrix), trace.n_rows + 1)
        matrix = folded.index_add_(1, rows % (trace.n_rows + 1), matrix)[:, :-1]
    maps = {layer: one.then(Map(matrix, weighted=True)) for layer, one in trace.maps.items()}
    return along(Trace(trace.labels, maps, len(matrix)), shape, axis)


def _weight(call: Call) -> Tensor:
    """Weights that are constants. Raises `ValueError` for those that depend on the image."""
    weight = call.args[1] if len(call.args) > 1 else call.kwargs["weight"]
    if call.trace(weight) is not None:
        raise ValueError("weights that depend on the image")
    return plain(weight)


def _linear(call: Call, trace: Trace) -> Trace:
    return _weighed(trace, _weight(call), -1, tuple(call.output.shape))


def _convolution(call: Call, trace: Trace) -> Trace:
    """A kernel's entries are summed: what a change everywhere does, far from the borders."""
    weight = _weight(call)
    sums, axis = weight.flatten(2).sum(2), trace.labels.ndim - weight.ndim + 1
    groups = trace.labels.shape[axis] // sums.shape[1]
    if groups == len(sums) and sums.shape[1] == 1:
        each = counted(trace, axis)
        maps = {layer: one.scaled(sums[:, 0], weighted=True) for layer, one in (each.maps if each else {}).items()}
        return along(Trace(trace.labels, maps, len(sums)), tuple(call.output.shape), axis)
    blocks = torch.block_diag(*sums.chunk(groups)) if groups > 1 else sums
    return _weighed(trace, blocks, axis, tuple(call.output.shape))


def _normalised(call: Call, trace: Trace) -> Trace:
    """A batch norm scales by what it has learned; of others the learned scale counts, not the picture's own."""
    try:
        given = inspect.signature(call.function).bind(*call.args, **call.kwargs).arguments
    except (ValueError, TypeError):  # a builtin, whose arguments have no names
        return UNKNOWN
    each = counted(trace, -1 if "normalized_shape" in given else 1)
    if each is None:
        return UNKNOWN
    scale = given.get("weight")
    factors = torch.ones(each.n_rows) if scale is None else plain(scale).flatten()
    variance = given.get("running_var")
    if variance is not None:
        factors = factors / (plain(variance) + given.get("eps", 1e-5)).sqrt()
    maps = {layer: one.scaled(factors) for layer, one in each.maps.items()}
    return Trace(each.labels, maps, each.n_rows)


Rule = Callable[[Call, Trace], Trace]

_RULES: Mapping[Rule, str] = MappingProxyType(
    {
        _same: (
            "relu relu6 leaky_relu elu selu celu gelu silu mish hardswish hardtanh tanh softplus prelu rrelu softsign "
            "clamp clip clamp_min clamp_max threshold dropout dropout2d alpha_dropout feature_dropout clone detach to "
            "float double half bfloat16 type cpu cuda contiguous requires_grad alias"
        ),
        _reshaped: (
            "view reshape flatten unflatten permute transpose swapaxes movedim squeeze unsqueeze getitem narrow expand "
            "repeat select chunk split unbind flip roll channel_shuffle pixel_shuffle pixel_unshuffle t"
        ),
        _spread: (
            "max_pool1d max_pool2d avg_pool1d avg_pool2d adaptive_avg_pool1d adaptive_avg_pool2d adaptive_max_pool2d "
            "lp_pool2d interpolate upsample"
        ),
        _padded: "pad",
        _mean: "mean amax",
        _linear: "linear",
        _convolution: "conv1d conv2d",
        _normalised: "batch_norm layer_norm group_norm instance_norm rms_norm",
        signed_sum: "add iadd radd sub isub rsub",
        product: "mul imul rmul multiply div truediv true_divide",
        joined: "cat concat concatenate",
    }
)
#: Rules by the names of functions, without underscores around them.
RULES: Mapping[str, Rule] = MappingProxyType({name: rule for rule, names in _RULES.items() for name in names.split()})
#: What makes a gate, and what a gate stays a gate through.
GATES = frozenset({"sigmoid", "hardsigmoid", "softmax"})
_KEEPING = frozenset({_same, _reshaped, _spread, _padded, _mean})


def traced(call: Call, first: Trace) -> Trace:
    """What is known of what an operation put out.

    Args:
        call: the operation.
        first: what is known of the first of its tensors that is no constant.
    """
    if call.name in GATES:
        return GATE
    rule = RULES.get(call.name)
    if rule is None:
        return UNKNOWN
    if not first.maps and rule in _KEEPING:
        return GATE if first.is_gate else UNKNOWN
    if not first.maps and rule not in (signed_sum, product, joined):
        return UNKNOWN
    try:
        return rule(call, first)
    except (RuntimeError, ValueError, TypeError, LookupError):  # called in a way that no rule foresees
        return UNKNOWN
