"""Icons: small pictures of directions of a layer's activations, such as the cells of an activation atlas (Lucid,
``recipes/activation_atlas/render.py``).
"""

from __future__ import annotations

from typing import Any

import torch

from phosphene._component import check
from phosphene._types import FrozenArray
from phosphene.errors import LayoutError
from phosphene.models.network import Network
from phosphene.objectives import TensorDirection
from phosphene.optimizers import Adam
from phosphene.parameterizations import Fourier
from phosphene.recipes.method import Method
from phosphene.regularizers import BoundaryComplexity
from phosphene.render import Recipe, Result, render
from phosphene.render.progress import Progress
from phosphene.transforms import Jitter, Pad, Rotate, Scale, ToCanvas

#: An icon's score is the mean of so many last steps, as views differ from step to step.
_LAST = 8


def icon_recipe(height: int = 80, width: int = 80, channels: int = 3, *, steps: int = 128) -> Recipe:
    """Lucid's ``render_icons``: 80 px, 128 steps, shrunk and turned views, and a border that is kept plain.

    Args:
        height: image rows, in pixels.
        width: image columns, in pixels.
        channels: colour channels.
        steps: number of steps.
    """
    angles = (*range(-20, 21), *range(-10, 11), *range(-5, 6), *(0,) * 5)
    return Recipe(
        name="icons",
        follows=("carter2019activation",),
        parameterization=Fourier(height, width, channels=channels),
        transforms=(
            Pad(16, mode="reflect"),
            *(Jitter(pixels, mode="crop") for pixels in (4, 4, 8, 8, 8)),
            Scale(options=tuple(0.998**n for n in range(20, 40))),
            Rotate(options_deg=tuple(float(angle) for angle in angles)),
            Jitter(2, mode="crop"),
            ToCanvas(),
        ),
        optimizer=Adam(lr=0.05),
        steps=steps,
        regularizer=-1.0 * BoundaryComplexity(width=5),
    )


def icons(  # noqa: PLR0913 - an entry point, keyword-only
    net: Network,
    layer: str,
    directions: Any,
    *,
    attempts: int = 3,
    cossim_power: float = 2.0,
    recipe: Recipe | None = None,
    seed: int = 0,
    progress: Progress = True,
) -> Result:
    """A small picture of each direction, at the layer's central position, the best of several attempts.

    Climbs ``dot · max(0.1, cosine)^p`` less the complexity of the border. Attempts start from different noise; the one
    whose score is highest in the last steps is kept. Of an even number of positions the middle is the one before it,
    where Lucid takes the one after. To whiten directions, multiply them by the whitening matrix first.

    Args:
        net: the network.
        layer: the layer.
        directions: one row of numbers per icon, (icons, channels of the layer).
        attempts: pictures made of each direction, from 1.
        cossim_power: p, from 0.
        recipe: how; by default :func:`icon_recipe`.
        seed: seed of every random stream.
        progress: see :func:`phosphene.render`.

    Raises:
        LayoutError: the directions are no table, or of another number of channels.
        UnknownLayerError: there is no such layer.
        ParameterError: a parameter out of range.
    """
    check(attempts >= 1, "attempts", attempts, "a whole number from 1")
    how = icon_recipe(channels=net.n_channels) if recipe is None else recipe
    units = [TensorDirection(layer, target, cossim_power=cossim_power) for target in _targets(net, layer, directions)]
    tried = render(net, units * attempts, recipe=how, seed=seed, progress=progress)
    last = torch.stack([curve[-_LAST:].mean() for curve in tried.scores]).view(attempts, len(units))
    return tried.take([int(attempt) * len(units) + icon for icon, attempt in enumerate(last.argmax(0))])


def _targets(net: Network, layer: str, directions: Any) -> list[FrozenArray]:
    """Each direction as a tensor of one position, which is compared with the middle of a layer of any size.

    Raises:
        LayoutError: the directions are no table, or of another number of channels.
    """
    found, rows = net.layer(layer), FrozenArray.of(directions).tensor()
    if rows.ndim != 2 or not len(rows) or rows.shape[1] != found.n_channels:
        expected = f"a table (icons, {found.n_channels} channels of {found.name!r})"
        raise LayoutError(f"the directions have shape {tuple(rows.shape)}; expected {expected}")
    shape = tuple(-1 if axis == "C" else 1 for axis in found.layout[1:])
    return [FrozenArray.of(row.reshape(shape)) for row in rows]


METHODS = (
    Method("icons", icon_recipe, "Carter and others, Activation Atlas, Distill; tensorflow/lucid", 2019, canvas="own"),
)
