"""Networks that a function of one's own builds, named as ``package.module:factory``."""

from __future__ import annotations

import importlib
import warnings
from typing import Any, Unpack

from torch import nn

from phosphene.errors import NetworkError, nearest
from phosphene.models.network import Network
from phosphene.models.sources.weights import load_weights
from phosphene.models.wrap import Wrapping, build


def load_factory(name: str, weights: str | bool | None, how: Wrapping) -> Network:
    """Import and call the factory, load its weights where a file is given, and wrap what it returns.

    Raises:
        NetworkError: the factory cannot be found, fails, or returns no ``nn.Module``.
        WeightsError: the weights cannot be read or do not fit.
    """
    module = _make(name)
    path = weights if isinstance(weights, str) else None
    if path is not None:
        load_weights(module, path)
    if how.get("mean") is None and how.get("std") is None:
        _warn(name, **how)
    return build(module, name=name, source={"kind": "factory", "target": name, "weights": path}, how=how)


def _warn(name: str, **_: Unpack[Wrapping]) -> None:
    warnings.warn(
        f"no normalisation was given for {name}, so it gets images in its value_range as they are; give it: "
        "load(name, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)), "
        "or mean=0, std=1 to say that none is needed",
        UserWarning,
        stacklevel=4,
    )


def _make(name: str) -> nn.Module:
    module_name, _, attribute = name.partition(":")
    try:
        found: Any = importlib.import_module(module_name)
    except ImportError as error:
        raise NetworkError(
            f"cannot import {module_name!r} of {name!r}: {error}; expected package.module:factory, importable from here"
        ) from error
    for part in attribute.split("."):
        if not hasattr(found, part):
            hint = (
                nearest(part, [key for key in vars(found) if not key.startswith("_")])
                or "expected package.module:factory"
            )
            raise NetworkError(f"{name!r}: {getattr(found, '__name__', found)!r} has no {part!r}; {hint}")
        found = getattr(found, part)
    try:
        module = found()
    except Exception as error:
        raise NetworkError(
            f"factory {name!r} failed when called without arguments: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(module, nn.Module):
        raise NetworkError(f"factory {name!r} returned {type(module).__name__}, expected a torch.nn.Module")
    return module
