"""Units as people write them on the command line, and the objectives that they mean in a given network.

::

    blocks.8            the whole layer
    blocks.8:7          a channel          blocks.8:0-31   channels 0 to 31        blocks.8:1,4,9   three channels
    blocks.8:7@3,4      one position of a channel: row 3, column 4        blocks.3:5@7   token 7 of a layer of tokens
    classifier:967      a class, at the network's last layer              classifier:espresso   the same by name
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from phosphene.errors import LayoutError, UnitFormatError, UnitRangeError
from phosphene.models import Network
from phosphene.models.probe import LayerShape
from phosphene.units import Channel, Layer, Logit, Neuron, Unit

_CHANNELS = re.compile(r"\d+(-\d+)?(,\d+(-\d+)?)*")
_POSITION = re.compile(r"(?P<what>.*)@(?P<place>[\d,\s]+)", re.DOTALL)
_FORMS = "write blocks.8:7, blocks.8:7@3,4, blocks.8:0-31, blocks.8:1,4,9, classifier:espresso or blocks.8"


@dataclass(frozen=True)
class NamedUnit:
    """A unit with the text that stands for it alone, such as ``blocks.8:7``."""

    text: str
    unit: Unit


def parse_units(net: Network, texts: Iterable[str]) -> list[NamedUnit]:
    """The units that ``texts`` mean in ``net``, in their order, each once.

    Raises `UnitFormatError` for text that is no unit, `UnknownLayerError`, `UnknownClassError`, `UnitRangeError` for a
    channel, class or position beyond the layer, and `LayoutError` for a position in a layer that has none.
    """
    units = (named for text in texts for named in _parse(net, text.strip()))
    return list({named.text: named for named in units}.values())


def _parse(net: Network, text: str) -> Iterator[NamedUnit]:
    layer, colon, what = text.partition(":")
    if not text or (colon and not what):
        raise UnitFormatError(f"{text!r} is no unit: {_FORMS}")
    shape = net.layer(layer)
    if not colon:
        yield NamedUnit(text, Layer(layer))
    elif layer == net.output_layer:
        yield from _classes(net, layer, what)
    else:
        yield from _channels(shape, layer, what)


def _classes(net: Network, layer: str, what: str) -> Iterator[NamedUnit]:
    if not _CHANNELS.fullmatch(what):
        net.class_index(what)  # an unknown name is a mistake now, not in the middle of a render
        yield NamedUnit(f"{layer}:{what}", Logit(what))
        return
    n_classes = len(net.labels) or net.layer(layer).n_channels
    for index in _indices(what, n_classes, f"{net.name} has {n_classes} classes"):
        yield NamedUnit(f"{layer}:{index}", Logit(index))


def _channels(shape: LayerShape, layer: str, what: str) -> Iterator[NamedUnit]:
    match = _POSITION.fullmatch(what)
    channels = match["what"] if match else what
    if not _CHANNELS.fullmatch(channels):
        raise UnitFormatError(
            f"{channels!r} is no channel of {layer}: {_FORMS}; "
            "names of classes are known only at the network's last layer"
        )
    position = _position(match["place"], shape, layer) if match else None
    for index in _indices(channels, shape.n_channels, f"{layer} has {shape.n_channels} channels"):
        if position is None:
            yield NamedUnit(f"{layer}:{index}", Channel(layer, index))
        else:
            place = ",".join(map(str, position))
            yield NamedUnit(f"{layer}:{index}@{place}", Neuron(layer, index, position))


def _indices(text: str, n: int, have: str) -> Iterator[int]:
    for part in text.split(","):
        first, _, last = part.partition("-")
        start, stop = _number(first, n), _number(last or first, n)
        if stop >= n:
            raise UnitRangeError(f"{have}, 0 to {n - 1}; {part} is beyond them")
        if start > stop:
            raise UnitFormatError(f"{part!r} runs backwards; write {last}-{first}")
        yield from range(start, stop + 1)


def _number(digits: str, n: int) -> int:
    digits = digits.lstrip("0") or "0"
    # Anything longer than the limit is beyond it; int() itself refuses thousands of digits.
    return int(digits) if len(digits) <= len(str(n)) else n


def _position(text: str, shape: LayerShape, layer: str) -> tuple[int, ...]:
    extent = _extent(shape)
    if not extent:
        raise LayoutError(
            f"{layer} gives a vector of {shape.n_channels} numbers, which has no positions; leave out '@{text}'"
        )
    numbers = [part.strip() for part in text.split(",")]
    if not all(numbers) or len(numbers) != len(extent):
        form = "row,column as in @3,4" if len(extent) == 2 else "one token as in @7"
        raise UnitFormatError(f"'@{text}' is no position in {layer}; expected {form}")
    place = tuple(_number(digits, size) for digits, size in zip(numbers, extent, strict=True))
    if any(at >= size for at, size in zip(place, extent, strict=True)):
        size = " x ".join(map(str, extent))
        raise UnitRangeError(
            f"{layer} has {size} positions at this network's input size, counted from 0; '@{text}' is beyond them"
        )
    return place


def _extent(shape: LayerShape) -> tuple[int, ...]:
    slices = {"NCHW": slice(2, 4), "NHWC": slice(1, 3), "NLC": slice(1, 2)}
    return shape.shape[slices[shape.layout]] if shape.layout in slices else ()
