"""Where an atlas lies: a folder, or an address that fsspec knows. Files appear whole or not at all."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from phosphene.errors import StorageError

#: How names of files begin that are being written.
TEMPORARY = ".phosphene-"


@dataclass(frozen=True)
class Entry:
    """A file that is there.

    Attributes:
        path: relative to the atlas, with slashes.
        size: in bytes.
        stamp: a text that changes when the file does, as far as its file system tells.
    """

    path: str
    size: int
    stamp: str

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def is_temporary(self) -> bool:
        """Whether it was being written when it was listed; its writer may be dead."""
        return self.name.startswith(TEMPORARY)


class Place(Protocol):
    """Files by their paths relative to an atlas. Every method raises `StorageError` that says what to do; a file that
    is not there is a `FileNotFoundError` beneath it (``__cause__``).
    """

    @property
    def uri(self) -> str:
        """Where it is."""
        ...

    @property
    def local(self) -> Path | None:
        """The folder, where it is one of this machine."""
        ...

    def read(self, path: str) -> bytes:
        """The content of a file."""
        ...

    def write(self, path: str, data: bytes) -> None:
        """Write a file, or replace it, wholly or not at all."""
        ...

    def create(self, path: str, data: bytes) -> bool:
        """Write a file unless there is one; whether it was written."""
        ...

    def replacing(self, path: str) -> AbstractContextManager[Path]:
        """A local file to be written in the block; afterwards it is the file at ``path``, wholly or not at all."""
        ...

    def remove(self, path: str) -> None:
        """Remove a file; one that is not there is no error."""
        ...

    def entry(self, path: str) -> Entry | None:
        """The file at ``path``, if there is one."""
        ...

    def entries(self, folder: str) -> list[Entry]:
        """All files in and below a folder, sorted by path; none where there is no such folder."""
        ...

    def source(self, entry: Entry) -> Any:
        """What pyarrow can read the file's ranges from."""
        ...


def is_missing(error: BaseException) -> bool:
    """Whether ``error`` says that there is no such file."""
    kinds = FileNotFoundError, NotADirectoryError
    return isinstance(error, kinds) or isinstance(error.__cause__, kinds)


def safe(path: str) -> str:
    """``path`` if it names a file inside an atlas: relative, with slashes, without dots that climb.

    Raises:
        StorageError: it does not.
    """
    parts = path.split("/")
    odd = any(part in {"", ".", ".."} for part in parts) or any(c in path for c in '\\\0:*?"<>|\r\n')
    if odd or len(path) > 1024:
        raise StorageError(
            f"{path[:200]!r} is no path of a file inside an atlas; expected parts joined by '/', without '..'"
        )
    return path
