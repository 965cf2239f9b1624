"""The most exciting input of a unit of any network: phosphene's setting of what the Tolias and Sinz labs do.

For the least exciting input render the negated unit, or call :func:`phosphene.recipes.least_exciting`; for an ensemble
of models render on :func:`phosphene.models.ensemble.ensemble`.
"""

from __future__ import annotations

from dataclasses import replace

from phosphene.recipes.mei_labs import mei_norm
from phosphene.recipes.mei_units import MEAN, STD
from phosphene.recipes.method import Method
from phosphene.render import Recipe
from phosphene.transforms import Jitter


def mei(  # noqa: PLR0913 - the options of the labs' programs, keyword-only
    height: int = 224,
    width: int = 224,
    channels: int = 3,
    *,
    mean: float = MEAN,
    std: float = STD,
    contrast: float = 0.3,
    blur: float = 2.0,
    jitter: int = 4,
    steps: int = 500,
) -> Recipe:
    """The most exciting input under a norm, for networks with strides: as :func:`mei_norm`, its gradient blurred
    twice as wide and its image shifted a little before every step.

    Shifts and blur keep out the gratings of one and two pixels that strides let through; a neuron at one position is
    seen through them, so its image is as sharp as the shifts allow. The norm is an upper bound, so that what lies
    outside of a small receptive field stays grey.

    Args:
        height: image rows, in pixels.
        width: image columns, in pixels.
        channels: colour channels.
        mean: the lab's mean stimulus, in [0, 1], from which the norm is measured.
        std: the standard deviation of the lab's stimuli, in units of [0, 1].
        contrast: largest root mean square distance from ``mean``, in the lab's units.
        blur: standard deviation of the gradient's blur, in pixels.
        jitter: largest shift either way, in pixels.
        steps: number of steps.

    Raises:
        ParameterError: a parameter out of range.
    """
    norm = mei_norm(
        height, width, channels, mean=mean, std=std, contrast=contrast, blur=blur, bound="most", steps=steps
    )
    return replace(norm, name="mei", transforms=(Jitter(jitter),))


METHODS = (Method("mei", mei, "phosphene, after Walker and others 2019 and Willeke and others 2023", 2026),)
