"""What an index keeps of a file of rows: a few numbers for each row, as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from phosphene.store.atlas.columns import INDEXED
from phosphene.store.atlas.damage import DamagedFileError, DamagedRowError
from phosphene.store.atlas.libraries import arrow, coded, numbers
from phosphene.store.atlas.parts import RowsFile
from phosphene.store.atlas.places import Entry, Place
from phosphene.store.atlas.records import STATUSES, VARIANTS

Array: TypeAlias = npt.NDArray[Any]

#: Arrays of an index that are columns of the files, and their types.
NUMBERS = {"unit": np.int32, "member": np.int32, "seed": np.int64}
REALS = ("score", "robust_score", "seconds")


@dataclass(frozen=True, eq=False)
class FileHead:
    """A file of rows.

    Attributes:
        entry: the file.
        layer: whose rows it holds.
        generation: 0 for a part; a pack's is above those of the files that it was made of.
        jobs: of the row groups.
    """

    entry: Entry
    layer: str
    generation: int
    jobs: tuple[str, ...]

    @property
    def rank(self) -> int:
        """Where two files hold a picture, the one of the lower rank is right."""
        return rank(self.generation)


@dataclass(frozen=True, eq=False)
class FileRows(FileHead):
    """A file and its rows, as :class:`~phosphene.store.atlas.index.LayerIndex` has them.

    Attributes:
        columns: arrays of one length: id, unit, variant, member, seed, status, score, robust_score, seconds, group and
            row.
    """

    columns: dict[str, Array]


def rank(generation: int) -> int:
    """Which files are right before others: parts before packs, as a part is made again where a pack's rows were not
    good enough, and later packs before earlier ones.
    """
    return 2**31 - generation if generation else 0


def read_rows(place: Place, entry: Entry, layer: str) -> FileRows:
    """The index of one file.

    Args:
        place: the atlas.
        entry: the file.
        layer: the layer of its folder.

    Raises:
        DamagedFileError: it is not what was written.
        StorageError: it cannot be read.
    """
    file = RowsFile(place, entry)
    try:
        contents = file.contents
        pieces = [_piece(table, sizes, layer, contents.jobs) for table, sizes in file.stretches(INDEXED)]
    except (arrow().ArrowException, ValueError, TypeError, OverflowError) as error:
        raise DamagedFileError(entry.path, str(error)) from error
    finally:
        file.close()
    columns = {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
    return FileRows(entry, layer, contents.generation, contents.jobs, columns)


def _piece(table: Any, sizes: Mapping[int, int], layer: str, jobs: tuple[str, ...]) -> dict[str, Array]:
    """Some row groups of a file, by their numbers and sizes, as arrays."""
    columns = _columns(table) | _places(sizes)
    _check(table, layer, jobs, columns["group"])
    return columns


def _columns(table: Any) -> dict[str, Array]:
    columns: dict[str, Array] = {"id": np.array(table["id"].to_pylist(), dtype=np.bytes_)}
    columns |= {name: numbers(table[name], 0).astype(kind) for name, kind in NUMBERS.items()}
    columns |= {name: numbers(table[name], np.nan).astype(np.float64) for name in REALS}
    return columns | {"variant": _codes(table["variant"], VARIANTS), "status": _codes(table["status"], STATUSES)}


def _codes(column: Any, values: tuple[str, ...]) -> Array:
    codes, names = coded(column)
    if not set(names) <= set(values):
        raise DamagedRowError(f"a value is none of {', '.join(values)}")
    return np.array([values.index(name) for name in names], np.int8)[codes]


def _places(sizes: Mapping[int, int]) -> dict[str, Array]:
    group = np.repeat(np.array(list(sizes), np.int32), list(sizes.values()))
    return {"group": group, "row": np.concatenate([np.arange(n, dtype=np.int32) for n in sizes.values()])}


def _check(table: Any, layer: str, jobs: tuple[str, ...], group: Array) -> None:
    if set(table["layer"].unique().to_pylist()) != {layer}:
        raise DamagedRowError(f"it holds rows of another layer than {layer!r}")
    for name in ("id", "unit", "member", "seed", "job"):
        if table[name].null_count:
            raise DamagedRowError(f"a row has no {name}")
    if not np.array_equal(np.array(table["job"].to_pylist()), np.array(jobs)[group]):
        raise DamagedRowError("it holds rows of other jobs than it says")
