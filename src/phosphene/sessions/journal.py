"""The journal: an append-only file of events that survives a kill at any moment.

What a kill leaves unfinished at its end is cut off before anything else is written.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from phosphene._types import JSON
from phosphene.errors import StorageError
from phosphene.sessions.lines import Line, framed, is_ended, read_journal
from phosphene.store import write_bytes
from phosphene.store.atomic import why_not_written


class Journal:
    """A journal that is written to; only one process may have it.

    Raises:
        StorageError: see :func:`read_journal`; or it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        reading = read_journal(path)
        self.path = path
        self.lines = list(reading.lines)
        self._size = reading.size
        self._is_torn = reading.is_torn
        self._file = -1
        with self._storage():
            self._file = os.open(path, os.O_RDWR | os.O_APPEND | getattr(os, "O_BINARY", 0))

    def append(self, events: Sequence[Mapping[str, JSON]]) -> tuple[Line, ...]:
        """Write events so that all of them count or none, and bring them to the disk.

        Raises:
            StorageError: that was not possible, as on a full disk; nothing counts, and a later call may succeed.
        """
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        data, lines = framed(events, before=self.lines[-1] if self.lines else None, at=at)
        if self._file < 0:
            raise StorageError(f"{self.path} is closed, as its session is; open the session again")
        with self._storage():
            self._check_alone()
            self._repair()
            # Until all is on the disk, what was written is taken back before anything else is.
            self._is_torn = True
            try:
                self._write(data)
            except OSError:
                with contextlib.suppress(OSError):
                    self._repair()
                raise
        self._size += len(data)
        self._is_torn = False
        self.lines += lines
        return tuple(lines)

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._file, rest) :]
        os.fsync(self._file)

    def keep_tail(self) -> None:
        """Copy what stands in the file behind the last line that counts, before it is cut off, to a file beside it.

        Raises:
            StorageError: that was not possible; nothing was cut off.
        """
        with self._storage(), self.path.open("rb") as file:
            file.seek(self._size)
            tail = file.read()
        if tail.strip():
            write_bytes(self.path.with_name(f"{self.path.name}.torn-{self._size}"), tail)

    def _repair(self) -> None:
        """Cut off what does not count, and end the last line."""
        if self._is_torn:
            os.ftruncate(self._file, self._size)
            if not is_ended(self.path, self._size):
                self._write(b"\n")
                self._size += 1
            os.fsync(self._file)
            self._is_torn = False

    def _check_alone(self) -> None:
        """That nobody else has written to the file, nor put another one in its place."""
        own, found = os.fstat(self._file), self.path.stat()
        same = os.path.samestat(own, found)
        if not same or own.st_size < self._size or (own.st_size > self._size and not self._is_torn):
            raise StorageError(
                f"{self.path} was changed by another program while the session was open; nothing was written: "
                "close the session, put the journal back as it was and open it again"
            )

    @contextlib.contextmanager
    def _storage(self) -> Generator[None, None, None]:
        try:
            yield
        except OSError as error:
            if isinstance(error, StorageError):
                raise
            raise StorageError(why_not_written(self.path, error)) from error

    def close(self) -> None:
        """Let go of the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
