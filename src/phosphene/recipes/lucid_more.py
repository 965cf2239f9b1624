"""Lucid beyond its defaults: other canvases, redirected gradients, and transparency (tensorflow/lucid; Mordvintsev,
Pezzotti, Schubert and Olah, "Differentiable Image Parameterizations", Distill 2018).
"""

from __future__ import annotations

from dataclasses import replace

from phosphene.models.network import Network
from phosphene.models.overrides import RedirectedReLU
from phosphene.objectives import Objective
from phosphene.optimizers import Adam
from phosphene.parameterizations import CPPN, Alpha, Fourier, Grayscale, LaplacianPyramid
from phosphene.recipes.lucid import lucid
from phosphene.recipes.method import Method
from phosphene.regularizers import MeanAlpha
from phosphene.render import Recipe, Result, render
from phosphene.render.progress import Progress
from phosphene.transforms import CollapseAlpha, RandomCrop, ToInput

_LUCID = "Olah, Mordvintsev and Schubert, tensorflow/lucid"
_DISTILL = "Mordvintsev, Pezzotti, Schubert and Olah, Distill"


def laplacian_pyramid(height: int = 128, width: int = 128, channels: int = 3, *, levels: int = 4) -> Recipe:
    """Lucid's defaults on a Laplacian pyramid: the sum of tensors of several resolutions.

    Args:
        height: image rows, in pixels.
        width: image columns, in pixels.
        channels: colour channels.
        levels: number of resolutions, each half the one before.
    """
    canvas = LaplacianPyramid(height, width, channels=channels, levels=levels)
    return replace(lucid(height, width, channels), name="laplacian_pyramid", parameterization=canvas)


def cppn(height: int = 224, width: int = 224, channels: int = 3, *, lr: float = 0.005, steps: int = 512) -> Recipe:
    """A small network paints: smooth at any magnification (the notebook ``xy2rgb``: 224 px, Adam 0.005, no transforms).

    Args:
        height: image rows, in pixels.
        width: image columns, in pixels.
        channels: colour channels.
        lr: learning rate.
        steps: number of steps.
    """
    return Recipe(
        name="cppn",
        follows=("mordvintsev2018differentiable", "stanley2007cppn"),
        parameterization=CPPN(height, width, channels=channels),
        optimizer=Adam(lr=lr),
        steps=steps,
    )


def grayscale(height: int = 128, width: int = 128, channels: int = 3) -> Recipe:
    """Lucid's defaults in grey: one channel, shown as three equal ones to networks that see colours.

    Args:
        height: image rows, in pixels.
        width: image columns, in pixels.
        channels: 3, or 1 for networks that see grey.

    Raises:
        ParameterError: another number of channels.
    """
    grey = Fourier(height, width, channels=1)
    canvas = grey if channels == 1 else Grayscale(grey)
    return replace(lucid(height, width, channels), name="grayscale", parameterization=canvas)


def lucid_redirected(height: int = 128, width: int = 128, channels: int = 3) -> Recipe:
    """Lucid's ``render_vis`` as it is without any option: for 16 steps a ReLU whose gradient is wholly blocked lets it
    through.

    Args:
        height: image rows, in pixels.
        width: image columns, in pixels.
        channels: colour channels.
    """
    return replace(lucid(height, width, channels), name="lucid_redirected", overrides=(RedirectedReLU(steps=16),))


def alpha(height: int = 320, width: int = 320, channels: int = 3, *, lr: float = 0.03, steps: int = 1000) -> Recipe:
    """A transparent image, seen through windows of half its side before random backgrounds.

    The notebook ``transparency``: 320 px, scaled by 0.6 to 1.1, cropped to 160, backgrounds of standard deviation 0.2
    and decay 1.5. Here a window of 160 px of the canvas so scaled is one random crop, at the network's input size.
    Render it with ``unit * (1 - MeanAlpha())``, as :func:`transparent` does; the unit alone gives no reason to be
    transparent, and half of everything is.

    Args:
        height: image rows, in pixels.
        width: image columns, in pixels.
        channels: colour channels; the image has one more, its opacity.
        lr: learning rate.
        steps: number of steps.
    """
    return Recipe(
        name="alpha",
        follows=("mordvintsev2018differentiable",),
        parameterization=Alpha(Fourier(height, width, channels=channels)),
        transforms=(CollapseAlpha(sd=0.2, decay=1.5), RandomCrop(0.5 / 1.1, 0.5 / 0.6), ToInput()),
        optimizer=Adam(lr=lr),
        steps=steps,
    )


def transparent(
    net: Network, unit: Objective, *, recipe: Recipe | None = None, seed: int = 0, progress: Progress = True
) -> Result:
    """What a unit needs, and nothing else: the rest of the picture is transparent.

    Climbs ``unit · (1 - mean alpha)``, before random backgrounds. The notebook's loss counts the opacity of the window
    that is seen, and half as much the whole image's; here it is the whole image's. Pictures are saved
    with their transparency.

    Args:
        net: the network, of colours or of grey.
        unit: what is wanted; its score should be positive, as the product is driven up.
        recipe: how; by default :func:`alpha` at its defaults.
        seed: seed of every random stream.
        progress: see :func:`phosphene.render`.

    Raises:
        ImageError: the recipe's image has no opacity beside its colours or its grey.
    """
    how = alpha(channels=net.n_channels) if recipe is None else recipe
    return render(net, unit * (1 - MeanAlpha()), recipe=how, seed=seed, progress=progress)


METHODS = (
    Method("laplacian_pyramid", laplacian_pyramid, _LUCID, 2017, canvas="own"),
    Method("grayscale", grayscale, _LUCID, 2017, canvas="own"),
    Method("lucid_redirected", lucid_redirected, _LUCID, 2017, canvas="own"),
    Method("cppn", cppn, _DISTILL, 2018),
    Method("alpha", alpha, _DISTILL, 2018, canvas="own"),
)
