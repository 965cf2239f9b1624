"""MATLAB's ``deepDreamImage`` (MathWorks, Deep Learning Toolbox), after its documentation."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

from phosphene._component import check
from phosphene._types import FrozenArray
from phosphene.conditioners import LaplacianNormalize, Normalize, Tiles
from phosphene.models.network import Network
from phosphene.optimizers import SGD
from phosphene.parameterizations import Pixels
from phosphene.recipes.matlab_options import (
    Environment,
    OutputScaling,
    channel_numbers,
    environment,
    initial_size,
    layer_name,
    mean_color,
    usable_image,
    with_pyramid,
)
from phosphene.recipes.matlab_table import tell, teller
from phosphene.recipes.method import Method
from phosphene.render import Recipe, Result, render
from phosphene.stages import Upscaling
from phosphene.units import Channel


def deep_dream_image_recipe(  # noqa: PLR0913 - what MATLAB does not let one choose, keyword-only
    height: int = 224,
    width: int = 224,
    channels: int = 3,
    *,
    tile: tuple[int, int] = (224, 224),
    mean: tuple[float, ...] | None = None,
    laplacian: bool = True,
    borders: Literal["clean", "matlab"] = "clean",
    start: FrozenArray | None = None,
) -> Recipe:
    """MATLAB's ``deepDreamImage``: an image that is enlarged level by level, its gradient taken in tiles of the
    network's input size and made equally strong at all frequencies.

    Three levels, each 1.4 times as large, sizes cut to whole pixels; ten steps of 1 out of 255 at each; tiles without
    overlap, behind a random circular shift, the image padded with zeros at its ends; the picture scaled from its least
    to its greatest value.

    The guards of its divisions, 1e-8 for the pyramid and 1e-9 for the standard deviation, are for gradients of the sum
    over a channel's positions by values in 0..255. Phosphene's are of the mean by values in [0, 1], 255 / positions
    times as large: the guards are the program's own for layers of about 16 × 16 positions, and act on none but
    vanishing gradients in others.

    Differences: MATLAB's pyramid overrates the gradient at the image's borders, each level anew, by 1.4 at edges and
    1.9 in corners, and its enlargement is said to leave zeros beyond the outermost pixels' centres. Both draw frames,
    whose extremes then pale the picture when it is scaled. Here the pyramid is that of DeepDream in TensorFlow, which
    has the same kernel and somewhat underrates the borders, and the enlargement repeats them.

    Args:
        height: rows of the first, smallest level, in pixels.
        width: its columns.
        channels: colour channels.
        tile: height and width of a tile, in pixels: the network's input size.
        mean: mean of the noise at the start, for each channel, in units of [0, 1], its standard deviation being 1 out
            of 255; MATLAB takes what the network subtracts from its input. None is grey.
        laplacian: divide each of the five levels of the gradient's Laplacian pyramid by its root mean square; otherwise
            the gradient is divided by its standard deviation.
        borders: "matlab" treats borders as MATLAB does; see above.
        start: an image (c, h, w) to start from instead of noise.

    Raises:
        ParameterError: a parameter out of range.
    """
    check(borders in ("clean", "matlab"), "borders", borders, "'clean' or 'matlab'")
    strict = borders == "matlab"
    pyramid = LaplacianNormalize(levels=4, style="matlab" if strict else "tensorflow", eps=1e-8)
    return Recipe(
        name="deepDreamImage",
        follows=("mathworks2016deepdreamimage",),
        parameterization=Pixels(
            height, width, channels=channels, sd=1 / 255, decorrelate="none", range="none", offset=mean, start=start
        ),
        optimizer=SGD(lr=1 / 255),
        steps=10,
        stages=Upscaling(n=3, scale=1.4, convention="matlab" if strict else "half_pixel", rounding="floor"),
        tiles=Tiles(*tile, mode="matlab"),
        conditioners=(pyramid if laplacian else Normalize("sd", eps=1e-9, correction=1),),
        finish="linear",
    )


def deep_dream_image(  # noqa: PLR0913 - MATLAB's options, keyword-only
    net: Network,
    layer: str | int,
    channels: int | str | Iterable[int | str],
    *,
    initial_image: object | None = None,
    pyramid_levels: int = 3,
    pyramid_scale: float = 1.4,
    num_iterations: int = 10,
    output_scaling: OutputScaling = "linear",
    verbose: bool | Callable[[str], object] = True,
    execution_environment: Environment = "auto",
    seed: int = 0,
) -> Result:
    """MATLAB's ``deepDreamImage(net, layer, channels)``: what channels of a layer look for, each by itself.

    With MATLAB's options and defaults, in Python's spelling. Channels and layers count from 0. MATLAB's array of
    height × width × colours × channels is ``result.to_numpy().transpose(1, 2, 3, 0)``. For classes give the last
    layer; names of classes will do there. Layers behind a ReLU or a dropout may give poor pictures.

    ``ph.render(net, units, recipe=ph.recipes.deep_dream_image_recipe(…))`` is the same for any units, such as weighted
    sums of channels (:class:`phosphene.objectives.WeightedChannels`) and whole layers, and takes what MATLAB does not
    let one choose.

    Args:
        net: the network.
        layer: its name, or its row in ``ph.layers(net)``.
        channels: a channel or several; each gets an image.
        initial_image: (c, h, w) in [0, 1], the same for every channel; by default noise around the network's input
            mean, as large as the layer's receptive field, at most the network's input.
        pyramid_levels: number of levels; 1 gives an image of the initial size.
        pyramid_scale: size of a level over the one before it, above 1.
        num_iterations: steps at each level.
        output_scaling: "linear" scales each image's values from the least to the greatest to [0, 1]; "none" gives them
            as they are.
        verbose: whether a table of iteration, activation strength (the L2 norm of the channels' mean activations) and
            level is written to standard output once the images are done, a bar showing the way until then (1 and 0
            serve as well); or a function that is called with each line instead.
        execution_environment: "cpu", "gpu", or "auto", which takes the GPU if there is one.
        seed: seed of every random stream.

    Returns:
        images (k, c, h, w), one for each channel.

    Raises:
        UnknownLayerError, UnknownClassError, UnitRangeError, LayoutError: the network has no such layer or channel.
        ImageError: the initial image has other channels than the network takes, or the layer would be empty.
        ParameterError: an option out of range, or a GPU that is not there.
        ArgumentError: an argument of the wrong kind.
    """
    name, write = layer_name(net, layer), teller(verbose)
    units = [Channel(name, index) for index in channel_numbers(net, name, channels)]
    start = None if initial_image is None else usable_image(net, name, initial_image)
    height, width = initial_size(net, name) if start is None else start.shape[1:]
    recipe = deep_dream_image_recipe(
        height, width, net.n_channels, tile=net.input_size, mean=mean_color(net), start=start
    )
    recipe = with_pyramid(recipe, pyramid_levels, pyramid_scale, num_iterations=num_iterations, scaling=output_scaling)
    device, bar = environment(execution_environment), write is not None and not callable(verbose)
    result = render(net, units, recipe=recipe, seed=seed, device=device, progress=bar)
    tell(result, recipe, write)
    return result


METHODS = (Method("deepDreamImage", deep_dream_image_recipe, "MathWorks, Deep Learning Toolbox", 2016, canvas="own"),)
