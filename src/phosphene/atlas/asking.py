"""From planned pictures to what the engine climbs."""

from __future__ import annotations

import math
from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from phosphene._algebra import Objective
from phosphene.atlas.jobs import PlannedPicture
from phosphene.models.network import Network
from phosphene.objectives import Diversity
from phosphene.objectives.layouts import POSITION_AXES
from phosphene.render.batches import Job as RenderJob
from phosphene.render.batches import stream_keys
from phosphene.render.recipe import Recipe
from phosphene.store.atlas.manifest import AtlasLayer
from phosphene.units import Channel, Logit

#: Digits of a weight that was measured: its last bits may differ from machine to machine, the pictures shall not.
_DIGITS = 3


def unit_of(layer: AtlasLayer, number: int) -> Objective:
    """The unit of that number: a class's logit where the layer's output is the network's, else a channel."""
    return Logit(number) if layer.is_output else Channel(layer.name, number)


def asked(layer: AtlasLayer, pictures: Sequence[PlannedPicture], recipe: Recipe) -> tuple[RenderJob, ...]:
    """What climbs each of several positive or negative pictures; the random streams are those of ``ph.render``."""
    units = [unit_of(layer, one.unit) for one in pictures]
    wanted = [-unit if one.variant == "negative" else unit for unit, one in zip(units, pictures, strict=True)]
    return _jobs(wanted, recipe)


def asked_to_differ(
    layer: AtlasLayer, group: Sequence[PlannedPicture], recipe: Recipe, *, where: str, weight: float
) -> tuple[RenderJob, ...]:
    """What climbs the pictures of one unit that are to differ, as ``recipes.diversity`` has it."""
    wanted = unit_of(layer, group[0].unit) - weight * Diversity(where)
    return _jobs([wanted] * len(group), recipe)


def _jobs(wanted: Sequence[Objective], recipe: Recipe) -> tuple[RenderJob, ...]:
    return tuple(
        RenderJob(i, one, recipe, key) for i, (one, key) in enumerate(zip(wanted, stream_keys(wanted), strict=True))
    )


def balanced(scores: Float[Tensor, " n"], weight: float) -> list[float]:
    """How much the pictures of each unit must differ: ``weight`` times what one picture alone comes to, so that
    pictures all alike would lose what the unit gives them; 0 where it comes to nothing.
    """
    found = [weight * score if math.isfinite(score) else 0.0 for score in scores.tolist()]
    return [float(f"{max(0.0, value):.{_DIGITS}g}") for value in found]


def differing_layer(net: Network, layer: AtlasLayer) -> str:
    """Where diverse pictures of the layer's units must differ: in the layer itself, or, of classes, in the last layer
    with positions before it.
    """
    if not layer.is_output:
        return layer.name
    names = list(net.shapes)
    before = names[: names.index(layer.name)] if layer.name in names else names
    return next((name for name in reversed(before) if POSITION_AXES.get(net.shapes[name].layout)), layer.name)
