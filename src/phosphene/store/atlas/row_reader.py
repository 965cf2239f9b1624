"""Reading rows by their place, with the last row groups kept: neighbours are asked for together."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from phosphene.store.atlas.columns import to_pictures
from phosphene.store.atlas.damage import DamagedFileError, DamagedRowError
from phosphene.store.atlas.libraries import arrow, taken
from phosphene.store.atlas.parts import RowsFile
from phosphene.store.atlas.places import Entry, Place
from phosphene.store.atlas.records import Picture

#: Bytes of row groups that are kept.
_KEPT_BYTES = 32 << 20
#: Footers that are kept; that of a pack of a thousand jobs takes milliseconds to read and a few megabytes.
_KEPT_FOOTERS = 8


class RowReader:
    """Reads rows of an atlas; threads may share it.

    Args:
        place: where the atlas lies.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._lock = threading.Lock()
        self._tables: OrderedDict[tuple[Entry, int], Any] = OrderedDict()
        self._footers: OrderedDict[Entry, Any] = OrderedDict()

    def pictures(self, entry: Entry, group: int, rows: Sequence[int]) -> list[Picture]:
        """Some rows of a row group, each compared with its checksum.

        Raises:
            DamagedFileError: a row is not what was written, or is not there.
            StorageError: the file cannot be read.
        """
        table = self._table(entry, group)
        try:
            return to_pictures(taken(table, rows))
        except (DamagedRowError, arrow().ArrowException, IndexError, UnicodeDecodeError) as error:
            raise DamagedFileError(entry.path, str(error)) from error

    def _table(self, entry: Entry, group: int) -> Any:
        key = (entry, group)
        with self._lock:
            if key in self._tables:
                self._tables.move_to_end(key)
                return self._tables[key]
            footer = self._footers.get(entry)
        file = RowsFile(self._place, entry, footer)
        try:
            table, footer = file.table(group), file.footer
        finally:
            file.close()
        with self._lock:
            self._footers[entry] = footer
            self._footers.move_to_end(entry)
            while len(self._footers) > _KEPT_FOOTERS:
                self._footers.popitem(last=False)
            self._tables[key] = table
            while len(self._tables) > 1 and sum(kept.nbytes for kept in self._tables.values()) > _KEPT_BYTES:
                self._tables.popitem(last=False)
        return table
