"""A network's positive, linear twin: the same geometry, in which no two paths cancel and none is dead."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.overrides import TorchFunctionMode

_PASSED_THROUGH = frozenset(
    f"{name}{suffix}"
    for name in (
        *(
            "relu",
            "relu6",
            "hardtanh",
            "hardswish",
            "leaky_relu",
            "prelu",
            "rrelu",
            "elu",
            "celu",
            "selu",
            "gelu",
            "silu",
            "mish",
            "softplus",
        ),
        *(
            "batch_norm",
            "layer_norm",
            "group_norm",
            "instance_norm",
            "rms_norm",
            "local_response_norm",
            "threshold",
            "softsign",
            "logsigmoid",
        ),
    )
    for suffix in ("", "_")
)
_MAX_POOL = ("input", "kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")


def twin(module: nn.Module) -> nn.Module:
    """A copy with positive weights of mean 1 / (number of inputs of an output), zero biases and unit scales."""
    module = copy.deepcopy(module)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if parameter.ndim < 2:
                parameter.fill_(0.0 if name.endswith("bias") else 1.0)
            else:
                values = 0.5 + torch.rand(parameter.shape, generator=generator)
                parameter.copy_(values / math.prod(parameter.shape[1:]))
    return module.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


class Linear(TorchFunctionMode):
    """While active, activations and norms return their input, and maxima over windows become means over the same
    windows.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        options = dict(kwargs or {})
        name = getattr(func, "__name__", "")
        if name in _PASSED_THROUGH:
            return args[0] if args else options["input"]
        if func is F.max_pool2d or name in ("max_pool2d", "_max_pool2d"):
            return _mean_pool(func, args, options)
        return func(*args, **options)


def _mean_pool(func: Callable[..., Any], args: Sequence[Any], options: Mapping[str, Any]) -> Any:
    """``func`` with means for maxima; a dilated window, or one whose indices are asked for, stays a maximum."""
    given = {**dict(zip(_MAX_POOL, args, strict=False)), **options}
    dilation = given.get("dilation", 1)
    is_dilated = max(dilation if isinstance(dilation, tuple | list) else (dilation,)) > 1
    if is_dilated or given.get("return_indices"):
        return func(*args, **options)
    return F.avg_pool2d(
        given["input"], given["kernel_size"], given.get("stride"), given.get("padding", 0), bool(given.get("ceil_mode"))
    )
