"""An atlas at an address that fsspec knows: an object store, memory, or a folder of another machine."""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Any, TypeVar

from phosphene.errors import StorageError
from phosphene.store.atlas.libraries import arrow
from phosphene.store.atlas.patience import Patience
from phosphene.store.atlas.places import TEMPORARY, Entry
from phosphene.store.atlas.ranges import RangeReader

T = TypeVar("T")

#: Stores in which a file that is put appears whole when the last byte has come.
_WHOLE = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss", "oci", "hf", "memory"}
#: What file systems tell of a file that changes when the file does: digests, and where there is none, times. A listing
#: and a question after one file may give times of different precision.
_DIGESTS = ("ETag", "etag", "md5Hash", "sha1")
_TIMES = ("LastModified", "last_modified", "mtime", "updated", "created")


@dataclass(frozen=True)
class RemotePlace:
    """A folder of a file system; see :class:`~phosphene.store.atlas.places.Place`.

    Attributes:
        uri: the address, as it was given.
        system: fsspec's file system.
        root: the folder in it.
        patience: with errors that may pass.
    """

    uri: str
    system: Any
    root: str
    patience: Patience = field(default=Patience(), compare=False)

    @property
    def local(self) -> Path | None:
        """None: it is somewhere else."""
        return None

    def read(self, path: str) -> bytes:
        """The content of a file."""
        return self._ask(path, "read", lambda: bytes(self.system.cat_file(self._at(path))))

    def write(self, path: str, data: bytes) -> None:
        """Write a file: in one request, or where files grow as they are written, by another name that is changed."""
        self._ask(path, "written", lambda: self._publish(path, lambda at: self.system.pipe_file(at, data)))

    def create(self, path: str, data: bytes) -> bool:
        """Write a file unless there is one, as far as the store can promise that."""
        if self.entry(path) is not None:
            return False
        if self._is_whole:
            with suppress(TypeError, NotImplementedError):  # a store that knows no such promise
                return self._create_whole(path, data)
        self.write(path, data)
        return True

    @contextmanager
    def replacing(self, path: str) -> Generator[Path, None, None]:
        """A file in this machine's folder for temporary files, which is sent when the block ends."""
        with tempfile.TemporaryDirectory(prefix="phosphene-") as folder:
            file = Path(folder) / "file"
            yield file
            self._ask(path, "written", lambda: self._publish(path, lambda at: self.system.put_file(str(file), at)))

    def remove(self, path: str) -> None:
        """Remove a file; one that is not there is no error."""

        def remove() -> None:
            with suppress(FileNotFoundError):
                self.system.rm_file(self._at(path))

        self._ask(path, "removed", remove)

    def entry(self, path: str) -> Entry | None:
        """The file at ``path``, if there is one."""

        def look() -> Entry | None:
            self.system.invalidate_cache(self._at(path.rpartition("/")[0]))
            try:
                info = self.system.info(self._at(path))
            except (FileNotFoundError, NotADirectoryError):
                return None
            return _entry(path, info) if info["type"] == "file" else None

        return self._ask(path, "read", look)

    def entries(self, folder: str) -> list[Entry]:
        """All files in and below a folder, sorted by path."""

        def look() -> Mapping[str, Any]:
            self.system.invalidate_cache(self._at(folder))
            try:
                return self.system.find(self._at(folder), detail=True)
            except (FileNotFoundError, NotADirectoryError):
                return {}

        found = self._ask(folder, "listed", look)
        start = len(self.root.rstrip("/")) + 1
        entries = [_entry(name[start:], info) for name, info in found.items() if info["type"] == "file"]
        return sorted((entry for entry in entries if entry.name), key=lambda entry: entry.path)

    def source(self, entry: Entry) -> Any:
        """A file whose ranges are fetched when they are asked for."""

        def fetch(start: int, stop: int) -> bytes:
            where = self._at(entry.path)
            return self._ask(entry.path, "read", lambda: bytes(self.system.cat_file(where, start=start, end=stop)))

        return arrow().PythonFile(RangeReader(fetch, entry.size), mode="r")

    @property
    def _is_whole(self) -> bool:
        protocol = self.system.protocol
        return not _WHOLE.isdisjoint((protocol,) if isinstance(protocol, str) else protocol)

    def _at(self, path: str) -> str:
        return f"{self.root.rstrip('/')}/{path}" if path else self.root

    def _create_whole(self, path: str, data: bytes) -> bool:
        def create() -> bool:
            try:
                self.system.pipe_file(self._at(path), data, mode="create")
            except FileExistsError:
                return False
            return True

        return self._ask(path, "written", create)

    def _publish(self, path: str, put: Callable[[str], object]) -> None:
        target = self._at(path)
        if self._is_whole:
            put(target)
            return
        folder = target.rpartition("/")[0]
        temporary = f"{folder}/{TEMPORARY}{token_hex(8)}.tmp"
        self.system.makedirs(folder, exist_ok=True)
        try:
            put(temporary)
            self.system.mv(temporary, target)
        finally:
            with suppress(Exception):
                if self.system.exists(temporary):
                    self.system.rm_file(temporary)

    def _ask(self, path: str, done: str, call: Callable[[], T]) -> T:
        try:
            return self.patience.insist(call)
        except StorageError:
            raise
        except Exception as error:  # every file system has errors of its own
            raise StorageError(_why(f"{self.uri.rstrip('/')}/{path}", done, error)) from error


def _entry(path: str, info: Mapping[str, Any]) -> Entry:
    digests = [str(info[key]).strip('"') for key in _DIGESTS if info.get(key) is not None]
    stamps = digests or [str(info[key]) for key in _TIMES if info.get(key) is not None]
    return Entry(path, int(info["size"] or 0), "-".join([str(info["size"]), *stamps]))


def _why(path: str, done: str, error: Exception) -> str:
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if isinstance(error, FileNotFoundError):
        return f"{path} was not {done}: there is no such file, folder or bucket; check the address ({text})"
    if isinstance(error, PermissionError) or "redentials" in text:
        return f"{path} was not {done}: permission denied; check the credentials and storage_options ({text})"
    if getattr(error, "errno", None) in {errno.ENOSPC, errno.EDQUOT}:
        return f"{path} was not {done}: the disk is full; free some space or choose another address"
    if isinstance(error, NotImplementedError):
        return f"{path} was not {done}: this kind of address cannot do that; choose another one ({text})"
    return f"{path} was not {done}: {text}; check the address, the network and storage_options, then try again"
