"""The table of a network's layers."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast, overload

from phosphene._types import JSON
from phosphene.models.network import Network
from phosphene.models.probe import LayerShape
from phosphene.models.receptive_field import ReceptiveField, receptive_fields

_HEADINGS = ("layer", "type", "shape", "channels", "layout", "receptive field", "stride", "offset", "calls")


@dataclass(frozen=True)
class LayerInfo(LayerShape):
    """A layer's output, as in LayerShape, and the pixels that each of its positions sees."""

    receptive_field: ReceptiveField

    def to_json(self) -> dict[str, JSON]:
        """The record as JSON values."""
        return cast(dict[str, JSON], _listed(dataclasses.asdict(self)))

    def cells(self) -> tuple[str, ...]:
        """The record as texts, one for each column of the printed table."""
        field = self.receptive_field
        size = "whole image" if field.whole_image else _pair(field.size)
        rest = ("", "") if field.whole_image else (_pair(field.stride), "{}, {}".format(*field.offset))
        shape = " × ".join(map(str, self.shape[1:]))
        return (self.name, self.type, shape, str(self.n_channels), self.layout, size, *rest, str(self.n_calls))


def _pair(values: tuple[int, int]) -> str:
    return "{} × {}".format(*values)


def _listed(value: object) -> object:
    """Tuples as lists, all the way down."""
    if isinstance(value, dict):
        return {key: _listed(item) for key, item in cast(dict[str, object], value).items()}
    return [_listed(item) for item in cast(tuple[object, ...], value)] if isinstance(value, tuple) else value


class LayerTable(Sequence[LayerInfo]):
    """Every layer that can be looked at, in execution order; prints as an aligned table and iterates as records."""

    def __init__(self, rows: Sequence[LayerInfo]) -> None:
        self._rows = tuple(rows)

    @overload
    def __getitem__(self, index: int) -> LayerInfo: ...
    @overload
    def __getitem__(self, index: slice) -> LayerTable: ...
    def __getitem__(self, index: int | slice) -> LayerInfo | LayerTable:
        return LayerTable(self._rows[index]) if isinstance(index, slice) else self._rows[index]

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[LayerInfo]:
        return iter(self._rows)

    def __str__(self) -> str:
        lines = [_HEADINGS, *(row.cells() for row in self._rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
        )

    __repr__ = __str__

    def to_json(self) -> list[dict[str, JSON]]:
        """The records as JSON values."""
        return [row.to_json() for row in self._rows]


def layers(net: Network) -> LayerTable:
    """Every layer of ``net`` that puts out a tensor, with its output at the network's input size and its receptive
    field.

    Receptive fields are measured from gradients and exact for stacks of convolutions and pools; a few seconds for a
    large network.

    Raises:
        NetworkError: the network cannot process an image of its input size.
    """
    fields = receptive_fields(net)
    return LayerTable([LayerInfo(**vars(shape), receptive_field=fields[name]) for name, shape in net.shapes.items()])
