"""Synthesis in the CNN-visualization zoo (Ozbulak 2019, utkuozbulak/pytorch-cnn-visualizations): layers, classes, and a
deep dream. All of it optimises the normalised image.
"""

from __future__ import annotations

from phosphene._component import check
from phosphene.optimizers import SGD, Adam
from phosphene.parameterizations.starts import UniformStart
from phosphene.projections import Blur, Clip, Projection, Quantize
from phosphene.recipes.forty_lines import GREY_NOISE
from phosphene.recipes.method import Method
from phosphene.recipes.normalized import normalized_pixels
from phosphene.recipes.photograph import photograph
from phosphene.recipes.spectrum_fit import fitted
from phosphene.render import Recipe

_SOURCE, _YEAR = "Ozbulak, utkuozbulak/pytorch-cnn-visualizations", 2019
#: Largest L2 norm of a logit's gradient in the normalised image; found by looking at pictures of the bundled network.
IMAGE_GRADIENT_LIMIT = 3.0
_FOLLOWS = ("ozbulak2019visualizations",)


def layer_visualization(height: int = 224, width: int = 224, channels: int = 3) -> Recipe:
    """A filter of a layer from grey noise, with Adam on pixels and nothing to hold them back.

    The published example is VGG16's ``features.17``, filter 5; render it with :class:`phosphene.units.Channel`. The
    program cuts the noise of the start to whole numbers out of 255.

    Args:
        height: image rows, in pixels.
        width: image columns, in pixels.
        channels: colour channels.
    """
    return Recipe(
        name="layer_visualization",
        follows=_FOLLOWS,
        parameterization=normalized_pixels(height, width, channels, start=GREY_NOISE),
        optimizer=Adam(lr=0.1, weight_decay=1e-6),
        steps=30,
    )


def class_specific_image(
    height: int = 224, width: int = 224, channels: int = 3, *, lr: float = 6.0, quantized: bool = False
) -> Recipe:
    """A class from noise of all values, with plain gradient ascent on its logit.

    Render it with :class:`phosphene.units.Logit`. The rate fits networks whose logits have gradients such as AlexNet's;
    it is in standard deviations of the image over the logit's gradient there. In each step the published program
    passes the image through whole numbers from 0 to 255, which clips it, and loses every change of less than half of
    one; here it is clipped only. Its loop counts to 150 from 1, so it takes 149 steps.

    Args:
        height: image rows, in pixels.
        width: image columns, in pixels.
        channels: colour channels.
        lr: learning rate.
        quantized: round to whole numbers out of 255 after every step, as the program does.
    """
    return Recipe(
        name="class_specific_image",
        follows=("simonyan2014deep", *_FOLLOWS),
        parameterization=normalized_pixels(height, width, channels, start=UniformStart()),
        optimizer=SGD(lr=lr),
        steps=150,
        projections=(_passage(quantized),),
    )


def regularized_class_image(  # noqa: PLR0913 - the parameters of the published method, keyword-only
    height: int = 224,
    width: int = 224,
    channels: int = 3,
    *,
    lr: float = 6.0,
    blur_freq: int = 4,
    blur_rad: float = 1.0,
    wd: float = 1e-4,
    clipping_value: float | None = IMAGE_GRADIENT_LIMIT,
    quantized: bool = False,
) -> Recipe:
    """A class from noise, smoothed: a blur every few steps, weight decay, and a bound on the gradient.

    Render it with :class:`phosphene.units.Logit`. The source calls ``blur_freq=6, blur_rad=0.8, wd=0.05`` good too.

    Where the published program differs: it bounds the gradients of the *network's weights* by 0.1, which does nothing
    to the image; ``clipping_value=None`` gives its pictures. Here the L2 norm of the gradient in the normalised image
    is bounded. With 0.1 there, a step would change 150,528 values by no more than 0.6 taken together, and the picture
    stays grey; the bundled network's gradients have norms of 0.8 (noise) to 9 (a picture), of which a bound of 3 takes
    the largest. The program's blur is Pillow's approximation of a Gaussian, on whole numbers; here it is the Gaussian.
    The blur comes before the steps of number ``blur_freq``, twice that and so on, counted from 1. For whole numbers and
    the number of steps see :func:`class_specific_image`.

    Args:
        height: image rows, in pixels.
        width: image columns, in pixels.
        channels: colour channels.
        lr: learning rate.
        blur_freq: steps from one blur to the next.
        blur_rad: standard deviation of the blur, in pixels.
        wd: weight decay: pulls the normalised image to 0, the image to ImageNet's mean colour.
        clipping_value: largest L2 norm of the score's gradient in the normalised image; None does not bound it.
        quantized: round to whole numbers out of 255 after every step, as the program does.

    Raises:
        ParameterError: a parameter out of range.
    """
    check(blur_freq >= 1, "blur_freq", blur_freq, "a whole number from 1")
    return Recipe(
        name="regularized_class_image",
        follows=("simonyan2014deep", "yosinski2015understanding", *_FOLLOWS),
        parameterization=normalized_pixels(height, width, channels, start=UniformStart()),
        optimizer=SGD(lr=lr, weight_decay=wd, clip_norm=clipping_value),
        steps=150,
        projections=(_passage(quantized), Blur(blur_rad, every=blur_freq, phase=1 % blur_freq)),
    )


def zoo_deep_dream(image: object, *, size: tuple[int, int] | None = None) -> Recipe:
    """A filter drawn into a photograph by plain gradient ascent, at one size.

    Render it with :class:`phosphene.units.Channel`; the published examples are VGG19's ``features.34``, filters 94 and
    103. The rate of 12 is for filters whose mean's gradient is such as VGG's. The published program always resizes the
    photograph to 224 × 224, against its own comment on huge images.

    Args:
        image: the photograph, (c, h, w) in [0, 1].
        size: height and width in pixels to which its middle is resized; None leaves it as it is.

    Raises:
        ImageError: no image (c, h, w) in [0, 1].
        ArgumentError: no array of numbers.
    """
    photo = photograph(image)
    start = photo if size is None else photograph(fitted(photo.tensor(), *size))
    channels, height, width = start.shape
    return Recipe(
        name="zoo_deep_dream",
        follows=_FOLLOWS,
        parameterization=normalized_pixels(height, width, channels, start=start),
        optimizer=SGD(lr=12.0, weight_decay=1e-4),
        steps=250,
    )


def _passage(quantized: bool) -> Projection:
    """What the passage through an 8-bit image does: clip, and round if wanted."""
    return Quantize() if quantized else Clip()


METHODS = (
    Method("layer_visualization", layer_visualization, _SOURCE, _YEAR),
    Method("class_specific_image", class_specific_image, _SOURCE, _YEAR),
    Method("regularized_class_image", regularized_class_image, _SOURCE, _YEAR),
    Method("zoo_deep_dream", zoo_deep_dream, _SOURCE, _YEAR, start="photograph"),
)
