"""The rows of a layer as arrays, each picture once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from types import MappingProxyType
from typing import Any

import numpy as np

from phosphene.store.atlas.index_rows import Array, FileHead, FileRows
from phosphene.store.atlas.places import Entry

#: Arrays and their types, where there is no row.
_COLUMNS = MappingProxyType(
    {
        **{"id": "S1", "unit": "i4", "variant": "i1", "member": "i4", "seed": "i8", "status": "i1"},
        **{"score": "f8", "robust_score": "f8", "seconds": "f8", "job": "i4", "file": "i4", "group": "i4", "row": "i4"},
    }
)
#: Those that a file has; the others say which file.
_OWN = tuple(name for name in _COLUMNS if name not in {"job", "file"})


@dataclass(frozen=True, eq=False)
class LayerIndex:
    """The rows of a layer, each picture once, in the order of unit, variant, seed and member; arrays of one length.

    Attributes:
        layer: whose.
        id: ids of the pictures, as bytes.
        unit, member, seed: as in :class:`~phosphene.store.atlas.records.Picture`.
        variant: positions in ``VARIANTS`` (int8).
        status: positions in ``STATUSES`` (int8).
        score, robust_score: nan where there is none.
        seconds: of each picture.
        job: positions in ``jobs``.
        file, group, row: where each row lies: position in ``files``, row group, and row in it.
        jobs: ids of the jobs.
        files: the files.
    """

    layer: str
    id: Array
    unit: Array
    variant: Array
    member: Array
    seed: Array
    status: Array
    score: Array
    robust_score: Array
    seconds: Array
    job: Array
    file: Array
    group: Array
    row: Array
    jobs: tuple[str, ...]
    files: tuple[Entry, ...]

    def __len__(self) -> int:
        return len(self.unit)

    def of_unit(self, unit: int) -> range:
        """Positions of the rows of a unit."""
        return range(*(int(i) for i in np.searchsorted(self.unit, [unit, unit + 1])))

    def ids(self, positions: Iterable[int]) -> list[str]:
        """Ids of the pictures at some positions."""
        return [bytes(self.id[i]).decode() for i in positions]

    def find(self, picture_id: str) -> int | None:
        """Position of the row of a picture; None where it is not here."""
        name = np.bytes_(picture_id.encode("utf-8", "replace"))
        at = int(np.searchsorted(self.id, name, sorter=self._by_id))
        return int(self._by_id[at]) if at < len(self) and self.id[self._by_id[at]] == name else None

    @cached_property
    def _by_id(self) -> Array:
        return np.argsort(self.id)


@dataclass(frozen=True, eq=False)
class LayerRows:
    """Every row of a layer, each array once: those that readers take, and behind them those that others replace.

    Attributes:
        files: all files of the layer.
        columns: arrays over all rows, by name.
        index: the rows that readers take: the beginnings of the same arrays.
    """

    files: tuple[FileHead, ...]
    columns: Mapping[str, Array]
    index: LayerIndex

    def of_files(self) -> list[FileRows]:
        """The rows of each file as they lie in it, those that others replace too."""
        file, rows = self.columns["file"], len(self.columns["file"])
        order = np.lexsort([self.columns[name] for name in ("row", "group", "file")])
        own = {name: self.columns[name][order] for name in _OWN}
        bounds = np.searchsorted(file[order], np.arange(len(self.files) + 1)) if rows else [0]
        return [
            FileRows(head.entry, head.layer, head.generation, head.jobs, {n: own[n][slice(*span)] for n in _OWN})
            for head, span in zip(self.files, pairwise(int(bound) for bound in bounds), strict=True)
        ]


def merged(layer: str, files: list[FileRows]) -> LayerRows:
    """The rows of the files of a layer, sorted; of several of one picture readers take that from the right file."""
    jobs = tuple(sorted({job for rows in files for job in rows.jobs}))
    columns = _concatenated(files, {job: number for number, job in enumerate(jobs)})
    kept = _once(columns, files)
    kept = kept[np.lexsort([columns[name][kept] for name in ("member", "seed", "variant", "unit")])]
    order = np.concatenate([kept, np.setdiff1d(np.arange(len(columns["id"])), kept, assume_unique=True)])
    for name in columns:  # one by one: each array that was is gone before the next one comes
        columns[name] = _frozen(columns[name][order])
    shown: dict[str, Any] = {name: array[: len(kept)] for name, array in columns.items()}
    heads = tuple(FileHead(rows.entry, rows.layer, rows.generation, rows.jobs) for rows in files)
    index = LayerIndex(layer, jobs=jobs, files=tuple(rows.entry for rows in files), **shown)
    return LayerRows(heads, MappingProxyType(columns), index)


def _concatenated(files: list[FileRows], numbers: dict[str, int]) -> dict[str, Array]:
    """The rows of all files, file by file."""
    columns = {name: _joined([rows.columns[name] for rows in files], name) for name in _OWN}
    columns["file"] = np.repeat(np.arange(len(files), dtype=np.int32), [len(rows.columns["id"]) for rows in files])
    of_groups = [np.array([numbers[job] for job in rows.jobs], np.int32) for rows in files]
    groups = [rows.columns["group"] for rows in files]
    columns["job"] = _joined([jobs[group] for jobs, group in zip(of_groups, groups, strict=True)], "job")
    return columns


def _once(columns: dict[str, Array], files: list[FileRows]) -> Array:
    """Positions of the rows that readers take: of several of one picture the first in the order of preference."""
    rank = np.array([rows.rank for rows in files], np.int64)[columns["file"]]
    sizes = _joined([np.bincount(rows.columns["group"])[rows.columns["group"]] for rows in files], "group")
    # A picture that came out is right before one that did not, the row of a job of many before that of a lone picture.
    order = np.lexsort((columns["file"], -sizes, rank, columns["status"] != 0, columns["id"]))
    ids = columns["id"][order]
    first = np.ones(len(order), bool)
    first[1:] = ids[1:] != ids[:-1]
    return order[first]


def _joined(arrays: list[Array], name: str) -> Array:
    if len(arrays) == 1:
        return arrays[0]
    return np.concatenate(arrays) if arrays else np.empty(0, _COLUMNS[name])


def _frozen(array: Array) -> Array:
    array.setflags(write=False)
    return array
