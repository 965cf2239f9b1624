"""Embeddings of a layer's pictures, read without the pictures."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from phosphene.errors import StorageError
from phosphene.store.atlas.damage import DamagedFileError
from phosphene.store.atlas.index import LayerIndex, build_index
from phosphene.store.atlas.moving import LOOKS, is_as_listed, may_have_moved
from phosphene.store.atlas.parts import RowsFile, read_name
from phosphene.store.atlas.places import Place, is_missing

_Found: TypeAlias = dict[int, npt.NDArray[np.float32]]


def read_embeddings(
    place: Place, rows: LayerIndex, positions: npt.NDArray[np.intp]
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """Units and their embeddings (n d), in unit order; a unit without one is left out, and so are damaged files.

    Args:
        place: the atlas.
        rows: a layer of its index.
        positions: in that, one for each unit at most.

    Rows that were packed or written again since they were listed are looked for again.

    Raises:
        StorageError: a file cannot be read, or whoever packs is faster, time after time.
    """
    found: _Found = {}
    for look in range(LOOKS):
        if look:
            rows, positions = _looked_for_again(place, rows, positions)
        positions = _of_files(place, rows, positions, found)
        if not len(positions):
            break
    else:
        raise StorageError(f"{place.uri} is packed by others each time it is read; try again when they are done")
    length = max((vector.size for vector in found.values()), default=0)
    units = sorted(unit for unit, vector in found.items() if vector.size == length > 0)
    vectors = np.array([found[unit] for unit in units], np.float32)
    return np.array(units, np.int32), vectors.reshape(len(units), length)


def _looked_for_again(
    place: Place, rows: LayerIndex, positions: npt.NDArray[np.intp]
) -> tuple[LayerIndex, npt.NDArray[np.intp]]:
    """The layer as it is now, and where the same pictures stand in it, without those that are gone."""
    name = read_name(rows.files[0].path)
    now = build_index(place, {rows.layer: name.slug if name else ""}).layer(rows.layer)
    there = [now.find(picture_id) for picture_id in rows.ids(positions)]
    return now, np.array([position for position in there if position is not None], np.intp)


def _of_files(place: Place, rows: LayerIndex, positions: npt.NDArray[np.intp], found: _Found) -> npt.NDArray[np.intp]:
    """Add to ``found`` what is read of each file, of a damaged one nothing; the positions that lie elsewhere by now."""
    moved: list[int] = []
    for number in np.unique(rows.file[positions]):
        some = positions[rows.file[positions] == number]
        try:
            found |= _of_file(place, rows, some)
        except StorageError as error:
            if not may_have_moved(error):
                raise
            if is_missing(error) or not is_as_listed(place, rows.files[int(number)]):
                moved += some.tolist()
    return np.array(moved, np.intp)


def _of_file(place: Place, rows: LayerIndex, positions: npt.NDArray[np.intp]) -> _Found:
    entry = rows.files[int(rows.file[positions[0]])]
    file = RowsFile(place, entry)
    found: _Found = {}
    try:
        for group in np.unique(rows.group[positions]):
            table = file.table(int(group), ["id", "embedding"])
            ids, vectors = table["id"].to_pylist(), table["embedding"].to_pylist()
            for i in positions[rows.group[positions] == group]:
                row = int(rows.row[i])
                if row >= len(ids) or ids[row] != rows.ids([i])[0]:
                    raise DamagedFileError(entry.path, "its rows are not where they were")
                found[int(rows.unit[i])] = np.array(vectors[row], np.float32)
    finally:
        file.close()
    return found
