"""Lucent's ``modelzoo``: torchvision's networks by their own names, and ``util.get_model_layers``.

``from phosphene.compat.lucent.modelzoo import *`` and ``… import resnet50`` give torchvision's functions, which are
imported when they are first asked for.
"""

from __future__ import annotations

import importlib
from typing import Any

from phosphene.compat.lucent.modelzoo import util
from phosphene.errors import MissingExtraError, NetworkError

_OWN = {"util": util}


def __getattr__(name: str) -> Any:
    if name == "__all__":
        return [*_OWN, *(other for other in dir(_torchvision()) if not other.startswith("_"))]
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "inceptionv1":
        raise NetworkError(
            "Lucent's inceptionv1 is not part of phosphene; torchvision's googlenet is its architecture with batch "
            "norms, and ph.load('efficientnet_lite0').module needs no download"
        )
    return getattr(_torchvision(), name)


def _torchvision() -> Any:
    try:
        return importlib.import_module("torchvision.models")
    except ImportError:
        raise MissingExtraError("Lucent's modelzoo", "torchvision") from None
