"""Distill's grids on regularization (Olah, Mordvintsev and Schubert 2017), each in one call: learning rate and steps,
penalties on frequencies, and robustness to transformations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from phosphene.models.network import Network
from phosphene.objectives import Objective
from phosphene.recipes.distill import preconditioned
from phosphene.recipes.parameter_sheets import parameter_sheet
from phosphene.recipes.regularization import penalized, robust
from phosphene.recipes.sheets import Sheet
from phosphene.render import Recipe
from phosphene.render.progress import Progress

#: The article's values.
RATES = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5)
STEPS = (1, 32, 128, 256, 2048)
L1_WEIGHTS = (0.0, 0.05, 0.5, 2.5)
TV_WEIGHTS = (0.0, 0.05, 0.25, 1.5, 3.0)
BLUR_WEIGHTS = (0.0, 0.1, 1.0, 5.0, 10.0)


def learning_rate_sheet(  # noqa: PLR0913 - an entry point, keyword-only
    net: Network,
    unit: Objective,
    *,
    rates: Sequence[float] = RATES,
    steps: Sequence[int] = STEPS,
    recipe: Recipe | Callable[..., Recipe] = preconditioned,
    seed: int = 0,
    progress: Progress = True,
) -> Sheet:
    """Learning rate (rows) and number of steps (columns).

    Args:
        net: the network.
        unit: what all pictures show.
        rates: learning rates, by default the article's.
        steps: numbers of steps, by default the article's.
        recipe: how; ``ph.recipes.unregularized`` for the article's first grid.
        seed: seed of every random stream.
        progress: see :func:`phosphene.render`, for each render.

    Raises:
        ParameterError: a value is out of range.
    """
    rows, columns = {"lr": rates}, {"steps": steps}
    return parameter_sheet(net, unit, rows=rows, columns=columns, recipe=recipe, seed=seed, progress=progress)


def frequency_sheets(  # noqa: PLR0913 - an entry point, keyword-only
    net: Network,
    unit: Objective,
    *,
    l1: Sequence[float] = L1_WEIGHTS,
    tv: Sequence[float] = TV_WEIGHTS,
    blur: Sequence[float] = BLUR_WEIGHTS,
    steps: int = 512,
    size: tuple[int, int] = (64, 64),
    seed: int = 0,
    progress: Progress = True,
) -> tuple[Sheet, ...]:
    """Penalties on frequencies: for each weight of L1 a sheet of total variation (rows) and blur (columns).

    The article's weights are for InceptionV1, whose activations are in the hundreds. Of a network whose units have
    single digits, they leave nothing but grey: weigh the unit, such as ``50 * ph.Channel('blocks.8', 7)``.

    Args:
        net: the network.
        unit: what all pictures show.
        l1: weights of the distance from grey, by default the article's; see :func:`penalized` on their scale.
        tv: weights of the total variation, likewise.
        blur: weights of the distance from the blurred image, likewise.
        steps: number of steps.
        size: height and width, in pixels; the article's are 60 to 68.
        seed: seed of every random stream.
        progress: see :func:`phosphene.render`, for each render.

    Raises:
        ParameterError: a value is out of range.
    """

    def sheet(weight: float) -> Sheet:
        make = _kept(penalized, size, l1=weight, steps=steps)
        return parameter_sheet(
            net,
            unit,
            rows={"tv": tv},
            columns={"blur": blur},
            recipe=make,
            title=f"l1 {weight:g}",
            seed=seed,
            progress=progress,
        )

    return tuple(sheet(weight) for weight in l1)


def robustness_sheets(  # noqa: PLR0913 - an entry point, keyword-only
    net: Network,
    unit: Objective,
    *,
    jitter: Sequence[int] = (0, 1, 4, 8),
    rotate: Sequence[float] = (0.0, 5.0, 10.0, 20.0),
    scale: Sequence[float] = (1.0, 1.1, 1.2),
    steps: int = 512,
    size: tuple[int, int] = (64, 64),
    seed: int = 0,
    progress: Progress = True,
) -> tuple[Sheet, ...]:
    """Robustness to transformations: for each scale a sheet of shifts (rows) and turns (columns).

    The article's grid has these axes; its values are not known to us, so these are around its notebook's.

    Args:
        net: the network.
        unit: what all pictures show.
        jitter: largest shifts, in pixels.
        rotate: largest turns either way, in degrees.
        scale: largest magnifications, from 1.
        steps: number of steps.
        size: height and width, in pixels.
        seed: seed of every random stream.
        progress: see :func:`phosphene.render`, for each render.

    Raises:
        ParameterError: a value is out of range.
    """

    def sheet(factor: float) -> Sheet:
        make = _kept(robust, size, scale=factor, steps=steps)
        return parameter_sheet(
            net,
            unit,
            rows={"jitter": jitter},
            columns={"rotate": rotate},
            recipe=make,
            title=f"scale {factor:g}",
            seed=seed,
            progress=progress,
        )

    return tuple(sheet(factor) for factor in scale)


def _kept(make: Callable[..., Recipe], size: tuple[int, int], **fixed: object) -> Callable[..., Recipe]:
    """The function with its size and some parameters given."""
    return partial(make, *size, **fixed)
