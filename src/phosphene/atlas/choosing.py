"""Which layers and units an atlas shows where nobody says so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, pairwise
from typing import Any, Literal, cast

from torch import nn

from phosphene.collection.plan import whole
from phosphene.errors import ArgumentError, LayoutError, UnitRangeError
from phosphene.models.capture import named_modules
from phosphene.models.network import Network
from phosphene.models.probe import LayerShape
from phosphene.objectives.layouts import POSITION_AXES, channels_of

#: The numbers of the units wanted, for all layers or layer by layer (None: all of the layer).
Units = Literal["all"] | Iterable[int] | Mapping[str, Iterable[int] | None]
#: Layers of an atlas where nobody names them.
DEFAULT_LAYERS = 12
_TRANSPARENT = (nn.Sequential, nn.ModuleList)
_MOST_UNITS = 2**31 - 1


def atlas_layers(net: Network, n: int = DEFAULT_LAYERS) -> tuple[str, ...]:
    """``n`` layers at most, from shallow to deep: the last block of each resolution, blocks between them, as far from
    each other as can be, and the layer whose output is the network's.

    A block is a module with positions and parameters that is in no other block; containers that only chain their parts
    are looked through, and so are all modules where there are fewer than three blocks. Of a convolution and a norm
    after it the norm is taken, and no activation: behind one, a unit that is silent has no picture.

    Raises:
        LayoutError: no layer has channels that are known.
    """
    output = [net.output_layer] if net.output_layer and net.layer(net.output_layer).layout == "NC" else []
    blocks = [name for name in _blocks(net) if name not in output]
    room = max(1, n - len(output))
    runs = [list(run) for _, run in groupby(blocks, key=lambda name: _area(net.shapes[name]))]
    chosen = {run[-1] for run in runs[-room:]}
    while len(chosen) < min(room, len(blocks)):
        chosen.add(_farthest(blocks, chosen))
    found = [name for name in blocks if name in chosen] + output
    if not found:
        raise LayoutError(f"no layer of {net.name} has channels that are known; see phosphene layers")
    return tuple(found)


def _blocks(net: Network) -> list[str]:
    modules = named_modules(net.module)
    opened = {name for name, module in modules.items() if not name or isinstance(module, _TRANSPARENT)}
    while True:
        found = [name for name in net.shapes if _is_block(net, name, opened)]
        outer = {name for name in found if any(key.startswith(f"{name}.") for key in net.shapes)}
        if len(found) > 2 or not outer:
            return _telling(net, found, modules) or found
        opened |= outer


def _telling(net: Network, blocks: Sequence[str], modules: Mapping[str, nn.Module]) -> list[str]:
    """The blocks that have parameters; those behind which a norm stands, by their norms."""
    kept = [name for name in blocks if any(True for _ in modules[name].parameters())]
    following = dict(pairwise(kept))
    normed = {
        name
        for name, after in following.items()
        if net.shapes[name].shape == net.shapes[after].shape
        and name.rpartition(".")[0] == after.rpartition(".")[0]
        and all(parameter.ndim < 2 for parameter in modules[after].parameters())
    }
    return [name for name in kept if name not in normed]


def _is_block(net: Network, name: str, opened: set[str]) -> bool:
    parents = name.split(".")
    shown = all(".".join(parents[:depth]) in opened for depth in range(1, len(parents)))
    shape = net.shapes[name]
    return shown and name not in opened and shape.layout in POSITION_AXES and _area(shape) > 1


def _area(shape: LayerShape) -> int:
    """Number of positions; 1 where there are none."""
    area = 1
    for axis in POSITION_AXES[shape.layout]:
        area *= shape.shape[axis]
    return area


def _farthest(blocks: Sequence[str], chosen: set[str]) -> str:
    """The block that is farthest from those chosen already; of several the deepest."""
    places = [i for i, name in enumerate(blocks) if name in chosen]
    free = [i for i in range(len(blocks)) if i not in places]
    return blocks[max(free, key=lambda i: (min(abs(i - place) for place in places), i))]


def chosen_layers(net: Network, layers: Iterable[str] | str | None) -> list[LayerShape]:
    """The layers asked for, in the order of the network, or :func:`atlas_layers`.

    Raises:
        UnknownLayerError: there is no such layer.
        LayoutError: a layer has no channels that are known.
        ArgumentError: layers that are no names, or none at all.
    """
    names: list[Any] = [layers] if isinstance(layers, str) else list(atlas_layers(net) if layers is None else layers)
    if not names or not all(isinstance(name, str) and name for name in names):
        raise ArgumentError(f"layers is {layers!r}; expected names of layers, or None for a choice of them")
    found = {name: net.layer(name) for name in names}
    for shape in found.values():
        channels_of(shape)
    order = {name: place for place, name in enumerate(net.shapes)}
    return sorted(found.values(), key=lambda shape: order[shape.name])


def chosen_units(layer: LayerShape, units: Units) -> tuple[tuple[int, int], ...]:
    """The units of a layer as half-open ranges that rise. Of numbers that are meant for all layers, those count that
    this one has.

    Raises:
        UnitRangeError: a number that was given for this layer lies beyond it, or the layer has none of those given.
        ArgumentError: no numbers of units.
        ParameterError: a number below 0.
    """
    wanted = _wanted(layer.name, units)
    if wanted is None:
        return ((0, layer.n_channels),)
    numbers = sorted({whole("units", one, 0, _MOST_UNITS) for one in wanted})
    inside = [number for number in numbers if number < layer.n_channels]
    if not inside or (isinstance(units, Mapping) and inside != numbers):
        came = "none" if not numbers else f"{numbers[-1]}"
        raise UnitRangeError(
            f"unit {came} of layer {layer.name!r} was asked for, which has {layer.n_channels}: use 0 to "
            f"{layer.n_channels - 1}"
        )
    return tuple(_ranges(inside))


def _wanted(name: str, units: Units) -> Iterable[Any] | None:
    """The numbers wanted of a layer; None for all."""
    if isinstance(units, str):
        if units != "all":
            raise ArgumentError(f"units is {units!r}; expected 'all', numbers of units, or a mapping of layers to them")
        return None
    wanted: Any = cast("Mapping[str, Any]", units).get(name) if isinstance(units, Mapping) else units
    if wanted is not None and (isinstance(wanted, str) or not isinstance(wanted, Iterable)):
        raise ArgumentError(f"the units of {name!r} are {wanted!r}; expected numbers, such as [0, 1]")
    return cast("Iterable[Any] | None", wanted)


def _ranges(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Rising numbers as half-open ranges.

    >>> list(_ranges([0, 1, 2, 5]))
    [(0, 3), (5, 6)]
    """
    start = numbers[0]
    for number, following in zip(numbers, (*numbers[1:], None), strict=True):
        if following != number + 1:
            yield start, number + 1
            start = number if following is None else following
