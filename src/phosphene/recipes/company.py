"""Pictures that belong together (Distill, "Feature Visualization", 2017): several that differ, the unit's opposite,
units together, and random directions.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import Literal

from phosphene._component import check
from phosphene.errors import ArgumentError, ParameterError
from phosphene.models.network import Network
from phosphene.objectives import Diversity, Objective, random_direction
from phosphene.render import Recipe, Result, default_recipe, render
from phosphene.render.progress import Progress
from phosphene.units import LayerUnit


def diversity(  # noqa: PLR0913 - an entry point, keyword-only
    net: Network,
    unit: Objective,
    *,
    n: int = 4,
    weight: float | Literal["balanced"] = 1e2,
    layer: str | None = None,
    recipe: Recipe | None = None,
    seed: int = 0,
    progress: Progress = True,
) -> Result:
    """Several pictures of one unit that differ in style: in which channels of a layer go together (Distill; Lucid's
    ``channel - 1e2 * diversity``).

    Every picture climbs ``unit - weight · Diversity(layer)``. The weight sets a cosine against the unit's score: 100 is
    for InceptionV1, whose activations are in the hundreds, and where it takes the unit out of the pictures it is too
    much. Lucid's unit is a mean over the pictures beside a diversity that is a sum: its balance is a weight n times as
    large as the one that it writes.

    Args:
        net: the network.
        unit: what all pictures show.
        n: number of pictures.
        weight: how much they must differ, from 0; "balanced" takes the score that one picture alone comes to, which is
            measured by one more render: pictures all alike would lose what the unit gives them.
        layer: where they must differ; by default the unit's own layer.
        recipe: how; by default the unit's own.
        seed: seed of every random stream.
        progress: see :func:`phosphene.render`.

    Raises:
        ParameterError: fewer than two pictures, or a weight below 0.
        ArgumentError: no layer is given, and the unit has none.
        UnknownLayerError, LayoutError: there is no such layer, or it has no channels.
    """
    if n < 2:
        raise ParameterError(f"n is {n}; expected at least 2 pictures, which can differ")
    is_weight = weight == "balanced" or (not isinstance(weight, str) and 0 <= weight < float("inf"))
    check(is_weight, "weight", weight, "a number from 0, or 'balanced'")
    likeness = Diversity(layer_of(unit, "layer='…'") if layer is None else layer)
    if weight == "balanced":
        alone = render(net, unit, recipe=recipe, seed=seed, progress=False)
        weight = max(0.0, float(alone.final_scores[0]))
    how = default_recipe(unit, net) if recipe is None else recipe
    return render(net, [unit - weight * likeness] * n, recipe=how, seed=seed, progress=progress)


def negative_and_positive(
    net: Network, unit: Objective, *, recipe: Recipe | None = None, seed: int = 0, progress: Progress = True
) -> Result:
    """The picture that drives a unit least, then the one that drives it most (Distill's negative and positive).

    A unit behind a ReLU cannot fall below 0 and may start without a gradient; choose a layer before one.

    Args:
        net: the network.
        unit: the unit.
        recipe: how; by default the unit's own.
        seed: seed of every random stream.
        progress: see :func:`phosphene.render`.
    """
    return render(net, [-unit, unit], recipe=recipe, seed=seed, progress=progress)


def joint(
    net: Network, units: Sequence[Objective], *, recipe: Recipe | None = None, seed: int = 0, progress: Progress = True
) -> Result:
    """Each of several units alone, and last all of them in one picture, which climbs their sum (Distill's neuron
    interaction).

    Args:
        net: the network.
        units: the units, at least two; weigh them by ``0.5 * unit``.
        recipe: how, for all of them; by default each has its own.
        seed: seed of every random stream.
        progress: see :func:`phosphene.render`.

    Raises:
        ParameterError: fewer than two units.
    """
    if len(units) < 2:
        raise ParameterError(f"{len(units)} units are given; expected at least 2 to join")
    return render(net, [*units, reduce(add, units)], recipe=recipe, seed=seed, progress=progress)


def random_directions(
    net: Network,
    layer: str,
    *,
    n: int = 6,
    recipe: Recipe | None = None,
    seed: int = 0,
    progress: Progress = True,
) -> Result:
    """Random directions of a layer's activation space, N(0, 1) in every channel (Distill's neuron interaction).

    Args:
        net: the network.
        layer: the layer.
        n: number of directions; the k-th is ``random_direction(layer, channels, seed + k)``.
        recipe: how; by default the layer's own.
        seed: seed of the directions and of every random stream.
        progress: see :func:`phosphene.render`.

    Raises:
        UnknownLayerError: there is no such layer.
        ParameterError: n is less than 1.
    """
    if n < 1:
        raise ParameterError(f"n is {n}; expected at least 1 direction")
    found = net.layer(layer)
    directions = [random_direction(found.name, found.n_channels, seed + k) for k in range(n)]
    return render(net, directions, recipe=recipe, seed=seed, progress=progress)


def layer_of(unit: Objective, instead: str) -> str:
    """The one layer of a unit; ``instead`` is the argument that a caller can give where it has none.

    Raises:
        ArgumentError: it is no unit of a layer.
    """
    if not isinstance(unit, LayerUnit):
        raise ArgumentError(f"{unit} is not in one layer; say in which layer the pictures are compared: {instead}")
    return unit.layer
