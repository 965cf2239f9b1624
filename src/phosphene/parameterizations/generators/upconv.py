"""DeePSiM: generators that invert the layers of an AlexNet (Dosovitskiy & Brox 2016)."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn

from phosphene._component import check
from phosphene.parameterizations.generators.weighted import FileGenerator

#: Mean colour of the networks that the generators were trained with (Caffe), RGB of 255.
MEAN_COLOR = (123.0, 117.0, 104.0)
_SLOPE = 0.3
_CODES = {"fc6": (4096,), "fc7": (4096,), "fc8": (1000,), "pool5": (256, 6, 6)}
_HIDDEN = 4096
#: The upward half that all share: name, channels in, channels out. "deconv" doubles the size.
_UPWARD = (
    ("deconv5", 256, 256),
    ("conv5_1", 256, 512),
    ("deconv4", 512, 256),
    ("conv4_1", 256, 256),
    ("deconv3", 256, 128),
    ("conv3_1", 128, 128),
    ("deconv2", 128, 64),
    ("deconv1", 64, 32),
    ("deconv0", 32, 3),
)


@dataclass(frozen=True)
class UpconvGAN(FileGenerator):
    """DeePSiM's generator for the codes of one layer, to 3 × 256 × 256: what XDream and its followers evolve codes of.

    Codes of "fc6" and "fc7" (4096,) and of "fc8" (1000,) pass three linear layers of 4096 and become 256 × 4 × 4; a
    code of "pool5" (256, 6, 6) passes three convolutions and becomes 512 × 4 × 4. Six transposed convolutions 4 × 4 of
    stride 2, with stride-1 ones between, then draw; LeakyReLU of slope 0.3 after each but the last. What comes out is
    BGR about the mean colour: the image is (RGB + (123, 117, 104)) / 255, clamped. Codes are commonly drawn with sd 1.

    The public files ``upconvGAN_{fc6,fc7,fc8,pool5}.pt`` (PyTorch, converted from Caffe) name their tensors
    ``defc7.weight`` … ``deconv0.bias``, in older copies ``defc7.1.weight``, and in a whole module's dict
    ``G.defc7.weight``; all are read. Their licence is not known, so phosphene neither brings nor names a copy.

    Attributes:
        path: the weights; see :class:`FileGenerator`.
        sha256: checksum of the file.
        layer: the layer of the AlexNet whose codes it draws.
    """

    cites = ("dosovitskiy2016generating", "nguyen2016synthesizing")
    layer: Literal["fc6", "fc7", "fc8", "pool5"] = field(default="fc6", kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self.layer in _CODES, "layer", self.layer, "'fc6', 'fc7', 'fc8' or 'pool5'")

    @property
    def code_shape(self) -> tuple[int, ...]:
        return _CODES[self.layer]

    @property
    def size(self) -> tuple[int, int]:
        return (256, 256)

    @property
    def n_channels(self) -> int:
        return 3

    def network(self, state: dict[str, Tensor]) -> nn.Module:
        parts = _spatial() if self.layer == "pool5" else _linear(self.code_shape[0])
        for name, n_in, n_out in _UPWARD:
            n_in = 512 if self.layer == "pool5" and name == "deconv5" else n_in
            kernel, stride = (4, 2) if name.startswith("deconv") else (3, 1)
            parts[name] = nn.ConvTranspose2d(n_in, n_out, kernel, stride, 1)
            parts[f"relu_{name}"] = nn.LeakyReLU(_SLOPE)
        del parts["relu_deconv0"]
        return nn.Sequential(parts)

    def named(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        return {name.removeprefix("G.").replace(".1.", "."): value for name, value in state.items()}

    def to_image(self, output: Tensor) -> Tensor:
        mean = torch.tensor(MEAN_COLOR, device=output.device, dtype=output.dtype)
        return (output.flip(1) + mean[:, None, None]) / 255


def _linear(n_code: int) -> OrderedDict[str, nn.Module]:
    parts: OrderedDict[str, nn.Module] = OrderedDict()
    for name, n_in in (("defc7", n_code), ("defc6", _HIDDEN), ("defc5", _HIDDEN)):
        parts[name] = nn.Linear(n_in, _HIDDEN)
        parts[f"relu_{name}"] = nn.LeakyReLU(_SLOPE)
    parts["reshape"] = nn.Unflatten(1, (256, 4, 4))
    return parts


def _spatial() -> OrderedDict[str, nn.Module]:
    parts: OrderedDict[str, nn.Module] = OrderedDict()
    for i, n_in, padding in ((6, 256, 1), (7, 512, 1), (8, 512, 0)):
        parts[f"Rconv{i}"] = nn.Conv2d(n_in, 512, 3, padding=padding)
        parts[f"Rrelu{i}"] = nn.LeakyReLU(_SLOPE)
    return parts
