"""DeepDream in TensorFlow (Mordvintsev 2015; tensorflow/examples, ``deepdream.ipynb``): naive, over several scales,
with a Laplacian-normalised gradient, and into photographs.

Their objective is the mean of a channel *before* its ReLU, whose gradient is there when the channel is silent; the
program shows channel 139 of a bottleneck of "mixed4d". Choose a layer that is no ReLU: ``ph.Channel(layer, index)``,
sums of such, or ``ph.Layer(layer)`` for the mean of the squares.

Steps and guards are given in units of [0, 1]; the program has images in 0 … 255, so that its guards are 255 times as
large here.
"""

from __future__ import annotations

from phosphene.conditioners import LaplacianNormalize, Tiles
from phosphene.optimizers import SGD, NormalizedAscent
from phosphene.parameterizations import Pixels, UniformStart
from phosphene.recipes.method import Method
from phosphene.recipes.photograph import pixels_of
from phosphene.render import Recipe
from phosphene.stages import Octaves, Upscaling

_FOLLOWS = ("mordvintsev2015inceptionism",)
#: 512 × 512 pixels, as published.
_TILES = Tiles(512, 512)
#: The program's guards: of the standard deviation, of the mean absolute gradient, and of a pyramid level's RMS.
_EPS_SD, _EPS_MEAN_ABS, _EPS_LEVEL = 255 * 1e-8, 255 * 1e-7, 255 * 1e-10


def tf_naive(
    height: int = 224, width: int = 224, channels: int = 3, *, steps: int = 20, step: float = 1 / 255
) -> Recipe:
    """DeepDream in TensorFlow, ``render_naive``: steps along the gradient over its standard deviation, from grey.

    Args:
        height: image rows, in pixels.
        width: image columns, in pixels.
        channels: colour channels.
        steps: number of steps.
        step: standard deviation of a step, in units of [0, 1].
    """
    return Recipe(
        name="tf_naive",
        follows=_FOLLOWS,
        parameterization=_noise(height, width, channels),
        optimizer=NormalizedAscent(lr=step, norm="sd", eps=_EPS_SD),
        steps=steps,
        finish="standard",
    )


def tf_multiscale(  # noqa: PLR0913 - the parameters of the published function, keyword-only
    height: int = 224,
    width: int = 224,
    channels: int = 3,
    *,
    steps: int = 10,
    step: float = 1 / 255,
    octaves: int = 3,
    scale: float = 1.4,
    tiles: Tiles | None = _TILES,
) -> Recipe:
    """DeepDream in TensorFlow, ``render_multiscale``: the image drawn small, enlarged, drawn on.

    The published ``calc_grad_tiled`` leaves strips of up to half a tile without gradient in a step where the size is no
    multiple of the tile's; here tiles cover every pixel. ``tiles=Tiles(mode="tensorflow")`` cuts as they do.

    Args:
        height: rows of the *first* octave, in pixels; three octaves end at 1.96 times as many.
        width: columns of the first octave, in pixels.
        channels: colour channels.
        steps: steps in each octave.
        step: standard deviation of a step, in units of [0, 1].
        octaves: number of octaves.
        scale: size of an octave over the one before it.
        tiles: how the image is cut for its gradient, 512 × 512 pixels as published; None takes it whole.
    """
    return Recipe(
        name="tf_multiscale",
        follows=_FOLLOWS,
        parameterization=_noise(height, width, channels),
        optimizer=NormalizedAscent(lr=step, norm="sd", eps=_EPS_SD),
        steps=steps,
        stages=Upscaling(n=octaves, scale=scale, convention="tf1", rounding="float32"),
        tiles=tiles,
        finish="standard",
    )


def tf_lapnorm(  # noqa: PLR0913 - the parameters of the published function, keyword-only
    height: int = 224,
    width: int = 224,
    channels: int = 3,
    *,
    steps: int = 10,
    step: float = 1 / 255,
    octaves: int = 3,
    scale: float = 1.4,
    levels: int = 4,
    tiles: Tiles | None = _TILES,
) -> Recipe:
    """DeepDream in TensorFlow, ``render_lapnorm``: as ``tf_multiscale``, with every level of the gradient's Laplacian
    pyramid brought to one strength.

    Args:
        height: rows of the *first* octave, in pixels; three octaves end at 1.96 times as many.
        width: columns of the first octave, in pixels.
        channels: colour channels.
        steps: steps in each octave.
        step: root mean square of a level's step, in units of [0, 1].
        octaves: number of octaves.
        scale: size of an octave over the one before it.
        levels: halvings of the gradient's pyramid.
        tiles: how the image is cut for its gradient, see :func:`tf_multiscale`.
    """
    return Recipe(
        name="tf_lapnorm",
        follows=_FOLLOWS,
        parameterization=_noise(height, width, channels),
        optimizer=SGD(lr=step),
        steps=steps,
        stages=Upscaling(n=octaves, scale=scale, convention="tf1", rounding="float32"),
        tiles=tiles,
        conditioners=(LaplacianNormalize(levels=levels, style="tensorflow", eps=_EPS_LEVEL),),
        finish="standard",
    )


def tf_deepdream(
    image: object,
    *,
    steps: int = 10,
    step: float = 1.5 / 255,
    octaves: int = 4,
    scale: float = 1.4,
    tiles: Tiles | None = _TILES,
) -> Recipe:
    """DeepDream in TensorFlow, ``render_deepdream``: octaves of a photograph, their fine detail put back one by one.

    The program keeps what each shrinking loses and adds it after enlarging, which is the same sum as the detail that
    DeepDream in Caffe carries. Values are not clipped before the end. It climbs ``ph.Layer(name)``, or one channel.

    Args:
        image: the photograph, (c, h, w) in [0, 1], of any size: memory depends on the tile for the network's part.
        steps: steps in each octave.
        step: mean change of a value in a step, in units of [0, 1].
        octaves: number of octaves.
        scale: size of an octave over the one before it.
        tiles: how the image is cut for its gradient, see :func:`tf_multiscale`.
    """
    return Recipe(
        name="tf_deepdream",
        follows=_FOLLOWS,
        parameterization=pixels_of(image),
        optimizer=NormalizedAscent(lr=step, norm="mean_abs", eps=_EPS_MEAN_ABS),
        steps=steps,
        stages=Octaves(n=octaves, scale=scale, convention="tf1"),
        tiles=tiles,
    )


def _noise(height: int, width: int, channels: int) -> Pixels:
    """Grey of 100 of 255 with noise of one grey level, as the program starts."""
    return Pixels(
        height,
        width,
        channels=channels,
        decorrelate="none",
        range="none",
        start=UniformStart(100 / 255, 101 / 255),
        offset=(0.0,) * channels,
    )


_SOURCE = "Mordvintsev; tensorflow/examples, community/en/r1/deepdream.ipynb"
METHODS = (
    Method("tf_naive", tf_naive, _SOURCE, 2015),
    Method("tf_multiscale", tf_multiscale, _SOURCE, 2015),
    Method("tf_lapnorm", tf_lapnorm, _SOURCE, 2015),
    Method("tf_deepdream", tf_deepdream, _SOURCE, 2015, "photograph"),
)
