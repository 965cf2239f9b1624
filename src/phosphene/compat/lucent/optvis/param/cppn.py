"""A small network that paints."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable

import torch
from torch import Tensor, nn

from phosphene.compat.lucent.optvis.param.spatial import Param
from phosphene.parameterizations.cppn import ACTIVATIONS, places


class CompositeActivation(nn.Module):
    """Twice as many channels: atan(x) / 0.67 and atan(x)² / 0.6."""

    def forward(self, x: Tensor) -> Tensor:
        return ACTIVATIONS["composite"](x)


def cppn(
    size: int,
    num_output_channels: int = 3,
    num_hidden_channels: int = 24,
    num_layers: int = 8,
    activation_fn: Callable[[], nn.Module] = CompositeActivation,
    normalize: bool = False,
) -> Param:
    """One square image (1, c, size, size) from a network of 1 × 1 convolutions of each pixel's place.

    The output layer counts as one of ``num_layers``, so that there are 7 hidden ones by default (7 275 weights).
    Weights begin as N(0, 1 / fan-in), biases and the output's weights at 0: the image starts grey. Differences from
    Lucent: x runs along the columns, and only hidden layers are normalised.

    Args:
        size: rows and columns.
        num_output_channels: colour channels.
        num_hidden_channels: of each hidden layer.
        num_layers: number of convolutions.
        activation_fn: makes the activation behind each hidden layer.
        normalize: normalise hidden channels over the image.
    """
    spread = activation_fn()(torch.zeros(1, num_hidden_channels, 1, 1)).shape[1]
    inputs = [2, *[spread] * (num_layers - 1)]
    outputs = [*[num_hidden_channels] * (num_layers - 1), num_output_channels]
    parts: OrderedDict[str, nn.Module] = OrderedDict()
    for i, (n_in, n_out) in enumerate(zip(inputs, outputs, strict=True)):
        parts[f"conv{i}"] = _convolution(n_in, n_out, last=i == num_layers - 1)
        if i < num_layers - 1:
            parts |= {f"norm{i}": nn.InstanceNorm2d(n_out)} if normalize else {}
            parts[f"actv{i}"] = activation_fn()
    device = torch.get_default_device()
    net = nn.Sequential(parts).append(nn.Sigmoid()).to(device)
    at = places(size, size).to(device, torch.float32)[None]
    return list(net.parameters()), lambda: net(at)


def _convolution(n_in: int, n_out: int, *, last: bool) -> nn.Conv2d:
    # Without values first, so that the layer's own start draws nothing.
    with torch.device("meta"):
        layer = nn.Conv2d(n_in, n_out, 1)
    drawn = torch.zeros(n_out, n_in, 1, 1) if last else torch.randn(n_out, n_in, 1, 1, device="cpu") / math.sqrt(n_in)
    layer.load_state_dict({"weight": drawn, "bias": torch.zeros(n_out)}, assign=True)
    return layer.requires_grad_()
