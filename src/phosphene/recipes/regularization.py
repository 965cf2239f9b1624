"""Lucid's notebook on regularization (Olah, Mordvintsev and Schubert 2017): frequencies penalised, and robustness to
transformations, each on plain pixels, and the latter on decorrelated frequencies too.
"""

from __future__ import annotations

from phosphene._component import check
from phosphene.objectives import Objective
from phosphene.parameterizations import Fourier
from phosphene.recipes.distill import NOTEBOOK, SOURCE, STEPS, YEAR, plain_pixels, setting, whole_angles
from phosphene.recipes.method import Method
from phosphene.regularizers import L1, BilateralPenalty, BlurPenalty, TotalVariation
from phosphene.render import Recipe
from phosphene.transforms import Jitter, Pad, Rotate, Scale, Transform


def penalized(  # noqa: PLR0913 - the knobs of the notebook, keyword-only
    height: int = 64,
    width: int = 64,
    channels: int = 3,
    *,
    l1: float = 0.05,
    tv: float = 0.25,
    blur: float = 1.0,
    bilateral: float = 0.0,
    steps: int = STEPS,
) -> Recipe:
    """High frequencies penalised on plain pixels: by L1, total variation and blur, or by a bilateral filter.

    The weights are of sums over pixels and channels, as published, and so belong to an image's size and to a unit's
    scale: the notebook's are for InceptionV1, whose activations are in the hundreds; of units with single digits they
    leave nothing but grey, so weigh those: ``50 * unit``. Weights are subtracted: the notebook writes them with a minus
    sign.

    Args:
        height: image rows, in pixels.
        width: image columns, in pixels.
        channels: colour channels.
        l1: weight of the distance from grey.
        tv: weight of the total variation.
        blur: weight of the distance from the blurred image.
        bilateral: weight of the distance from the image after a bilateral filter, which leaves edges.
        steps: number of steps.

    Raises:
        ParameterError: a weight below 0.
    """
    terms = {
        "l1": (l1, L1(constant=0.5)),
        "tv": (tv, TotalVariation()),
        "blur": (blur, BlurPenalty()),
        "bilateral": (bilateral, BilateralPenalty()),
    }
    found: Objective | None = None
    for name, (weight, penalty) in terms.items():
        check(0 <= weight < float("inf"), name, weight, "a weight from 0; it is subtracted")
        if weight:
            found = -weight * penalty if found is None else found - weight * penalty
    return setting("penalized", plain_pixels(height, width, channels), steps=steps, regularizer=found)


def bilateral(
    height: int = 64, width: int = 64, channels: int = 3, *, weight: float = 1.0, steps: int = STEPS
) -> Recipe:
    """High frequencies penalised by a bilateral filter, which leaves edges; nothing else on plain pixels.

    The article names it and gives no weight; ``weight`` is that of the notebook's blur. See :func:`penalized`.

    Args:
        height: image rows, in pixels.
        width: image columns, in pixels.
        channels: colour channels.
        weight: weight of the distance from the filtered image.
        steps: number of steps.

    Raises:
        ParameterError: the weight is below 0.
    """
    made = penalized(height, width, channels, l1=0.0, tv=0.0, blur=0.0, bilateral=weight, steps=steps)
    return setting("bilateral", made.parameterization, steps=steps, regularizer=made.regularizer)


def robust(  # noqa: PLR0913 - the knobs of the notebook, keyword-only
    height: int = 64,
    width: int = 64,
    channels: int = 3,
    *,
    jitter: int = 1,
    rotate: float = 5.0,
    scale: float = 1.1,
    steps: int = STEPS,
) -> Recipe:
    """Transformation robustness on plain pixels: shifted, scaled and turned before every step.

    The image is padded by twice the shift, as published with mirrored borders, so that its edges are seen.

    Args:
        height: image rows, in pixels.
        width: image columns, in pixels.
        channels: colour channels.
        jitter: largest shift, in pixels.
        rotate: largest turn either way, in degrees; turns are by whole degrees.
        scale: largest magnification; its inverse is the smallest, in 21 equal ratios.
        steps: number of steps.

    Raises:
        ParameterError: a parameter out of range.
    """
    views = robust_views(jitter, rotate, scale)
    return setting("robust", plain_pixels(height, width, channels), steps=steps, transforms=views)


def preconditioned_robust(  # noqa: PLR0913 - the knobs of the notebook, keyword-only
    height: int = 64,
    width: int = 64,
    channels: int = 3,
    *,
    jitter: int = 1,
    rotate: float = 5.0,
    scale: float = 1.1,
    steps: int = STEPS,
) -> Recipe:
    """Decorrelated frequencies and colours, with transformation robustness: the notebook's last setting.

    Args:
        height: image rows, in pixels.
        width: image columns, in pixels.
        channels: colour channels.
        jitter: largest shift, in pixels.
        rotate: largest turn either way, in degrees; turns are by whole degrees.
        scale: largest magnification; its inverse is the smallest.
        steps: number of steps.

    Raises:
        ParameterError: a parameter out of range.
    """
    canvas = Fourier(height, width, channels=channels)
    return setting("preconditioned_robust", canvas, steps=steps, transforms=robust_views(jitter, rotate, scale))


def robust_views(jitter: int, rotate: float, scale: float) -> tuple[Transform, ...]:
    """The notebook's transforms: a border of twice the shift, the shift, a scale, a turn; see :func:`robust`.

    >>> robust_views(0, 0.0, 1.0)
    ()

    Raises:
        ParameterError: a parameter out of range.
    """
    check(jitter >= 0, "jitter", jitter, "a whole number of pixels from 0")
    check(1 <= scale <= 10, "scale", scale, "a magnification from 1 to 10")
    check(0 <= rotate <= 360, "rotate", rotate, "an angle from 0 to 360 degrees")
    found: tuple[Transform, ...] = ()
    if jitter:
        found += (Pad(2 * jitter, mode="reflect"), Jitter(jitter, mode="crop"))
    if scale > 1:
        found += (Scale(options=tuple(scale ** (n / 10) for n in range(-10, 11))),)
    return (*found, Rotate(options_deg=whole_angles(rotate))) if rotate else found


METHODS = (
    Method("penalized", penalized, NOTEBOOK, YEAR, canvas="own"),
    Method("bilateral", bilateral, SOURCE, YEAR, canvas="own"),
    Method("robust", robust, NOTEBOOK, YEAR, canvas="own"),
    Method("preconditioned_robust", preconditioned_robust, NOTEBOOK, YEAR, canvas="own"),
)
