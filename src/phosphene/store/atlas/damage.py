"""What is said of files and rows that are not what was written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from phosphene.errors import StorageError
from phosphene.store.atlas.libraries import arrow
from phosphene.store.atlas.places import Entry

T = TypeVar("T")


class DamagedRowError(ValueError):
    """A row that is not what was written."""


class DamagedFileError(StorageError):
    """A file that is not what was written.

    Attributes:
        path: relative to the atlas.
        reason: what is wrong with it.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(
            f"{path} is damaged or was not written by phosphene: {reason}; "
            "phosphene atlas verify says what is lost, and phosphene atlas build makes it again"
        )
        self.path = path
        self.reason = reason

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.path, self.reason)


def guarded(entry: Entry, read: Callable[[], T]) -> T:
    """What ``read`` gives of a file.

    Raises:
        DamagedFileError: the file's bytes make no sense.
        StorageError: the file could not be read, as whoever reads it says.
    """
    try:
        return read()
    except StorageError:
        raise
    except (arrow().ArrowException, OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise DamagedFileError(entry.path, str(error)) from error
    except (OverflowError, MemoryError) as error:  # sizes that no file has
        raise DamagedFileError(entry.path, f"it asks for too much: {error}") from error
