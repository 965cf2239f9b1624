"""The way from one unit to another in aligned pictures (Distill, "Feature Visualization", 2017; Lucid's notebooks on
neuron interaction and aligned interpolation).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import reduce
from operator import add

from phosphene._component import check
from phosphene.models.network import Network
from phosphene.objectives import Alignment, Objective, interpolate
from phosphene.parameterizations import Shared
from phosphene.recipes.company import layer_of
from phosphene.recipes.lucid import lucid
from phosphene.recipes.method import Method
from phosphene.render import Recipe, Result, render
from phosphene.render.progress import Progress


def interpolation_recipe(height: int = 224, width: int = 224, channels: int = 3) -> Recipe:
    """Lucid's defaults on a canvas whose low resolutions neighbouring pictures share, so that a row of pictures stays
    aligned.

    Args:
        height: image rows, in pixels.
        width: image columns, in pixels.
        channels: colour channels.
    """
    canvas = Shared(height, width, channels=channels)
    follows = ("olah2017feature", "mordvintsev2018differentiable")
    return replace(lucid(height, width, channels), name="interpolation", parameterization=canvas, follows=follows)


def interpolation(  # noqa: PLR0913 - an entry point, keyword-only
    net: Network,
    first: Objective,
    second: Objective,
    *,
    n: int = 6,
    align: str | Iterable[str] | None = None,
    weight: float = 0.1,
    decay_ratio: float = 5.0,
    recipe: Recipe | None = None,
    seed: int = 0,
    progress: Progress = True,
) -> Result:
    """A row of pictures from one unit to another, which share coarse structure and resemble their neighbours in lower
    layers (Distill; Lucid's notebooks on neuron interaction and aligned interpolation).

    Picture i climbs ``(1 - w) · first + w · second - weight · Σ Alignment(layer, decay_ratio)`` with w = i / (n - 1).

    Args:
        net: the network.
        first: what the first picture shows.
        second: what the last picture shows.
        n: number of pictures, at least 2.
        align: layers in which neighbours must resemble each other; an empty list for none. By default the last layer
            of each resolution that is finer than those of the two units.
        weight: how much they must, from 0.
        decay_ratio: how much less each further neighbour counts.
        recipe: how; by default :func:`interpolation_recipe` at the network's input size.
        seed: seed of every random stream.
        progress: see :func:`phosphene.render`.

    Raises:
        ParameterError: fewer than two pictures, or another parameter out of range.
        ArgumentError: ``align`` is not given, and a unit is not in one layer, such as a class or a sum.
        UnknownLayerError: there is no such layer.
    """
    check(0 <= weight < float("inf"), "weight", weight, "a number from 0")
    layers = finer_layers(net, first, second) if align is None else [align] if isinstance(align, str) else list(align)
    apart = [-weight * Alignment(layer, decay_ratio=decay_ratio) for layer in layers]
    climbed = [reduce(add, apart, objective) for objective in interpolate(first, second, n)]
    how = interpolation_recipe(*net.input_size, net.n_channels) if recipe is None else recipe
    return render(net, climbed, recipe=how, seed=seed, progress=progress)


def finer_layers(net: Network, *units: Objective) -> list[str]:
    """The last layer of each resolution between the network's input and the layers that ``units`` read; outer modules
    before their parts.

    Raises:
        ArgumentError: a unit is not in one layer.
    """
    read = [net.layer(layer_of(unit, "align=['…'], or align=[] for none")) for unit in units]
    coarsest = max((layer.shape[2] for layer in read if layer.layout == "NCHW"), default=0)
    last: dict[int, str] = {}
    for name, layer in net.shapes.items():
        if layer.layout == "NCHW" and coarsest < layer.shape[2] < net.input_size[0]:
            side = layer.shape[2]
            last[side] = name if side not in last or name.count(".") <= last[side].count(".") else last[side]
    return list(last.values())


METHODS = (
    Method("interpolation", interpolation_recipe, "Olah, Mordvintsev and Schubert, Distill; Lucid's notebooks", 2017),
)
