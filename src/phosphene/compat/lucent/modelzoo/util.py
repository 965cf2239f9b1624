"""The names of a model's layers, as Lucent writes them."""

from __future__ import annotations

from typing import Literal, overload

from torch import nn


@overload
def get_model_layers(model: nn.Module) -> list[str]: ...
@overload
def get_model_layers(model: nn.Module, getLayerRepr: Literal[False]) -> list[str]: ...  # noqa: N803
@overload
def get_model_layers(model: nn.Module, getLayerRepr: Literal[True]) -> dict[str, str]: ...  # noqa: N803
def get_model_layers(model: nn.Module, getLayerRepr: bool = False) -> list[str] | dict[str, str]:  # noqa: N803
    """Every submodule's path joined with ``_``, each parent before its children.

    Args:
        model: the network.
        getLayerRepr: give a dictionary from each name to the layer's ``repr``.
    """
    layers = [(joined(path), layer) for path, layer in model.named_modules(remove_duplicate=False) if path]
    return {name: repr(layer) for name, layer in layers} if getLayerRepr else [name for name, _ in layers]


def joined(path: str) -> str:
    """The name that Lucent gives to the submodule at a dotted path.

    >>> joined("layer4.0.conv1")
    'layer4_0_conv1'
    """
    return path.replace(".", "_")
