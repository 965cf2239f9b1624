"""Activations in place without a copy.

PyTorch's in-place ReLU6 keeps a copy of its input for the backward pass. Its output tells as much: the gradient is cut
where the output lies on a bound. On EfficientNet-Lite0's expanded feature maps that copy is among the dearest things of
a pass.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class _Clamp(torch.autograd.Function):
    """``x.clamp_(low, high)`` that keeps its output for the backward pass instead of a copy of its input."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, low: float, high: float) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        x.clamp_(low, high)
        ctx.mark_dirty(x)
        ctx.save_for_backward(x)
        ctx.bounds = low, high
        return x

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        (output,) = ctx.saved_tensors
        return torch.ops.aten.hardtanh_backward(grad, output, *ctx.bounds), None, None


class LeanReLU6(nn.ReLU6):
    """An in-place ReLU6 that keeps no copy of its input; values and gradients are those of ``nn.ReLU6``."""

    def forward(self, input: Tensor) -> Tensor:
        if input._is_view():  # autograd has rules of its own for what is written into a part of a tensor
            return super().forward(input)
        return _Clamp.apply(input, self.min_val, self.max_val)  # pyright: ignore[reportReturnType]


def lean(module: nn.Module) -> None:
    """Make every in-place ``nn.ReLU6`` inside ``module`` lean, in place; names and hooks stay."""
    for part in module.modules():
        if type(part) is nn.ReLU6 and part.inplace:
            part.__class__ = LeanReLU6
