"""Multi-scale blurring (Graetz 2019, "How to visualize convolutional features in 40 lines of code")."""

from __future__ import annotations

from phosphene.optimizers import Adam
from phosphene.parameterizations.starts import UniformStart
from phosphene.recipes.method import Method
from phosphene.recipes.normalized import normalized_pixels
from phosphene.render import Recipe
from phosphene.stages import Upscaling

#: Smallest and largest value of the grey noise of the first image.
GREY_NOISE = UniformStart(150 / 255, 180 / 255)


def forty_lines(  # noqa: PLR0913 - the options of the published class, keyword-only
    height: int = 56,
    width: int = 56,
    channels: int = 3,
    *,
    scales: int = 12,
    scale: float = 1.2,
    blur: int | None = 5,
    late_factor: float = 1.0,
    lr: float = 0.1,
    steps: int = 20,
) -> Recipe:
    """Multi-scale blurring: draw a feature small, enlarge and blur the image, and draw on, so that low frequencies
    come first.

    Twelve sizes from 56 to 408 px, bicubic; at each a fresh Adam on the image as the network is fed with it. The
    picture is the image of the last size, before it would be enlarged again, clipped to [0, 1].

    Differences: the published program cuts the noise of the start to whole numbers out of 255. It normalises with
    ImageNet's statistics whatever the network, and so does this: the network still gets its own normalisation, only
    the steps are measured in those units.

    Args:
        height: rows of the first, smallest image, in pixels.
        width: its columns.
        channels: colour channels.
        scales: number of sizes (``upscaling_steps``).
        scale: size over the one before it (``upscaling_factor``).
        blur: side of the box, in pixels, that blurs the enlarged image; None does not.
        late_factor: factor of the steps in the later half; 1.3 in the program's experiments.
        lr: Adam's learning rate, in standard deviations of the image.
        steps: steps at each size (``opt_steps``).
    """
    return Recipe(
        name="forty_lines",
        follows=("graetz2019forty",),
        parameterization=normalized_pixels(height, width, channels, start=GREY_NOISE),
        optimizer=Adam(lr=lr, weight_decay=1e-6),
        steps=steps,
        stages=Upscaling(
            n=scales, scale=scale, convention="bicubic", rounding="floor", blur=blur, late_factor=late_factor
        ),
    )


METHODS = (Method("forty_lines", forty_lines, "Graetz, fg91/visualizing-cnn-feature-maps", 2019, canvas="own"),)
