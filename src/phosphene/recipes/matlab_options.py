"""What the options of ``deep_dream_image`` mean for a network."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

import torch

from phosphene._component import check, coerce
from phosphene._types import FrozenArray
from phosphene.errors import ArgumentError, ImageError, ParameterError, UnitRangeError
from phosphene.models.layers import layers
from phosphene.models.network import Network
from phosphene.recipes.photograph import photograph
from phosphene.recipes.seeing import activation_of
from phosphene.render import Recipe
from phosphene.stages import Upscaling

Environment = Literal["auto", "cpu", "gpu"]
OutputScaling = Literal["linear", "none"]


def with_pyramid(recipe: Recipe, levels: int, scale: float, *, num_iterations: int, scaling: OutputScaling) -> Recipe:
    """The recipe with so many levels, each ``scale`` times as large as the one before it, and so many steps at each.

    Raises:
        ParameterError: an option out of range, by MATLAB's name for it.
        ArgumentError: an option is no number, or no whole one.
    """
    levels, scale = coerce(levels, int, "pyramid_levels"), coerce(scale, float, "pyramid_scale")
    num_iterations = coerce(num_iterations, int, "num_iterations")
    check(1 <= levels <= 64, "pyramid_levels", levels, "a whole number from 1 to 64")
    check(1 < scale <= 64, "pyramid_scale", scale, "a number above 1, at most 64")
    check(num_iterations >= 0, "num_iterations", num_iterations, "a whole number from 0")
    check(scaling in ("linear", "none"), "output_scaling", scaling, "'linear' or 'none'")
    stages = Upscaling(n=levels, scale=scale, convention="half_pixel", rounding="floor")
    return replace(recipe, steps=num_iterations, stages=stages, finish=scaling)


def layer_name(net: Network, layer: str | int) -> str:
    """A layer's name, given by name or by its row in the table of layers.

    Raises:
        UnknownLayerError: no layer has that name.
        UnitRangeError: the table has no such row.
        ArgumentError: ``layer`` is neither.
    """
    if isinstance(layer, str):
        return net.layer(layer).name
    if isinstance(layer, bool) or not isinstance(layer, int):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ArgumentError(f"layer is {layer!r}; expected a name, or a row of ph.layers(net)")
    names = list(net.shapes)
    if not 0 <= layer < len(names):
        raise UnitRangeError(f"layer is {layer}; ph.layers(net) has rows 0 to {len(names) - 1}")
    return names[layer]


def channel_numbers(net: Network, layer: str, channels: int | str | Iterable[int | str]) -> list[int]:
    """Channels by number; in the network's output layer names of classes are taken too.

    Raises:
        UnknownClassError, UnitRangeError: there is no such class.
        ParameterError: there are no channels, or names in a layer without classes.
        ArgumentError: a channel is neither a number nor a name.
    """
    listed = list(channels) if isinstance(channels, Iterable) and not isinstance(channels, str) else [channels]
    if not listed:
        raise ParameterError("channels is empty; expected at least one channel")
    return [_channel_number(net, layer, channel) for channel in listed]


def _channel_number(net: Network, layer: str, channel: object) -> int:
    if isinstance(channel, str):
        if layer != net.output_layer:
            raise ParameterError(
                f"channels has {channel!r}, but only the output layer {net.output_layer!r} has classes; give a number"
            )
        return net.class_index(channel)
    if isinstance(channel, bool) or not isinstance(channel, int):
        raise ArgumentError(f"channels has {channel!r}; expected channel numbers, or names of classes")
    return channel


def initial_size(net: Network, layer: str) -> tuple[int, int]:
    """Height and width of the layer's receptive field, at most the network's input; all of it for a network that takes
    one size only.
    """
    field = next((row.receptive_field for row in layers(net) if row.name == layer), None)
    if field is None or field.whole_image or not net.any_size:
        return net.input_size
    return min(field.size[0], net.input_size[0]), min(field.size[1], net.input_size[1])


def usable_image(net: Network, layer: str, image: object) -> FrozenArray:
    """An image to start from.

    Raises:
        ImageError: no image (c, h, w) in [0, 1], channels that the network does not take, or no output of the layer.
        ArgumentError: no array of numbers.
    """
    start = photograph(image)
    if start.shape[0] != net.n_channels:
        raise ImageError(f"initial_image has {start.shape[0]} channels; {net.name} takes {net.n_channels}")
    fits = start.shape[1] <= net.input_size[0] and start.shape[2] <= net.input_size[1]
    if net.any_size and fits and not _sees(net, layer, start):
        raise ImageError(
            f"initial_image has {start.shape[1]} × {start.shape[2]} pixels, which leave nothing of layer {layer!r}; "
            f"give at least {' × '.join(map(str, initial_size(net, layer)))}"
        )
    return start


def _sees(net: Network, layer: str, image: FrozenArray) -> bool:
    try:
        return activation_of(net, image, layer).numel() > 0
    except RuntimeError:  # what torch says where nothing is left to convolve or to pool
        return False


def mean_color(net: Network) -> tuple[float, ...]:
    """What the network subtracts from its input, for each channel (RGB), in units of [0, 1]."""
    low, high = net.value_range
    mean = tuple((value - low) / (high - low) for value in net.mean)
    return mean[::-1] if net.channel_order == "BGR" else mean


def environment(name: Environment) -> torch.device | None:
    """The device that MATLAB's name for it means; None is where the network is.

    Raises:
        ParameterError: no such name, or no GPU here.
    """
    if name not in ("auto", "cpu", "gpu"):
        raise ParameterError(f"execution_environment is {name!r}; expected 'auto', 'cpu' or 'gpu'")
    if name == "cpu":
        return torch.device("cpu")
    if torch.accelerator.is_available():
        return torch.accelerator.current_accelerator()
    if name == "gpu":
        raise ParameterError("execution_environment is 'gpu', but torch finds none here; use 'auto' or 'cpu'")
    return None
