"""Writes that happen wholly or not at all, and the sentences that say why one did not."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Generator
from pathlib import Path

from phosphene.errors import StorageError

_FULL = {errno.ENOSPC, errno.EDQUOT}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


def write_bytes(path: str | os.PathLike[str], data: bytes) -> Path:
    """Write ``data`` to ``path`` so that a reader sees the old file or the new one, never a part.

    The bytes go to a temporary file in the same folder, which then takes the name; it is removed on any failure,
    an interrupt included. Missing folders are made.

    Returns the path. Raises `StorageError`: full disk, unwritable folder, or whatever the system says.
    """
    path = Path(path)
    temporary = path.with_name(f".phosphene-{secrets.token_hex(8)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_new(temporary, data)
        temporary.replace(path)
    except OSError as error:
        raise StorageError(why_not_written(path, error)) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    return path


def write_text(path: str | os.PathLike[str], text: str) -> Path:
    """Write ``text`` as UTF-8 with the guarantees of `write_bytes`."""
    return write_bytes(path, text.encode())


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Generator[Path, None, None]:
    """While the block lasts, a file beside ``path``, with its suffix, to be written by somebody else; afterwards it
    takes the name, or is removed if the block failed.

    Raises `StorageError` where the file or its folder cannot be written.
    """
    path = Path(path)
    temporary = path.with_name(f".phosphene-{secrets.token_hex(8)}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(path)
    except StorageError:
        raise
    except OSError as error:
        raise StorageError(why_not_written(path, error)) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def read_bytes(path: str | os.PathLike[str], *, limit: int) -> bytes:
    """The content of a regular file of at most ``limit`` bytes. Raises `StorageError` where that is not possible."""
    path = Path(path)
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            kind = "a folder" if stat.S_ISDIR(found.st_mode) else "no regular file"
            raise StorageError(f"{path} cannot be read: it is {kind}; give the path of a file")
        if found.st_size > limit:
            raise StorageError(f"{path} is too large: {found.st_size} bytes came, at most {limit} are read")
        return path.read_bytes()
    except StorageError:
        raise
    except (OSError, ValueError) as error:
        raise StorageError(why_not_read(path, error)) from error


def _write_new(path: Path, data: bytes) -> None:
    # O_EXCL instead of tempfile: the file gets the permissions that the user's umask asks for.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)  # some file systems report a full disk only here


def why_not_written(path: Path, error: OSError) -> str:
    """A sentence that says why a file could not be written, and what to do."""
    if error.errno in _FULL:
        return f"{path} was not written: the disk is full; free some space or choose another folder"
    if error.errno == errno.EFBIG:
        return f"{path} was not written: the file would be larger than this system allows; choose another folder"
    if error.errno in _FORBIDDEN:
        return f"{path} was not written: the folder {path.parent} is not writable; choose another folder"
    if error.errno in {errno.EEXIST, errno.ENOTDIR}:
        return f"{path} was not written: {path.parent} is a file, not a folder; choose another folder"
    if error.errno == errno.EISDIR:
        return f"{path} was not written: it is a folder; give the path of a file"
    return f"{path} was not written: {error.strerror or error}; choose another path"


def why_not_read(path: Path, error: Exception) -> str:
    """A sentence that says why a file could not be read, and what to do."""
    if isinstance(error, FileNotFoundError):
        return f"{path} cannot be read: there is no such file; check the path"
    if isinstance(error, PermissionError):
        return f"{path} cannot be read: permission denied; check who owns it"
    return f"{path} cannot be read: {getattr(error, 'strerror', None) or error}; check the path"
