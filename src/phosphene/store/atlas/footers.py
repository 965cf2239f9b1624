"""Seals of footers: what stands around the rows of a file, compared with what was written.

Rows have checksums, and whoever reads them by this package needs little else. Other programs read more of a footer:
names of columns, texts, who wrote it. So a footer holds the digest of itself, taken with zeros in the digest's place.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from phosphene.store.atlas.damage import DamagedRowError, guarded
from phosphene.store.atlas.places import Entry, Place

#: The name of a seal among the texts of a footer.
SEAL = "phosphene.footer"
#: What stands there before a footer is sealed.
UNSEALED = "0" * 64
_MAGIC = b"PAR1"
_TAIL = 8  # bytes after a footer: its length, and the magic number again
# A text in a footer: its field (0x18), its length, itself.
_PLACE = re.compile(rb"phosphene\.footer\x18\x40([0-9a-f]{64})")


def sealed(data: bytes) -> bytes:
    """The bytes of a file whose footer is not sealed yet, with its seal."""
    start = len(data) - _length(data)
    return data[:start] + _sealed(data[start:])


def seal_file(path: Path) -> None:
    """Seal the footer of a file where it lies."""
    with path.open("rb+") as file:
        file.seek(-_TAIL, 2)
        length = _length(file.read(_TAIL))
        file.seek(-length, 2)
        footer = file.read(length)
        file.seek(-length, 2)
        file.write(_sealed(footer))


def check_seal(place: Place, entry: Entry) -> None:
    """Compare what stands around the rows of a file with what was written.

    Headers of pages are left, which no checksum covers: harm to them either keeps the rows behind from being read,
    which the check of the rows finds, or is to a field that no reader of these pages needs (pyarrow, DuckDB and polars
    read the same rows then).

    Raises:
        DamagedFileError: something is not what was written. The rows may be right nevertheless.
        StorageError: the file cannot be read.
    """
    guarded(entry, lambda: _check(place, entry))


def _check(place: Place, entry: Entry) -> None:
    with place.source(entry) as source:
        magic = source.read(len(_MAGIC))
        source.seek(entry.size - _TAIL)
        source.seek(max(0, entry.size - _length(source.read(_TAIL))))
        footer = source.read()
    found = _PLACE.search(footer)
    if magic != _MAGIC or found is None or _sealed(footer) != footer:
        raise DamagedRowError("its rows are one thing, what stands around them is not what was written")


def _length(end: bytes) -> int:
    """Bytes of a footer and what follows it, from the last bytes of a file."""
    return int.from_bytes(end[-_TAIL:-4], "little") + _TAIL


def _sealed(footer: bytes) -> bytes:
    found = _PLACE.search(footer)
    if found is None:
        raise DamagedRowError("its footer has no seal")
    before, after = footer[: found.start(1)], footer[found.end(1) :]
    digest = hashlib.sha256(before + UNSEALED.encode() + after).hexdigest()
    return before + digest.encode() + after
