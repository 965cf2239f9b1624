"""The two default recipes, and which of them a unit gets.

Chosen by experiments such as ``benchmarks/explore.py`` makes, and held to what ``benchmarks/quality.py`` measures.
"""

from __future__ import annotations

from collections.abc import Iterable

from phosphene._algebra import Objective
from phosphene.models.network import Network
from phosphene.objectives import compile_objectives
from phosphene.optimizers import Adam
from phosphene.parameterizations import Fourier
from phosphene.render.recipe import Recipe
from phosphene.transforms import random_views

#: Spectra steeper than 1/f trade a little activation for naturalness, more so for shallow units, which like fine
#: detail; the
#: gains make up for the contrast that this takes away. Pairs of decay and gain.
_CHANNEL_SPECTRUM = (1.4, 0.36)
_CLASS_SPECTRUM = (1.25, 0.55)


def channel_recipe(height: int = 224, width: int = 224, channels: int = 3) -> Recipe:
    """The default recipe for units of convolutional layers and tokens.

    Args:
        height: image rows, in pixels.
        width: image columns, in pixels.
        channels: colour channels.
    """
    return Recipe(
        name="channel",
        parameterization=Fourier(
            height, width, channels=channels, decay=_CHANNEL_SPECTRUM[0], gain=_CHANNEL_SPECTRUM[1]
        ),
        transforms=random_views(0.9, 1.2, rotate_deg=10.0, noise=0.02),
        optimizer=Adam(lr=0.05),
        steps=128,
    )


def class_recipe(height: int = 224, width: int = 224, channels: int = 3) -> Recipe:
    """The default recipe for classes and other units without positions: more views, a wider range of scales.

    Args:
        height: image rows, in pixels.
        width: image columns, in pixels.
        channels: colour channels.
    """
    return Recipe(
        name="class",
        parameterization=Fourier(height, width, channels=channels, decay=_CLASS_SPECTRUM[0], gain=_CLASS_SPECTRUM[1]),
        transforms=random_views(0.2, 1.0, rotate_deg=15.0, noise=0.02),
        views=4,
        optimizer=Adam(lr=0.05),
        steps=128,
    )


def default_recipe(objective: Objective, net: Network) -> Recipe:
    """The default recipe of an objective: for classes if every layer that it reads has no positions, else for
    channels.
    """
    layers = compile_objectives([objective], net).layers
    make = class_recipe if _flat(layers, net) else channel_recipe
    return make(*net.input_size, net.n_channels)


def _flat(layers: Iterable[str], net: Network) -> bool:
    layouts = [net.layer(name).layout for name in layers]
    return bool(layouts) and all(layout == "NC" for layout in layouts)
