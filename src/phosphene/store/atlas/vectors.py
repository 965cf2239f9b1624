"""Embeddings of a layer's pictures, read without the pictures."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from phosphene.store.atlas.damage import DamagedFileError
from phosphene.store.atlas.index import LayerIndex
from phosphene.store.atlas.parts import RowsFile
from phosphene.store.atlas.places import Place


def read_embeddings(
    place: Place, rows: LayerIndex, positions: npt.NDArray[np.intp]
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """Units and their embeddings (n d), in unit order; a unit without one is left out, and so are damaged files.

    Args:
        place: the atlas.
        rows: a layer of its index.
        positions: in that, one for each unit at most.

    Raises:
        StorageError: a file cannot be read.
    """
    found: dict[int, npt.NDArray[np.float32]] = {}
    for number in np.unique(rows.file[positions]):
        try:
            found |= _of_file(place, rows, positions[rows.file[positions] == number])
        except DamagedFileError:
            continue
    length = max((vector.size for vector in found.values()), default=0)
    units = sorted(unit for unit, vector in found.items() if vector.size == length > 0)
    vectors = np.array([found[unit] for unit in units], np.float32)
    return np.array(units, np.int32), vectors.reshape(len(units), length)


def _of_file(place: Place, rows: LayerIndex, positions: npt.NDArray[np.intp]) -> dict[int, npt.NDArray[np.float32]]:
    file = RowsFile(place, rows.files[int(rows.file[positions[0]])])
    found: dict[int, npt.NDArray[np.float32]] = {}
    try:
        for group in np.unique(rows.group[positions]):
            table = file.table(int(group), ["id", "embedding"])
            ids, vectors = table["id"].to_pylist(), table["embedding"].to_pylist()
            for i in positions[rows.group[positions] == group]:
                row = int(rows.row[i])
                if row < len(ids) and ids[row] == rows.ids([i])[0]:
                    found[int(rows.unit[i])] = np.array(vectors[row], np.float32)
    finally:
        file.close()
    return found
