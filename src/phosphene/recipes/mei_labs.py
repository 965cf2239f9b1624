"""Most exciting inputs as the Tolias and Sinz labs make them: a gradient that is smoothed, and an image that is held in
a range, at a contrast or at a norm (Walker et al. 2019; featurevis; sinzlab/mei).

They were made for small grey images and model neurons without strides. Networks with strides answer to the finest
gratings, and show them at the published blur; :func:`phosphene.recipes.mei` is for those.
"""

from __future__ import annotations

from typing import Literal

from phosphene._component import check
from phosphene._schedules import Linear
from phosphene.conditioners import BlurGradient, Normalize, SmoothGradient
from phosphene.optimizers import SGD
from phosphene.projections import Blur, Clip, FixContrast, PNorm
from phosphene.recipes.mei_units import MEAN, STD, lab_pixels
from phosphene.recipes.method import Method
from phosphene.render import Recipe

#: The first and the last step's mean change of a pixel, and the first and last blur in pixels (featurevis' notebook;
#: the numbers of Øygard's program before it: 3 and 1/8 out of 255, times a gain of 0.1).
_FIRST_STEP, _LAST_STEP = 1 / 850, 1 / 20400
_FIRST_BLUR, _LAST_BLUR = 1.5, 0.01
_STEPS = 1000
#: Where the image's length is fixed: that of the first step over the image's, 1 under a norm of 25; of the last step
#: over the first; and of the noise at the start over the image's. The blurred gradient has no say in what is finer than
#: its blur, so noise of the full length would stay.
_SHARE, _LAST_SHARE, _FAINT = 0.04, 0.05, 0.01


def mei_walker(  # noqa: PLR0913 - the options of the published notebook, keyword-only
    height: int = 224,
    width: int = 224,
    channels: int = 3,
    *,
    mean: float = MEAN,
    std: float = STD,
    gain: float = 1.0,
    smoothing: float = 0.04,
    steps: int = _STEPS,
) -> Recipe:
    """The most exciting input of inception loops: a gradient smoothed a little in Fourier space, and an image whose
    blur fades.

    Each step divides the gradient by its mean absolute value, so that a pixel moves by 1/850 unit on average in the
    first and by 1/20400 in the last, falling linearly; then the image is clipped to [0, 1] and blurred, by 1.5 pixels
    at first and 0.01 at last. A unit is ``std`` of [0, 1]; see :mod:`phosphene.recipes.mei_units`.

    All steps together move a pixel by at most 0.6 units on average; they are made larger where there are fewer. The
    picture is shown at one mean and contrast, as labs show their stimuli; ``finish="clip"`` leaves it as it is, which
    for units that see the whole image is faint.

    Args:
        height: image rows, in pixels.
        width: image columns, in pixels.
        channels: colour channels.
        mean: the lab's mean stimulus, in [0, 1], around which the image starts.
        std: the standard deviation of the lab's stimuli, in units of [0, 1].
        gain: factor of the steps, and so of the contrast; 1 is published.
        smoothing: exponent of the Fourier smoothing ``(1 - f)^smoothing`` of the gradient.
        steps: number of steps.

    Raises:
        ParameterError: a parameter out of range.
    """
    check(0 < gain < float("inf"), "gain", gain, "a factor above 0")
    length = max(1, steps)
    return Recipe(
        name="mei_walker",
        follows=("walker2019inception", "cobos2019featurevis", "oygard2015visualizing"),
        parameterization=lab_pixels(height, width, channels, mean=mean, std=std),
        optimizer=SGD(
            lr=gain * std * _FIRST_STEP * _STEPS / length, schedule=Linear(length, 1.0, _LAST_STEP / _FIRST_STEP)
        ),
        conditioners=(SmoothGradient(smoothing), Normalize("mean_abs", eps=0.0)),
        projections=(Clip(), Blur(_FIRST_BLUR, Linear(length, 1.0, _LAST_BLUR / _FIRST_BLUR))),
        steps=steps,
        finish="standard",
    )


