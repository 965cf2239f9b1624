"""torchvision's networks, with the normalisation, input size and class names of their default weights."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from torch import nn

from phosphene._types import JSON
from phosphene.errors import MissingExtraError, NetworkError, WeightsError, nearest
from phosphene.models.network import Network
from phosphene.models.sources.weights import load_weights
from phosphene.models.wrap import Wrapping, build


def load_torchvision(name: str, weights: str | bool | None, how: Wrapping) -> Network:
    """torchvision's network ``name``.

    Raises:
        MissingExtraError: torchvision is not installed.
        NetworkError: torchvision has no such network.
        WeightsError: its weights cannot be downloaded, read, or do not fit.
    """
    try:
        from torchvision import models
    except ImportError:
        raise MissingExtraError(f"torchvision/{name}", "torchvision") from None
    if name not in models.list_models():
        hint = nearest(name, models.list_models()) or "torchvision.models.list_models() lists them"
        raise NetworkError(f"torchvision has no network {name!r}; {hint}")
    default = getattr(models.get_model_weights(name), "DEFAULT", None)
    if default is None:
        raise WeightsError(
            f"torchvision has no weights for {name}, and so does not say what its input is: wrap() the module"
        )
    module = _pretrained(models, name, default) if weights is None else _random(models, name)
    if isinstance(weights, str):
        load_weights(module, weights)
    values: dict[str, Any] = {**how}
    given = {
        key: list(value) if isinstance(value, tuple | list) else value
        for key, value in values.items()
        if value is not None
    }
    source: dict[str, JSON] = {"kind": "torchvision", "name": name, "weights": weights, **given}
    return build(module.eval(), name=f"torchvision/{name}", source=source, how={**_configuration(default), **how})


def _random(models: Any, name: str) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", FutureWarning
        )  # googlenet and inception announce a change of their random initialisation
        return models.get_model(name, weights=None, **_without_backbone(models, name))


def _without_backbone(models: Any, name: str) -> dict[str, Any]:
    """Detection and segmentation networks would otherwise download their backbone's weights."""
    inside = (models.detection, models.segmentation)
    return {"weights_backbone": None} if any(name in models.list_models(module=module) for module in inside) else {}


def _pretrained(models: Any, name: str, default: Any) -> nn.Module:
    try:
        return models.get_model(name, weights=default)
    except Exception as error:  # download errors, but also damaged files in the cache
        raise WeightsError(
            f"the weights of torchvision/{name} cannot be downloaded ({type(error).__name__}): connect to the internet "
            "once, put the path of a file into weights=, or give weights=False for random weights"
        ) from error


def _configuration(default: Any) -> Wrapping:
    """Normalisation, input size and class names as the default weights' preset and metadata state them."""
    preset = default.transforms()
    size = _first(preset, "crop_size", "resize_size")
    return {
        "mean": tuple(_first(preset, "mean") or (0.0, 0.0, 0.0)),
        "std": tuple(_first(preset, "std") or (1.0, 1.0, 1.0)),
        "input_size": (size[0], size[-1]) if isinstance(size, Sequence) else (size or 224),
        "n_channels": 3,
        "labels": tuple(default.meta.get("categories", ())),
    }


def _first(preset: Any, *names: str) -> Any:
    return next((value for name in names if (value := getattr(preset, name, None))), None)
