"""An atlas in a folder of this machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Any, TypeVar

from phosphene.errors import StorageError
from phosphene.store.atlas.libraries import arrow
from phosphene.store.atlas.patience import Patience, passing
from phosphene.store.atlas.places import TEMPORARY, Entry
from phosphene.store.atomic import replacing, why_not_read, write_bytes

T = TypeVar("T")


@dataclass(frozen=True)
class LocalPlace:
    """A folder; see :class:`~phosphene.store.atlas.places.Place`."""

    folder: Path
    patience: Patience = field(default=Patience(), compare=False)

    @property
    def uri(self) -> str:
        """The folder as text."""
        return str(self.folder)

    @property
    def local(self) -> Path | None:
        """The folder."""
        return self.folder

    def read(self, path: str) -> bytes:
        """The content of a file."""
        return self._reading(path, (self.folder / path).read_bytes)

    def write(self, path: str, data: bytes) -> None:
        """Write a file by a temporary one that takes its name."""
        try:
            self.patience.insist(lambda: _writing(lambda: write_bytes(self.folder / path, data)))
        except _UnfinishedError as error:
            raise StorageError(str(error)) from error.__cause__

    def create(self, path: str, data: bytes) -> bool:
        """Write a file by a temporary one that is linked to its name, which fails where there is one."""
        target = self.folder / path
        temporary = target.with_name(f"{TEMPORARY}{token_hex(8)}.tmp")
        write_bytes(temporary, data)
        try:
            os.link(temporary, target)
        except FileExistsError:
            return False
        except OSError:  # a file system without links: the smallest gap that is left
            if target.exists():
                return False
            write_bytes(target, data)
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
        return True

    @contextmanager
    def replacing(self, path: str) -> Generator[Path, None, None]:
        """A temporary file beside ``path``; it is on the disk before it takes the name."""
        with replacing(self.folder / path) as temporary:
            yield temporary
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())

    def remove(self, path: str) -> None:
        """Remove a file; one that is not there is no error."""
        target = self.folder / path
        try:
            target.unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(f"{target} was not removed: {error.strerror or error}; check who owns it") from error

    def entry(self, path: str) -> Entry | None:
        """The file at ``path``, if there is one."""
        target = self.folder / path
        try:
            found = target.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise StorageError(why_not_read(target, error)) from error
        return _entry(path, found) if target.is_file() else None

    def entries(self, folder: str) -> list[Entry]:
        """All files in and below a folder, sorted by path."""
        found: list[Entry] = []
        waiting = [folder]
        while waiting:
            inside = waiting.pop()
            try:
                with os.scandir(self.folder / inside) as listed:
                    items = list(listed)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                raise StorageError(why_not_read(self.folder / inside, error)) from error
            for item in items:
                path = f"{inside}/{item.name}" if inside else item.name
                if item.is_dir(follow_symlinks=False):
                    waiting.append(path)
                elif item.is_file():
                    with suppress(FileNotFoundError):  # it was removed since
                        found.append(_entry(path, item.stat()))
        return sorted(found, key=lambda entry: entry.path)

    def source(self, entry: Entry) -> Any:
        """The open file."""
        return self._reading(entry.path, lambda: arrow().OSFile(str(self.folder / entry.path)))

    def _reading(self, path: str, read: Callable[[], T]) -> T:
        try:
            return self.patience.insist(read)
        except OSError as error:
            raise StorageError(why_not_read(self.folder / path, error)) from error


class _UnfinishedError(OSError):
    """A write that another attempt may bring to its end."""


def _writing(write: Callable[[], T]) -> T:
    """``write``, whose errors say by their kind whether another attempt may succeed: somebody may have mended away the
    temporary file of a living writer.
    """
    try:
        return write()
    except StorageError as error:
        cause = error.__cause__
        if cause is not None and (isinstance(cause, FileNotFoundError) or passing(cause)):
            raise _UnfinishedError(str(error)) from cause
        raise


def _entry(path: str, found: os.stat_result) -> Entry:
    return Entry(path, found.st_size, f"{found.st_size}-{found.st_mtime_ns}-{found.st_ino}")
