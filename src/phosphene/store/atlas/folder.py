"""An atlas that is open: rows and facts are written and read through it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from phosphene.errors import StorageError
from phosphene.store.atlas import reading
from phosphene.store.atlas.beside import AtlasFiles
from phosphene.store.atlas.checking import verify
from phosphene.store.atlas.compacting import Compaction, compact
from phosphene.store.atlas.contents import Packs
from phosphene.store.atlas.index import Index, build_index
from phosphene.store.atlas.manifest import Manifest
from phosphene.store.atlas.mending import mend
from phosphene.store.atlas.parts import encode_part, part_path
from phosphene.store.atlas.places import Place
from phosphene.store.atlas.records import Picture, Variant
from phosphene.store.atlas.report import Report
from phosphene.store.atlas.row_reader import RowReader
from phosphene.store.atlas.vectors import read_embeddings

#: Bytes of a pack, about; an object store reads such files well, and a row group of one is read without the rest.
_PACK_BYTES = 256 << 20


class AtlasFolder(AtlasFiles):
    """An atlas; threads may share it, and it can be pickled. `create_atlas` and `open_atlas` give it.

    Args:
        place: where it lies.
        manifest: what it is of.
    """

    def __init__(self, place: Place, manifest: Manifest) -> None:
        super().__init__(place, manifest)
        self._lock = threading.Lock()
        self._index: Index | None = None
        self._packs = Packs(place)
        self._reader = RowReader(place)

    def __reduce__(self) -> tuple[Any, ...]:
        return AtlasFolder, (self.place, self.manifest)

    def __repr__(self) -> str:
        return f"AtlasFolder({self.uri!r})"

    def write_part(self, job_id: str, layer: str, pictures: Sequence[Picture]) -> int:
        """Write the rows of a job as one file, wholly or not at all; it replaces the one that a former try wrote.

        Returns the file's size in bytes. Raises `ParameterError` for rows that do not belong together or fit no column,
        `UnknownLayerError`, and `StorageError` where the file cannot be written, after patience with errors that pass.
        """
        path = part_path(self.slug(layer), job_id)
        data = encode_part(job_id, layer, pictures)
        self.place.write(path, data)
        return len(data)

    def has_part(self, job_id: str, layer: str) -> bool:
        """Whether a job's part is there, or is in a pack as far as `finished_jobs` has looked; one request."""
        return job_id in self._packs.known or self.place.entry(part_path(self.slug(layer), job_id)) is not None

    def finished_jobs(self) -> frozenset[str]:
        """Jobs whose rows are there, by names of parts and what packs say of themselves; no row is read."""
        return self._packs.jobs()

    def index(self) -> Index:
        """Which rows there are, as arrays: read when it is first asked for, and kept; see `refresh`."""
        with self._lock:
            if self._index is None:
                self._index = build_index(self.place, self.slugs)
            return self._index

    def refresh(self) -> Index:
        """The index of what is there now; only files that are new or changed are read."""
        with self._lock:
            self._index = build_index(self.place, self.slugs) if self._index is None else self._index.refreshed()
            return self._index

    def picture(self, picture_id: str) -> Picture:
        """A row by its id. Raises `StorageError` where the atlas has no such row, or it is damaged."""
        return reading.picture(self, self._reader, picture_id)

    def unit(self, layer: str, unit: int) -> tuple[Picture, ...]:
        """The rows of a unit, sorted by variant, seed and member, as the index has them (see `refresh`).

        Raises `UnknownLayerError`, and `StorageError` where one is damaged.
        """
        self.slug(layer)
        return reading.unit(self, self._reader, layer, unit)

    def pictures(
        self,
        layer: str,
        variant: Variant | None = "positive",
        seed: int | None = None,
        *,
        start: int | None = None,
        stop: int | None = None,
        on_damage: Callable[[str, StorageError], None] | None = None,
    ) -> Iterator[Picture]:
        """The rows of a layer in unit order, some at a time.

        Args:
            layer: the layer.
            variant: which of the pictures of each unit, of the diverse ones all members; None for all.
            seed: which seed; None for the manifest's first, and for all where ``variant`` is None.
            start, stop: only units from ``start`` on, and before ``stop``.
            on_damage: told of the id of a row that is damaged, and why, whereupon the next one follows; without it the
                error is raised.

        Raises `UnknownLayerError`, and `StorageError` where a row is damaged.
        """
        self.slug(layer)
        seed = self.manifest.seeds[0] if seed is None and variant is not None else seed
        wanted = reading.Wanted(layer, variant, seed, start, stop)
        return reading.pictures(self, self._reader, wanted, on_damage=on_damage)

    def embeddings(
        self, layer: str, variant: Variant = "positive", seed: int | None = None
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        """Units that have an embedding, in unit order, and the embeddings (n d), read without the pictures; of diverse
        pictures the first. Seed None is the manifest's first. Damaged files are left out.
        """
        self.slug(layer)
        rows = self.refresh().layer(layer)
        wanted = reading.Wanted(layer, variant, self.manifest.seeds[0] if seed is None else seed).positions(rows)
        return read_embeddings(self.place, rows, wanted[rows.member[wanted] == 0])

    def verify(
        self,
        jobs: Iterable[tuple[str, str, Sequence[str]]] | None = None,
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> Report:
        """Read every row and say what is missing, damaged or doubled; nothing is changed.

        Args:
            jobs: id, layer and ids of the pictures of each planned job; without them nothing can be missing.
            progress: called with the files read and their number.
        """
        return verify(self.place, self.slugs, jobs, progress=progress)

    def mend(self, report: Report) -> int:
        """Remove what is damaged, incomplete, doubled or temporary, so that a build makes it again; good rows of other
        jobs in a damaged pack are kept in a new one. Returns how many files were removed or made anew.
        """
        return mend(self.place, report)

    def compact(
        self, *, target_bytes: int = _PACK_BYTES, progress: Callable[[int, int], None] | None = None
    ) -> Compaction:
        """Put parts together into packs of about ``target_bytes``. A reader never misses a row meanwhile; what is cut
        off leaves rows doubled, which readers see once and `mend` removes.
        """
        return compact(self.place, self.slugs, target_bytes=target_bytes, progress=progress)
