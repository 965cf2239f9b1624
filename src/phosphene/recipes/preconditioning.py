"""Distill's comparison of gradients (Olah, Mordvintsev and Schubert 2017): which way is steepest depends on what counts
as near.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from phosphene._component import check
from phosphene.models.network import Network
from phosphene.objectives import Objective
from phosphene.optimizers import NormalizedAscent
from phosphene.parameterizations import Fourier, Parameterization, Pixels
from phosphene.recipes.sheets import Sheet, rendered
from phosphene.render import Recipe, render
from phosphene.render.progress import Progress

Kind = tuple[Parameterization, NormalizedAscent]


def preconditioning_sheet(  # noqa: PLR0913 - an entry point, keyword-only
    net: Network,
    unit: Objective,
    *,
    steps: Sequence[int] = (1, 4, 16, 64),
    step: float = 0.02,
    size: tuple[int, int] | None = None,
    seed: int = 0,
    progress: Progress = True,
) -> Sheet:
    """Steepest ascent under four notions of distance (rows): L2 and L∞ of pixels, L2 of decorrelated frequencies, L2 of
    decorrelated frequencies and colours; after some steps (columns).

    Each takes steps of one length in its own distance, such that the first step changes the image equally much, in root
    mean square; it takes one short render each to measure that. All see the plain image, as in the article's figure.

    Args:
        net: the network.
        unit: what all pictures show.
        steps: numbers of steps, at least one.
        step: root mean square of the image's change in the first step, above 0, in units of [0, 1].
        size: height and width, in pixels; by default the network's input size.
        seed: seed of every random stream.
        progress: see :func:`phosphene.render`, for each render.

    Raises:
        ParameterError: a value is out of range.
    """
    check(len(steps) > 0, "steps", steps, "at least one number of steps")
    check(0 < step < float("inf"), "step", step, "a number above 0")
    kinds = steepest(*(net.input_size if size is None else size), net.n_channels)
    how = {name: _stretched(net, unit, kind, step, seed=seed) for name, kind in kinds.items()}
    table = [[replace(recipe, steps=n) for n in steps] for recipe in how.values()]
    images, results = rendered(net, unit, table, seed=seed, progress=progress)
    return Sheet(tuple(how), tuple(f"steps {n}" for n in steps), images, results, "steepest ascent")


def steepest(height: int, width: int, channels: int = 3) -> Mapping[str, Kind]:
    """A canvas and an ascent for each notion of distance, by its name; steps short enough to be in proportion."""
    pixels = Pixels(height, width, channels=channels, decorrelate="none")
    frequencies = Fourier(height, width, channels=channels, decorrelate="none")
    l2, sign = NormalizedAscent(lr=1.0, norm="l2", eps=0.0), NormalizedAscent(lr=0.01, norm="sign")
    return {
        "L2": (pixels, l2),
        "L-infinity": (pixels, sign),
        "L2, space decorrelated": (frequencies, l2),
        "L2, space and colour": (Fourier(height, width, channels=channels), l2),
    }


def _stretched(net: Network, unit: Objective, kind: Kind, step: float, *, seed: int) -> Recipe:
    """The recipe with that learning rate at which its first step changes the image by ``step`` in root mean square."""
    canvas, ascent = kind
    recipe = Recipe(name="steepest", parameterization=canvas, optimizer=ascent, steps=1, follows=("olah2017feature",))
    short = render(net, unit, recipe=recipe, snapshots=0, seed=seed, progress=False)
    moved = float((short.images - short.snapshots[0]).double().square().mean().sqrt())
    # A unit without any gradient does not move; its pictures say so.
    return replace(recipe, optimizer=replace(ascent, lr=ascent.lr * step / moved)) if moved else recipe
