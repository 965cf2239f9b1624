"""Rows of an atlas that is open, wherever they lie, even while they move."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from phosphene.errors import StorageError
from phosphene.store.atlas.damage import DamagedFileError
from phosphene.store.atlas.index import LayerIndex
from phosphene.store.atlas.moving import LOOKS, may_have_moved
from phosphene.store.atlas.places import Entry, is_missing
from phosphene.store.atlas.records import VARIANTS, Picture, Variant
from phosphene.store.atlas.row_reader import RowReader

if TYPE_CHECKING:
    from phosphene.store.atlas.folder import AtlasFolder

#: Rows that are read before the first of them is given out.
_AT_ONCE = 128


@dataclass(frozen=True)
class Wanted:
    """Rows of a layer: of one variant or all, one seed or all, of the units from ``start`` to before ``stop``."""

    layer: str
    variant: Variant | None
    seed: int | None
    start: int | None = None
    stop: int | None = None

    def positions(self, rows: LayerIndex) -> npt.NDArray[np.intp]:
        """Where they stand in the layer's index, in unit order."""
        fits = np.ones(len(rows), bool)
        if self.variant is not None:
            fits &= rows.variant == VARIANTS.index(self.variant)
        if self.seed is not None:
            fits &= rows.seed == self.seed
        if self.start is not None:
            fits &= rows.unit >= self.start
        if self.stop is not None:
            fits &= rows.unit < self.stop
        return np.flatnonzero(fits)


def picture(folder: AtlasFolder, reader: RowReader, picture_id: str) -> Picture:
    """A row by its id; an id that the index does not know is looked for again."""
    found = folder.index().find(picture_id) or folder.refresh().find(picture_id)
    if found is None:
        raise StorageError(
            f"{folder.uri} has no picture {picture_id[:80]!r}; if it is planned, phosphene atlas build makes it"
        )
    rows, position = found
    return _settled(folder, reader, rows, [position])[0]


def unit(folder: AtlasFolder, reader: RowReader, layer: str, number: int) -> tuple[Picture, ...]:
    """The rows of a unit, in the order of the index."""
    rows = folder.index().layer(layer)
    return tuple(_settled(folder, reader, rows, rows.of_unit(number)))


def pictures(
    folder: AtlasFolder,
    reader: RowReader,
    wanted: Wanted,
    *,
    on_damage: Callable[[str, StorageError], None] | None,
) -> Iterator[Picture]:
    """The rows wanted, in unit order, some at a time."""
    rows = folder.index().layer(wanted.layer)
    positions = wanted.positions(rows)
    for first in range(0, len(positions), _AT_ONCE):
        some = positions[first : first + _AT_ONCE].tolist()
        try:
            found = _settled(folder, reader, rows, some)
        except StorageError:
            if on_damage is None:
                raise
            found = _each(folder, reader, rows.ids(some), wanted.layer, on_damage=on_damage)
        yield from found


def _each(
    folder: AtlasFolder,
    reader: RowReader,
    ids: Sequence[str],
    layer: str,
    *,
    on_damage: Callable[[str, StorageError], None],
) -> list[Picture]:
    """The rows of some ids, one at a time, as far as they are right; where they lie was looked up just now."""
    found: list[Picture] = []
    for picture_id in ids:
        rows = folder.index().layer(layer)
        try:
            found += _settled(folder, reader, rows, _positions(rows, [picture_id]), is_moved=is_missing)
        except StorageError as error:
            on_damage(picture_id, error)
    return found


def _settled(
    folder: AtlasFolder,
    reader: RowReader,
    rows: LayerIndex,
    positions: Sequence[int],
    *,
    is_moved: Callable[[StorageError], bool] = may_have_moved,
) -> list[Picture]:
    """Rows by their positions. Those that were packed or made again since the index was read, which ``is_moved`` tells
    by an error, are looked for again as long as they lie elsewhere each time.
    """
    ids = rows.ids(positions)
    for _ in range(LOOKS - 1):
        try:
            return _read(rows, reader, positions)
        except StorageError as error:
            if not is_moved(error):
                raise
            now = folder.refresh().layer(rows.layer)
            there = _positions(now, ids)
            if _files(now, there) == _files(rows, positions):
                raise
            rows, positions = now, there
    return _read(rows, reader, positions)


def _files(rows: LayerIndex, positions: Sequence[int]) -> list[Entry]:
    """The file of each row."""
    return [rows.files[int(rows.file[position])] for position in positions]


def _positions(rows: LayerIndex, ids: Sequence[str]) -> list[int]:
    found = [rows.find(picture_id) for picture_id in ids]
    if None in found:
        raise DamagedFileError(f"layer {rows.layer!r}", f"row {ids[found.index(None)]!r} is not there any more")
    return [position for position in found if position is not None]


def _read(rows: LayerIndex, reader: RowReader, positions: Sequence[int]) -> list[Picture]:
    """Rows in the order of their positions, read row group by row group."""
    found: dict[int, Picture] = {}
    places = sorted((int(rows.file[p]), int(rows.group[p]), int(rows.row[p]), p) for p in positions)
    for (file, group), run in groupby(places, key=lambda place: place[:2]):
        wanted = [(row, p) for _, _, row, p in run]
        read = reader.pictures(rows.files[file], group, [row for row, _ in wanted])
        for (_, position), row in zip(wanted, read, strict=True):
            if row.id.encode() != rows.id[position] or row.layer != rows.layer:
                raise DamagedFileError(rows.files[file].path, f"row {row.id!r} is not where it was")
            found[position] = row
    return [found[position] for position in positions]
