"""phosphene: the image that drives a unit of a vision network most, and the recipe that made it.

::

    import phosphene as ph

    net = ph.load("efficientnet_lite0")
    result = ph.render(net, ph.Channel("blocks.8", 7))
    result.save("unit.png")

Everything public hangs on this module and is imported when it is first used.
"""

from __future__ import annotations

import importlib
import sys
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Any

from phosphene._version import __version__

if TYPE_CHECKING:
    from phosphene import (
        atlas,
        attribution,
        blocks,
        conditioners,
        errors,
        objectives,
        optimizers,
        parameterizations,
        projections,
        recipes,
        regularizers,
        scorers,
        sessions,
        spaces,
        stages,
        transforms,
    )
    from phosphene.attribution import attribute
    from phosphene.blocks import explain
    from phosphene.collection import collect
    from phosphene.evolution import evolve, replay
    from phosphene.models import Network, layers, load, wrap
    from phosphene.parameterizations import Fourier, Pixels
    from phosphene.recipes import Recipe
    from phosphene.recipes.field_mapping import receptive_field
    from phosphene.regularizers import TotalVariation
    from phosphene.render import Frames, Result, render
    from phosphene.units import Channel, Direction, Layer, Logit, Neuron, Unit

_HOMES = MappingProxyType(
    {
        **dict.fromkeys(("attribute",), "phosphene.attribution"),
        **dict.fromkeys(("collect",), "phosphene.collection"),
        **dict.fromkeys(("explain",), "phosphene.blocks"),
        **dict.fromkeys(("evolve", "replay"), "phosphene.evolution"),
        **dict.fromkeys(("Network", "layers", "load", "wrap"), "phosphene.models"),
        **dict.fromkeys(("Fourier", "Pixels"), "phosphene.parameterizations"),
        **dict.fromkeys(("Recipe",), "phosphene.recipes"),
        **dict.fromkeys(("receptive_field",), "phosphene.recipes.field_mapping"),
        **dict.fromkeys(("TotalVariation",), "phosphene.regularizers"),
        **dict.fromkeys(("Frames", "Result", "render"), "phosphene.render"),
        **dict.fromkeys(("Channel", "Direction", "Layer", "Logit", "Neuron", "Unit"), "phosphene.units"),
    }
)
#: Rooms that hang on this module.
_ROOMS = frozenset(
    {
        "atlas",
        "attribution",
        "blocks",
        "conditioners",
        "errors",
        "objectives",
        "optimizers",
        "parameterizations",
        "projections",
        "recipes",
        "regularizers",
        "scorers",
        "sessions",
        "spaces",
        "stages",
        "transforms",
    }
)

__all__ = [
    "Channel",
    "Direction",
    "Fourier",
    "Frames",
    "Layer",
    "Logit",
    "Network",
    "Neuron",
    "Pixels",
    "Recipe",
    "Result",
    "TotalVariation",
    "Unit",
    "__version__",
    "atlas",
    "attribute",
    "attribution",
    "blocks",
    "collect",
    "conditioners",
    "errors",
    "evolve",
    "explain",
    "layers",
    "load",
    "objectives",
    "optimizers",
    "parameterizations",
    "projections",
    "receptive_field",
    "recipes",
    "regularizers",
    "render",
    "replay",
    "scorers",
    "sessions",
    "spaces",
    "stages",
    "transforms",
    "wrap",
]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"phosphene.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'phosphene' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)


class _Facade(ModuleType):
    """This module, on which ``render`` is always the function.

    Importing the room ``phosphene.render`` makes Python set the attribute ``render`` of its parent to the room;
    a property of the class goes before that.
    """

    @property
    def render(self) -> Any:
        return importlib.import_module("phosphene.render").render

    @render.setter
    def render(self, room: ModuleType) -> None:
        pass


sys.modules[__name__].__class__ = _Facade
