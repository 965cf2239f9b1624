"""Most exciting inputs held together by penalties and by chance (Bashivan et al. 2019; DeepTune; featurevis' textures),
after featurevis' notebooks.

Penalties count differences in a lab's units; see :mod:`phosphene.recipes.mei_units`. Featurevis' total variation takes
differences of rows from the *last* row, and hence smooths columns only; here each row is compared with the next.
"""

from __future__ import annotations

from phosphene._component import check
from phosphene.conditioners import ClipGradient, Normalize
from phosphene.optimizers import SGD
from phosphene.projections import Clip
from phosphene.recipes.mei_units import MEAN, STD, lab_pixels
from phosphene.recipes.method import Method
from phosphene.regularizers import LpNorm, TotalVariation
from phosphene.render import Recipe
from phosphene.transforms import Jitter, RandomCrop, ToInput


def mei_bashivan(  # noqa: PLR0913 - the options of the published notebook, keyword-only
    height: int = 224,
    width: int = 224,
    channels: int = 3,
    *,
    mean: float = MEAN,
    std: float = STD,
    jitter: int = 4,
    tv: float = 0.001,
    steps: int = 700,
) -> Recipe:
    """The stimulus of neural population control: shifted at random, smooth in total variation, at steps of one length.

    The gradient's L2 norm is set to 1 and its values clipped to ±1, and the image moves by it, in the lab's units. The
    published shift is up to 2 rows and 4 columns of a wide screen; here one number holds for both. Beside a unit whose
    responses are not of the size of a spike count, weigh ``tv`` against it.

    Args:
        height: image rows, in pixels.
        width: image columns, in pixels.
        channels: colour channels.
        mean: the lab's mean stimulus, in [0, 1], around which the image starts.
        std: the standard deviation of the lab's stimuli, in units of [0, 1].
        jitter: largest shift either way, in pixels.
        tv: weight of the total variation, a sum over pixels in the lab's units, from 0.
        steps: number of steps.

    Raises:
        ParameterError: a parameter out of range.
    """
    check(0 <= tv < float("inf"), "tv", tv, "a weight from 0; it is subtracted")
    return Recipe(
        name="mei_bashivan",
        follows=("bashivan2019neural", "cobos2019featurevis"),
        parameterization=lab_pixels(height, width, channels, mean=mean, std=std),
        transforms=(Jitter(jitter),),
        optimizer=SGD(lr=std),
        regularizer=-tv * TotalVariation(scale=(std,)),
        conditioners=(Normalize("l2", eps=0.0), ClipGradient(1.0, "value")),
        projections=(Clip(),),
        steps=steps,
    )


def mei_deeptune(  # noqa: PLR0913 - the options of the published notebook, keyword-only
    height: int = 224,
    width: int = 224,
    channels: int = 3,
    *,
    mean: float = MEAN,
    std: float = STD,
    tv: float = 0.001,
    l6: float = 1.0,
    lr: float = 0.1,
    steps: int = 500,
) -> Recipe:
    """DeepTune's stimulus: plain ascent under a total variation and the 6-norm, which holds the largest values down.

    The gradient is taken as it is, so ``lr`` (featurevis' own default) and both weights are for units whose responses
    are spike counts; for others weigh the unit: ``20 * ph.Channel(…)``, until the picture fills the range without
    reaching its ends.

    Args:
        height: image rows, in pixels.
        width: image columns, in pixels.
        channels: colour channels.
        mean: the lab's mean stimulus, in [0, 1], where the 6-norm costs nothing.
        std: the standard deviation of the lab's stimuli, in units of [0, 1].
        tv: weight of the total variation, a sum over pixels in the lab's units, from 0.
        l6: weight of the 6-norm in the lab's units, from 0.
        lr: learning rate, in the lab's units.
        steps: number of steps.

    Raises:
        ParameterError: a parameter out of range.
    """
    for name, weight in (("tv", tv), ("l6", l6)):
        check(0 <= weight < float("inf"), name, weight, "a weight from 0; it is subtracted")
    penalty = -tv * TotalVariation(scale=(std,)) - l6 * LpNorm(6.0, center=(float(mean),), scale=(std,))
    return Recipe(
        name="mei_deeptune",
        follows=("abbasiasl2018deeptune", "cobos2019featurevis"),
        parameterization=lab_pixels(height, width, channels, mean=mean, std=std),
        # The gradient in the lab's units is std times that in the image, and a step there std times as large here.
        optimizer=SGD(lr=lr * std**2),
        regularizer=penalty,
        projections=(Clip(),),
        steps=steps,
    )


def mei_texture(  # noqa: PLR0913 - the options of the published notebook, keyword-only
    height: int = 448,
    width: int = 448,
    channels: int = 3,
    *,
    mean: float = MEAN,
    std: float = STD,
    tv: float = 0.001,
    step: float = 5.0,
    steps: int = 5000,
) -> Recipe:
    """The texture that a unit likes wherever it looks: a canvas of twice the input's size, seen through random windows
    of half its sides.

    Windows are placed between pixels, and resized to the network's input where the canvas is not twice as large. The
    published step of 5 is along the gradient of unit L2 norm, in the lab's units.

    Args:
        height: rows of the canvas, in pixels: twice the network's input.
        width: columns of the canvas, in pixels.
        channels: colour channels.
        mean: the lab's mean stimulus, in [0, 1], around which the image starts.
        std: the standard deviation of the lab's stimuli, in units of [0, 1].
        tv: weight of the total variation, a sum over pixels in the lab's units, from 0.
        step: L2 norm of a step, in the lab's units.
        steps: number of steps.

    Raises:
        ParameterError: a parameter out of range.
    """
    check(0 <= tv < float("inf"), "tv", tv, "a weight from 0; it is subtracted")
    return Recipe(
        name="mei_texture",
        follows=("cobos2019featurevis", "cadena2018diverse"),
        parameterization=lab_pixels(height, width, channels, mean=mean, std=std),
        transforms=(RandomCrop(0.5, 0.5), ToInput()),
        optimizer=SGD(lr=step * std),
        regularizer=-tv * TotalVariation(scale=(std,)),
        conditioners=(Normalize("l2", eps=0.0),),
        projections=(Clip(),),
        steps=steps,
    )


METHODS = (
    Method("mei_bashivan", mei_bashivan, "Bashivan, Kar and DiCarlo, Science; cajal/featurevis", 2019),
    Method("mei_deeptune", mei_deeptune, "Abbasi-Asl, Chen, Bloniarz and others, bioRxiv; cajal/featurevis", 2018),
    Method("mei_texture", mei_texture, "Cobos, cajal/featurevis", 2019, canvas="own"),
)
