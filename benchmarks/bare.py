"""The bare pass: forward and input gradient of the truncated network, and nothing else.

The network is frozen, its batch-norm folded, its memory format channels-last. Nothing can render faster than this;
it is written without phosphene's engine so that it can judge it.
"""

from __future__ import annotations

import copy
import itertools
import time

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def fold_batch_norms(module: nn.Module) -> nn.Module:
    """`module` itself, with each batch-norm that follows a convolution in its parent folded into it (in place)."""
    children = list(module.named_children())
    for (name, child), (norm_name, norm) in itertools.pairwise(children):
        if isinstance(child, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            setattr(module, name, fuse_conv_bn_eval(child, norm))
            setattr(module, norm_name, nn.Identity())
    for _, child in children:
        fold_batch_norms(child)
    return module


def truncated_lite0(module: nn.Module, n_blocks: int) -> nn.Module:
    """The stem and the first blocks of EfficientNet-Lite0, a copy ready for the bare pass."""
    cut = nn.Sequential(module.get_submodule("stem"), *list(module.get_submodule("blocks").children())[:n_blocks])
    cut = fold_batch_norms(copy.deepcopy(cut).eval())
    return cut.requires_grad_(False).to(memory_format=torch.channels_last)


def time_bare_pass(network: nn.Module, batch: int, steps: int) -> list[float]:
    """Seconds of each of `steps` passes for a batch of 224 px inputs, the score being one channel's mean per image."""
    inputs = torch.randn(batch, 3, 224, 224).contiguous(memory_format=torch.channels_last).requires_grad_()
    seconds: list[float] = []
    for _ in range(steps):
        start = time.perf_counter()
        score = network(inputs)[:, 7].mean((1, 2)).sum()
        torch.autograd.grad(score, inputs)
        seconds.append(time.perf_counter() - start)
    return seconds
