"""timm's networks, with timm's own normalisation, input size and class names."""

from __future__ import annotations

from typing import Any

from torch import nn

from phosphene._types import JSON
from phosphene.errors import MissingExtraError, NetworkError, WeightsError, nearest
from phosphene.models.network import Network
from phosphene.models.sources.weights import load_weights
from phosphene.models.wrap import Wrapping, build


def load_timm(name: str, weights: str | bool | None, how: Wrapping) -> Network:
    """timm's network ``name``, with a pretrained tag (``resnet50.a1_in1k``) or without.

    Raises:
        MissingExtraError: timm is not installed.
        NetworkError: timm has no such network.
        WeightsError: its weights cannot be downloaded, read, or do not fit.
    """
    try:
        import timm
    except (ImportError, RuntimeError):  # a torchvision for another torch fails in its own way
        raise MissingExtraError(f"timm/{name}", "timm") from None
    _check_name(timm, name)
    module = _pretrained(timm, name) if weights is None else timm.create_model(name, pretrained=False)
    if isinstance(weights, str):
        load_weights(module, weights)
    source: dict[str, JSON] = {"kind": "timm", "name": name, "weights": weights, **_plain(how)}
    return build(module.eval(), name=f"timm/{name}", source=source, how={**_configuration(module), **how})


def _plain(how: Wrapping) -> dict[str, JSON]:
    """Arguments as JSON values."""
    values: dict[str, Any] = {**how}
    return {
        key: list(value) if isinstance(value, tuple | list) else value
        for key, value in values.items()
        if value is not None
    }


def _check_name(timm: Any, name: str) -> None:
    architecture, dot, _ = name.partition(".")
    if not timm.is_model(architecture):
        hint = nearest(architecture, timm.list_models()) or "timm.list_models() lists them"
        raise NetworkError(f"timm has no network {architecture!r}; {hint}")
    tagged = timm.list_models(f"{architecture}.*", pretrained=True)
    if dot and name not in tagged:
        raise NetworkError(
            f"timm has no pretrained weights {name!r}; it has {', '.join(tagged) or 'none for this network'}"
        )


def _pretrained(timm: Any, name: str) -> nn.Module:
    if not timm.list_models(f"{name.partition('.')[0]}.*", pretrained=True):
        raise WeightsError(
            f"timm has no pretrained weights for {name}; give weights=False for random ones, or the path of a file"
        )
    try:
        return timm.create_model(name, pretrained=True)
    except Exception as error:  # the hub's client raises errors of many libraries
        raise WeightsError(
            f"the weights of timm/{name} cannot be downloaded ({type(error).__name__}): connect to the internet once, "
            "put the path of a file into weights=, or give weights=False for random weights"
        ) from error


def _configuration(module: nn.Module) -> Wrapping:
    """Normalisation, input size and class names as timm's configuration of the network states them."""
    from timm.data.config import resolve_data_config

    config: dict[str, Any] = resolve_data_config({}, model=module)
    n_channels, height, width = config["input_size"]
    return {
        "mean": tuple(config["mean"]),
        "std": tuple(config["std"]),
        "input_size": (height, width),
        "n_channels": n_channels,
        "labels": _labels(module),
    }


def _labels(module: nn.Module) -> tuple[str, ...]:
    """The classes' descriptions, where the network classifies one of the ImageNet sets that timm knows."""
    from timm.data.imagenet_info import ImageNetInfo, infer_imagenet_subset

    subset = infer_imagenet_subset(module)
    if not subset:
        return ()
    info = ImageNetInfo(subset)
    if info.num_classes() != getattr(module, "num_classes", None):
        return ()
    return tuple(str(info.index_to_description(i)) for i in range(info.num_classes()))
