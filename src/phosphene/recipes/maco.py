"""MaCo: magnitude-constrained optimisation (Fel et al., NeurIPS 2023; deel-ai/xplique)."""

from __future__ import annotations

from typing import Any

from phosphene._schedules import Constant, Exponential, Linear, Schedule
from phosphene.optimizers import NAdam
from phosphene.parameterizations import Phase, PowerLaw
from phosphene.recipes.method import Method
from phosphene.render import Recipe
from phosphene.transforms import ScheduledCrop, ScheduledNoise, ToInput

#: Where the published schedule of noises ends, as a share of where it begins (``logspace`` from 1 to 1e-4).
_LAST_NOISE = 1e-4


def maco(  # noqa: PLR0913 - the parameters of the published function, keyword-only
    height: int = 512,
    width: int = 512,
    channels: int = 3,
    *,
    magnitude: Any = None,
    crops: int = 32,
    steps: int = 256,
    noise: float | None = 0.08,
    sd: float = 3.0,
) -> Recipe:
    """MaCo, only phases: the phase of each frequency is optimised, its magnitude is that of photographs.

    In each step the picture is seen through many windows that shrink from half its side to a twentieth, with noise.
    The magnitude of the gradient, summed over the steps, is kept in ``result.transparency``: what it leaves
    transparent did not matter. Differences from the published code: batches of any size, each image by itself; windows
    beyond the edge see it mirrored, not black; the magnitudes are a law, 1/f, instead of a file of ImageNet's
    (``ph.recipes.fit_spectrum(folder)`` gives those of your photographs); the phases' standard deviation is 3, as the
    published 1 gathers them around 0 and so leaves a bright point at the corners (``sd=1.0`` is theirs).

    Args:
        height: image rows, in pixels.
        width: image columns, in pixels.
        channels: colour channels.
        magnitude: a law such as ``PowerLaw(1.2)``, or an array such as ``ph.recipes.fit_spectrum`` gives; by default
            1/f.
        crops: windows in each step.
        steps: number of steps, over which windows shrink; ``ph.render(…, steps=…)`` would cut the run short, not
            stretch the windows.
        noise: standard deviation in units of the published range [−1, 1]; half as much uniform noise comes with it.
            None lets it fall from 1 to 0.0001.
        sd: standard deviation of the phases, in radians.
    """
    strength: tuple[float, Schedule] = (0.5 if noise is None else noise / 2, Constant())
    if noise is None:
        strength = strength[0], Exponential(_LAST_NOISE ** (1 / max(1, steps - 1)))
    return Recipe(
        name="maco",
        parameterization=Phase(
            height, width, channels=channels, magnitude=PowerLaw() if magnitude is None else magnitude, sd=sd
        ),
        transforms=(
            ScheduledCrop(Linear(max(1, steps - 1), 0.5, 0.05)),
            ToInput(),
            ScheduledNoise(strength[0], schedule=strength[1]),
        ),
        views=crops,
        optimizer=NAdam(lr=1.0),
        steps=steps,
        transparency="gradients",
        follows=("fel2023maco",),
    )


METHODS = (
    Method("maco", maco, "Fel et al., Unlocking Feature Visualization, NeurIPS; deel-ai/xplique", 2023, canvas="own"),
)
