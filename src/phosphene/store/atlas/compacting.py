"""Putting parts together: many small files cost requests and time, a few large ones do not."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from phosphene.errors import StorageError
from phosphene.store.atlas.damage import DamagedFileError
from phosphene.store.atlas.index import build_index
from phosphene.store.atlas.index_rows import Array, FileRows
from phosphene.store.atlas.layer_index import LayerIndex, merged
from phosphene.store.atlas.moving import LOOKS
from phosphene.store.atlas.packing import Chunk, Piece, pack
from phosphene.store.atlas.places import Entry, Place, is_missing


@dataclass(frozen=True)
class Compaction:
    """What packing did.

    Attributes:
        n_before: files of rows that there were.
        n_after: files of rows that there are.
        packs: paths of those that were written.
        bytes: of these together.
    """

    n_before: int
    n_after: int
    packs: tuple[str, ...]
    bytes: int


def compact(
    place: Place, slugs: Mapping[str, str], *, target_bytes: int, progress: Callable[[int, int], None] | None = None
) -> Compaction:
    """Put the parts and small packs of each layer into packs of about ``target_bytes``.

    Of rows of one picture the one is packed that readers take: a job's row group may come from several files, and rows
    that others replace are left out. Old files are removed when the new ones have been written and read again, so that
    whoever reads meanwhile, or after this was cut off at any moment, finds every row. Damaged files stay where they
    are.

    Raises:
        StorageError: the atlas cannot be read or written.
    """
    before = index = build_index(place, slugs)
    packs: list[str] = []
    for number, (layer, slug) in enumerate(slugs.items()):
        if progress is not None:
            progress(number, len(slugs))
        for _ in range(LOOKS):
            written = _compact_layer(place, slug, index.files(layer), target_bytes)
            packs += written or []
            if written is not None:
                break
            index = index.refreshed()
    if progress is not None:
        progress(len(slugs), len(slugs))
    entries = [place.entry(path) for path in packs]
    n_after = len(index.refreshed().all_files())
    return Compaction(len(before.all_files()), n_after, tuple(packs), sum(e.size for e in entries if e is not None))


def _compact_layer(place: Place, slug: str, files: list[FileRows], target_bytes: int) -> list[str] | None:
    """Pack one layer; a file that turns out damaged, or was packed by somebody else, is left out. None, and no file is
    removed, where somebody took a pack away before it was looked at, or a file that is there again by now.
    """
    while files:
        taken = merged(files[0].layer, files).index
        sources = _sources(files, taken, target_bytes)
        # Asked one by one, as before they are removed: a listing may tell less, or times of other precision.
        seen = [place.entry(rows.entry.path) for rows in sources.values()]
        generation = 1 + max((rows.generation for rows in sources.values()), default=0)
        try:
            packs = [pack(place, slug, chunks, generation) for chunks in _bins(sources, taken, target_bytes)]
        except StorageError as error:
            odd = _odd_file(place, sources.values(), error)
            if odd is None and is_missing(error):
                return None
            if odd is None:
                raise
            files = [rows for rows in files if rows.entry != odd]
            continue
        _remove(place, [entry for entry in seen if entry is not None and entry.path not in packs])
        return packs
    return []


def _remove(place: Place, seen: list[Entry]) -> None:
    """Remove files as they were seen before they were packed, but none that somebody has written again since: each is
    looked at just before it is removed.

    No file system removes a file only if it is still the same one, so a moment is left. Of what is written again in it
    the pack has the rows as they were: no row is lost, a better one may be, which a build that tries again makes.
    """
    for entry in seen:
        if place.entry(entry.path) == entry:
            place.remove(entry.path)


def _sources(files: list[FileRows], taken: LayerIndex, target_bytes: int) -> dict[int, FileRows]:
    """Files to be put together, by their positions: parts, small packs, and files of which readers do not take all."""
    n_taken = np.bincount(taken.file, minlength=len(files))
    again = {number for number, rows in enumerate(files) if n_taken[number] < len(rows.columns["id"])}
    sources = {
        number: rows
        for number, rows in enumerate(files)
        if rows.rank == 0 or rows.entry.size < target_bytes // 2 or number in again
    }
    return sources if again or len(sources) > 1 else {}


def _bins(sources: Mapping[int, FileRows], taken: LayerIndex, target_bytes: int) -> Iterator[list[Chunk]]:
    """The rows of the sources that readers take, job by job, in the order in which a reader goes through a layer."""
    waiting: list[Chunk] = []
    size = 0.0
    for positions in sorted(_jobs(sources, taken), key=lambda positions: _place_of(taken, positions)):
        files = (sources[int(file)] for file in taken.file[positions])
        n_bytes = sum(rows.entry.size / len(rows.columns["id"]) for rows in files)
        if waiting and size + n_bytes > target_bytes:
            yield waiting
            waiting, size = [], 0.0
        waiting.append(_chunk(taken, positions))
        size += n_bytes
    if waiting:
        yield waiting


def _jobs(sources: Mapping[int, FileRows], taken: LayerIndex) -> list[Array]:
    """Positions of the rows of each job that readers take from the sources, in the order of the index."""
    positions = np.flatnonzero(np.isin(taken.file, list(sources)))
    positions = positions[np.argsort(taken.job[positions], kind="stable")]
    return _runs(positions, taken.job)


def _chunk(taken: LayerIndex, positions: Array) -> Chunk:
    pieces = [
        Piece(taken.files[taken.file[run[0]]], int(taken.group[run[0]]), taken.row[run], taken.id[run])
        for file_run in _runs(positions, taken.file)
        for run in _runs(file_run, taken.group)
    ]
    return Chunk(taken.jobs[taken.job[positions[0]]], tuple(pieces))


def _runs(positions: Array, values: Array) -> list[Array]:
    """Positions parted wherever the value changes."""
    bounds = 1 + np.flatnonzero(np.diff(values[positions]))
    return [run for run in np.split(positions, bounds) if len(run)]


def _place_of(taken: LayerIndex, positions: Array) -> tuple[int, int, int, str]:
    first = positions[0]
    return int(taken.variant[first]), int(taken.seed[first]), int(taken.unit[first]), taken.jobs[taken.job[first]]


def _odd_file(place: Place, sources: Collection[FileRows], error: StorageError) -> Entry | None:
    """The source that an error is about, if it is about one: damaged, or gone."""
    if isinstance(error, DamagedFileError):
        return next((rows.entry for rows in sources if rows.entry.path == error.path), None)
    if is_missing(error):
        return next((rows.entry for rows in sources if place.entry(rows.entry.path) is None), None)
    return None
