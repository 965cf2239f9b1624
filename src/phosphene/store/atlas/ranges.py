"""A file far away that is read in ranges."""

from __future__ import annotations

import io
from collections.abc import Callable

#: Bytes at the end of a file that are fetched first: a Parquet file begins to be read there, and most footers fit.
_TAIL = 1 << 16


class RangeReader(io.RawIOBase):
    """A read-only file whose bytes come from ``fetch(start, stop)``; the end is fetched once and kept.

    Args:
        fetch: gives the bytes of a range that lies inside the file.
        size: of the file, in bytes.
    """

    def __init__(self, fetch: Callable[[int, int], bytes], size: int) -> None:
        self._fetch = fetch
        self._size = size
        self._at = 0
        self._tail: bytes | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a place, counted from the start, from here or from the end."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Up to ``size`` bytes from here on; all that are left where it is negative."""
        stop = self._size if size < 0 else min(self._at + size, self._size)
        data = self._range(self._at, stop) if stop > self._at else b""
        self._at += len(data)
        return data

    def _range(self, start: int, stop: int) -> bytes:
        first = max(0, self._size - _TAIL)
        if start < first:
            return self._fetch(start, stop)
        if self._tail is None:
            self._tail = self._fetch(first, self._size)
        return self._tail[start - first : stop - first]
