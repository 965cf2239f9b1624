"""Which jobs are done, by names and footers alone."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from phosphene.errors import StorageError
from phosphene.store.atlas.damage import DamagedFileError
from phosphene.store.atlas.index import row_entries
from phosphene.store.atlas.parts import RowsFile, read_name
from phosphene.store.atlas.places import Entry, Place, is_missing

#: Footers that are read at once; waiting is most of the work.
_AT_ONCE = 8


class Packs:
    """What the packs of an atlas say that they hold; each footer is read once; threads may share it.

    Args:
        place: where the atlas lies.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._lock = threading.Lock()
        self._jobs: Mapping[Entry, tuple[str, ...]] = {}
        self.known: frozenset[str] = frozenset()

    def jobs(self) -> frozenset[str]:
        """Jobs that are done. A damaged pack has none."""
        named = [(entry, name) for entry in row_entries(self._place) if (name := read_name(entry.path))]
        packs = [entry for entry, name in named if not name.is_part]
        with self._lock, ThreadPoolExecutor(_AT_ONCE) as pool:
            fresh = [entry for entry in packs if entry not in self._jobs]
            known = {entry: jobs for entry, jobs in self._jobs.items() if entry in set(packs)}
            self._jobs = known | dict(zip(fresh, pool.map(self._of_pack, fresh), strict=True))
            self.known = frozenset(job for jobs in self._jobs.values() for job in jobs)
            return self.known | {name.digest for _, name in named if name.is_part}

    def _of_pack(self, entry: Entry) -> tuple[str, ...]:
        try:
            file = RowsFile(self._place, entry)
            try:
                return file.contents.jobs
            finally:
                file.close()
        except DamagedFileError:
            return ()
        except StorageError as error:
            if is_missing(error):  # it was packed since
                return ()
            raise
