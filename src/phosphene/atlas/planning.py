"""What an atlas is to hold, fixed before anything is rendered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from math import prod
from typing import Unpack

import torch

from phosphene._types import JSON
from phosphene._version import __version__
from phosphene.atlas.choosing import Units, chosen_layers, chosen_units
from phosphene.atlas.small import small_recipe
from phosphene.atlas.wishes import Wishes, check_wishes, listed, seeds_of
from phosphene.errors import ArgumentError, ParameterError, UnitRangeError
from phosphene.models.network import Network
from phosphene.models.probe import LayerShape
from phosphene.render.recipe import Recipe
from phosphene.store.atlas.manifest import AtlasLayer, AtlasNetwork, Manifest, PictureFormat
from phosphene.transforms import CropOrPad, Resize, ToInput

#: Pictures in a job: on one CPU core sixteen of 96 pixels take a quarter less time each than four, and more gain
#: nothing (EfficientNet-Lite0); views of a job together are no larger than so many of the network's inputs.
_MOST_AT_ONCE, _INPUTS_AT_ONCE = 16, 8
#: An accelerator takes so many times as much.
_ACCELERATED = 8


def plan(net: Network, *, device: torch.device | str | None = None, **wishes: Unpack[Wishes]) -> Manifest:
    """What an atlas of a network is to hold. Nothing is rendered: the network is asked for its layers and weights.

    Args:
        net: the network.
        device: where it will be rendered, by default where the network is: an accelerator renders more pictures
            together.
        wishes: what is to be shown, and how: see :class:`~phosphene.atlas.wishes.Wishes`.

            layers, units, recipe, size, steps, negative, diversity, seeds, pictures, batch_size: as there.

    Raises:
        UnknownLayerError, LayoutError, UnitRangeError: a layer or unit that does not exist, or has no channels.
        ArgumentError, ParameterError: an argument is of the wrong kind or out of range, a recipe names functions, or
            makes images that the network does not take.
    """
    if not isinstance(net, Network):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ArgumentError(f"net must come from ph.load or ph.wrap; got {type(net).__name__}")
    wishes = listed(wishes)
    check_wishes(wishes)
    units, batch_size = wishes.get("units", "all"), wishes.get("batch_size")
    shapes = chosen_layers(net, wishes.get("layers"))
    _check_mapped(units, shapes)
    recipes = {shape.name: _recipe(net, shape, wishes) for shape in shapes}
    layers = tuple(_layer(net, shape, units, recipes[shape.name]) for shape in shapes)
    _check_listed(units, layers)
    return Manifest(
        network=network_of(net),
        layers=layers,
        negative=bool(wishes.get("negative", False)),
        diversity=wishes.get("diversity", 0),
        diversity_weight=1.0,
        seeds=seeds_of(wishes.get("seeds", 1)),
        recipes={one.digest: one.to_json() for one in recipes.values()},
        job_size=batch_size or min(_at_once(net, one, _kind(net, device)) for one in recipes.values()),
        pictures=wishes.get("pictures", PictureFormat()),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        phosphene=__version__,
    )


def network_of(net: Network) -> AtlasNetwork:
    """The network, so far as an atlas needs to know it."""
    shown: dict[str, JSON] = {
        "mean": list(net.mean),
        "std": list(net.std),
        "value_range": list(net.value_range),
        "channel_order": net.channel_order,
    }
    return AtlasNetwork(
        name=net.name,
        digest=net.digest,
        source=dict(net.source),
        input_size=net.input_size,
        n_channels=net.n_channels,
        preprocessing=shown,
        labels=net.labels,
    )


def _layer(net: Network, shape: LayerShape, units: Units, recipe: Recipe) -> AtlasLayer:
    return AtlasLayer(
        name=shape.name,
        type=shape.type,
        shape=tuple(shape.shape[1:]),
        n_channels=shape.n_channels,
        units=chosen_units(shape, units),
        is_output=_is_output(net, shape),
        recipe=recipe.digest,
    )


def _is_output(net: Network, layer: LayerShape) -> bool:
    """Whether a layer's units are classes."""
    return layer.name == net.output_layer and layer.layout == "NC"


def _recipe(net: Network, layer: LayerShape, wishes: Wishes) -> Recipe:
    """The recipe of a layer's pictures.

    Raises:
        ParameterError: it makes images that the network does not take.
    """
    recipe, size, steps = wishes.get("recipe"), wishes.get("size"), wishes.get("steps")
    made = recipe or small_recipe(net, layer.name, size=size, is_output=_is_output(net, layer))
    if made.view_channels != net.n_channels:
        raise ParameterError(
            f"recipe {made.name!r} makes images of {made.view_channels} channels, but {net.name} takes {net.n_channels}"
        )
    if size is not None:
        made = made.sized(size, size)
    return made if steps is None else replace(made, steps=steps)


def _check_mapped(units: Units, shapes: Iterable[LayerShape]) -> None:
    names = [shape.name for shape in shapes]
    strange = [name for name in units if name not in names] if isinstance(units, Mapping) else []
    if strange:
        raise ArgumentError(
            f"units names the layer {strange[0]!r}, which is not in the atlas; it has {', '.join(names)}"
        )


def _check_listed(units: Units, layers: Iterable[AtlasLayer]) -> None:
    """Numbers for all layers may be more than some have, but one of them has each."""
    widest = max(layers, key=lambda layer: layer.n_channels)
    if not isinstance(units, str | Mapping):
        highest = max(units)
        if highest >= widest.n_channels:
            raise UnitRangeError(
                f"unit {highest} of layer {widest.name!r} was asked for, which has {widest.n_channels}, and none of "
                f"the layers has more: use 0 to {widest.n_channels - 1}"
            )


def _kind(net: Network, device: torch.device | str | None) -> str:
    """The kind of a device: "cpu", "cuda", …"""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return net.device.type if device is None else torch.device(device).type
    except RuntimeError as error:
        raise ParameterError(f"device is {device!r}; expected cpu, cuda, cuda:1, mps, …, or auto") from error


def _at_once(net: Network, recipe: Recipe, kind: str) -> int:
    """Pictures in a job: more where the network sees views that are smaller than its input.

    Nothing here depends on the memory that happens to be free: the same command must make the same plan tomorrow.
    """
    resized = not net.any_size or any(isinstance(t, ToInput | Resize | CropOrPad) for t in recipe.transforms)
    share = 1.0 if resized else prod(max(recipe.sizes)) / prod(net.input_size)
    fitting = max(1, round(_INPUTS_AT_ONCE / (share * recipe.views)))
    return min(_MOST_AT_ONCE, fitting) * (1 if kind == "cpu" else _ACCELERATED)