def mei_contrast(  # noqa: PLR0913 - the options of the published program, keyword-only
    height: int = 224,
    width: int = 224,
    channels: int = 3,
    *,
    mean: float = MEAN,
    std: float = STD,
    contrast: float = 0.1,
    blur: float = 1.0,
    steps: int = _STEPS,
) -> Recipe:
    """The most exciting input at a fixed contrast: after every step the image's standard deviation is set
    (featurevis' ``ChangeStd``).

    The published alternative names the constraint, 0.1 units, and no climb; here the climb is :func:`mei_norm`'s.
    Featurevis scales about the grey of 0 units and lets the image's mean drift; here the mean stays the lab's, as with
    ``zero_mean`` of sinzlab/mei: a drifting grey is no contrast.

    Args:
        height: image rows, in pixels.
        width: image columns, in pixels.
        channels: colour channels.
        mean: the image's mean, in [0, 1]: the lab's mean stimulus.
        std: the standard deviation of the lab's stimuli, in units of [0, 1].
        contrast: the image's standard deviation, in the lab's units.
        blur: standard deviation of the gradient's blur, in pixels.
        steps: number of steps.

    Raises:
        ParameterError: a parameter out of range.
    """
    check(0 < contrast < float("inf"), "contrast", contrast, "a standard deviation above 0, in the lab's units")
    return Recipe(
        name="mei_contrast",
        follows=("cobos2019featurevis", "sinzlab2024mei"),
        parameterization=lab_pixels(height, width, channels, mean=mean, std=std, noise=_FAINT * contrast),
        optimizer=SGD(lr=_SHARE * contrast * std, schedule=Linear(max(1, steps), 1.0, _LAST_SHARE)),
        conditioners=(BlurGradient(blur), Normalize("rms", eps=0.0)),
        projections=(FixContrast(float(mean), contrast * std),),
        steps=steps,
    )


def mei_norm(  # noqa: PLR0913 - the options of the published program, keyword-only
    height: int = 224,
    width: int = 224,
    channels: int = 3,
    *,
    mean: float = MEAN,
    std: float = STD,
    contrast: float = 0.25,
    p: float = 2.0,
    blur: float = 1.0,
    bound: Literal["exact", "most"] = "exact",
    steps: int = _STEPS,
) -> Recipe:
    """The most exciting input at a fixed norm, clipped to the pixel range (sinzlab/mei; Willeke et al. 2023, area V4).

    The norm is given per value, so that it means one contrast in every size: the published L2 norm of 25 at 100 × 100
    grey pixels is 0.25, of 7.5 at 36 × 64 (mouse) 0.16, of 10 at 100 × 100 (the quick start) 0.1; p = 1 and 30 per
    image is 0.003. Norm n of p at k values is ``n / k^(1/p)``.

    The published step is the raw gradient times 1 (or AdamW at rate 10), whose size is the model neuron's. Here the
    blurred gradient has unit length and a step a twenty-fifth of the image's, as long as a gradient of length 1 is
    under a norm of 25; it falls linearly to a twentieth of that, so that the image comes to rest.

    Args:
        height: image rows, in pixels.
        width: image columns, in pixels.
        channels: colour channels.
        mean: the lab's mean stimulus, in [0, 1], from which the norm is measured.
        std: the standard deviation of the lab's stimuli, in units of [0, 1].
        contrast: the p-norm per value, in the lab's units.
        p: exponent of the norm, from 1.
        blur: standard deviation of the gradient's blur, in pixels (``precondition``: GaussianBlur of 1).
        bound: "exact" sets the norm of every image (``ChangeNorm``), which for a unit with a small field raises the
            noise around it too, once the field itself is as bright as can be; "most" only brings larger ones down
            (``PNormConstraint``).
        steps: number of steps.

    Raises:
        ParameterError: a parameter out of range.
    """
    check(0 < contrast < float("inf"), "contrast", contrast, "a norm per value above 0, in the lab's units")
    return Recipe(
        name="mei_norm",
        follows=("willeke2023deep", "walker2019inception", "sinzlab2024mei"),
        parameterization=lab_pixels(height, width, channels, mean=mean, std=std, noise=_FAINT * contrast),
        optimizer=SGD(lr=_SHARE * contrast * std, schedule=Linear(max(1, steps), 1.0, _LAST_SHARE)),
        conditioners=(BlurGradient(blur), Normalize("rms", eps=0.0)),
        projections=(PNorm(contrast * std, p, center=float(mean), per="value", bound=bound), Clip()),
        steps=steps,
    )


METHODS = (
    Method("mei_walker", mei_walker, "Walker, Sinz, Cobos and others, Nature Neuroscience; cajal/featurevis", 2019),
    Method("mei_contrast", mei_contrast, "Cobos, cajal/featurevis", 2019),
    Method("mei_norm", mei_norm, "Willeke, Restivo, Franke and others, bioRxiv; sinzlab/mei", 2023),
)
