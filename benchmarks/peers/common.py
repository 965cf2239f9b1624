"""What every adapter shares: the job it is given, the input scaling, and the shims that let old packages import.

An adapter is a module with one function, `render(job) -> Tensor`: images (n 3 h w) in [0, 1] of the job, made with the
peer's own defaults (transforms, learning rate, initial noise, regularisation) at the job's size and number of steps.

Only the input scaling is ours: the network's correct one takes the place of the peer's ImageNet normalisation.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Job:
    """Channels of one layer, one image each, to be rendered in one batch."""

    module: nn.Module
    preprocess: Callable[[Tensor], Tensor]
    layer: str
    channels: tuple[int, ...]
    size: int = 224
    steps: int = 128
    seed: int = 0

    @property
    def target(self) -> nn.Module:
        """The module whose output is looked at."""
        return self.module.get_submodule(self.layer)


class Scaling(nn.Module):
    """A job's input scaling as a module, for the peers that ask for one."""

    def __init__(self, preprocess: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.preprocess = preprocess

    def forward(self, images: Tensor) -> Tensor:
        """Images (n 3 h w) in [0, 1] to the network's input."""
        return self.preprocess(images)


def seed_everything(seed: int) -> None:
    """The peers draw from the global generators of torch, NumPy and Python."""
    torch.manual_seed(seed)
    np.random.seed(seed)
    random.seed(seed)


def allow_torchvision_import() -> torch.library.Library:
    """Declare the operators that torchvision registers fake kernels for when it is imported.

    Where its compiled extension does not load, it lacks them and could not be imported.
    The result must be kept alive as long as torchvision is used.
    """
    library = torch.library.Library("torchvision", "FRAGMENT")
    if not hasattr(torch.ops.torchvision, "nms"):
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return library
