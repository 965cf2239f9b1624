"""How values become a picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from jaxtyping import Float
from torch import Tensor

#: TensorFlow's ``visstd``: the standard deviation of the picture, and the least one that is divided by, in units of
#: [0, 1].
_VISSTD_SD, _VISSTD_LEAST = 0.1, 1e-4 / 255
#: Share of the values that are darker than what DeepDream in Caffe shows as white.
_BRIGHT = 0.9998


def _clip(image: Tensor) -> Tensor:
    return image.clamp(0, 1)


def _linear(image: Tensor) -> Tensor:
    low, high = image.amin((1, 2, 3), keepdim=True), image.amax((1, 2, 3), keepdim=True)
    return (image - low) / (high - low).clamp(min=1e-12)


def _standard(image: Tensor) -> Tensor:
    mean, sd = image.mean((1, 2, 3), keepdim=True), image.std((1, 2, 3), correction=0, keepdim=True)
    return ((image - mean) / sd.clamp(min=_VISSTD_LEAST) * _VISSTD_SD + 0.5).clamp(0, 1)


def _percentile(image: Tensor) -> Tensor:
    values = image.flatten(1)
    # As NumPy does: linear between the two values that are next to it.
    at = _BRIGHT * (values.shape[1] - 1)
    top = values.topk(values.shape[1] - int(at), dim=1).values
    bright = torch.lerp(top[:, -1], top[:, max(-2, -top.shape[1])], at - int(at))
    return (image / bright.clamp(min=1e-12)[:, None, None, None]).clamp(0, 1)


_FINISHES: Mapping[str, Callable[[Tensor], Tensor]] = MappingProxyType(
    {"clip": _clip, "linear": _linear, "standard": _standard, "percentile": _percentile, "none": lambda image: image}
)


def finished(image: Float[Tensor, "n c h w"], finish: str) -> Float[Tensor, "n c h w"]:
    """The picture of an image whose values may lie beyond [0, 1], each by itself.

    Args:
        image: the values.
        finish: "clip" clamps, "linear" maps the least value to 0 and the greatest to 1 (MATLAB's ``OutputScaling``),
            "standard" gives mean 0.5 and standard deviation 0.1 (TensorFlow's ``visstd``), "percentile" divides by the
            percentile 99.98 (DeepDream in Caffe without clipping), "none" changes nothing.
    """
    return _FINISHES[finish](image)
