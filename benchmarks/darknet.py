"""Darknet-tiny, the independent judge: a small ImageNet classifier that no picture is optimised for.

Its weights are not part of the product; `judge.data_folder` says where they are looked for.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WIDTHS = (16, 32, 16, 128, 16, 128, 32, 256, 32, 256, 64, 512, 64, 512, 128)
"""Output channels of the convolutions 1 to 15."""
POINTWISE = (3, 5, 7, 9, 11, 13, 15)
"""Convolutions with a 1 x 1 kernel; the others are 3 x 3, padded by 1."""
POOLED_AFTER = (1, 2, 6, 10)
"""Convolutions followed by a 2 x 2 max-pooling in ceil mode."""
N_CLASSES = 1000
SIZE = 224
"""Side of the input in pixels."""


class DarknetTiny(nn.Module):
    """Darknet-tiny: RGB images (n 3 224 224) in [0, 1] to logits (n 1000), classes in WNID order."""

    def __init__(self) -> None:
        super().__init__()
        width_in = 3
        for i, width in enumerate(WIDTHS, start=1):
            kernel = 1 if i in POINTWISE else 3
            self.add_module(f"conv_{i}", nn.Conv2d(width_in, width, kernel, padding=kernel // 2, bias=False))
            self.add_module(f"bn_{i}", nn.BatchNorm2d(width, eps=1e-3))
            width_in = width
        self.conv_16 = nn.Conv2d(width_in, N_CLASSES, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (n 1000) of images (n 3 h w) in [0, 1]."""
        x = images
        for i in range(1, len(WIDTHS) + 1):
            x = F.leaky_relu(self.get_submodule(f"bn_{i}")(self.get_submodule(f"conv_{i}")(x)), 0.1)
            if i in POOLED_AFTER:
                x = F.max_pool2d(x, 2, ceil_mode=True)
        return self.conv_16(x).mean((2, 3))


def load_darknet(weights: Path) -> DarknetTiny:
    """The trained network in eval mode, frozen; `weights` is the file `darknet_tiny_std.pt`."""
    net = DarknetTiny()
    net.load_state_dict(torch.load(weights, weights_only=True))
    return net.eval().requires_grad_(False)


@torch.no_grad()
def ranks(net: nn.Module, images: Tensor, classes: Tensor) -> Tensor:
    """Rank (n,) of each image's own class among all, 1 = first; images (n 3 h w) in [0, 1] are resized to 224 px."""
    resized = F.interpolate(images, (SIZE, SIZE), mode="bilinear", antialias=True, align_corners=False)
    logits = net(resized)
    own = logits.gather(1, classes[:, None])
    return 1 + (logits > own).sum(1)
