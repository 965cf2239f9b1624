"""Folders that appear with all their files at once."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from phosphene.errors import StorageError
from phosphene.store import read_png_pixels, write_bytes
from phosphene.store.atomic import read_bytes

#: A folder in the making; hidden, and never a block's name.
_PARTIAL = re.compile(r"\.phosphene-[0-9a-f]{16}\.partial")
_LARGEST = 1 << 30  # bytes of a file that is compared


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Make ``folder`` with ``files`` in it so that a reader sees all of them or no folder; one that holds them already
    stays, with whatever else is in it.

    What writers that were killed have left beside it is removed: only one process may write beside ``folder`` at a
    time.

    Raises:
        StorageError: the folder exists with other contents, or cannot be written.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(folder.parent)
        if _is_taken(folder):
            _check_same(folder, files)
        else:
            _write_new(folder, files)
    except StorageError:
        raise
    except OSError as error:
        raise StorageError(f"{folder} was not written: {error.strerror or error}; choose another folder") from error


def _is_taken(folder: Path) -> bool:
    return os.path.lexists(folder) and not (folder.is_dir() and not any(folder.iterdir()))


def _write_new(folder: Path, files: Mapping[str, bytes]) -> None:
    partial = folder.parent / f".phosphene-{secrets.token_hex(8)}.partial"
    try:
        partial.mkdir()
        for name, data in files.items():
            write_bytes(partial / name, data)
        _sync(partial)
        partial.replace(folder)
        _sync(folder.parent)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            raise _differs(folder, "somebody else has made it in this moment") from error
        raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _remove_leftovers(parent: Path) -> None:
    for entry in parent.iterdir():
        if _PARTIAL.fullmatch(entry.name) and entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)


def _check_same(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, data in files.items():
        path = folder / name
        if not path.is_file():
            raise _differs(folder, f"it has no {name}")
        if read_bytes(path, limit=_LARGEST) != data and not _shows_the_same(path, data):
            raise _differs(folder, f"its {name} is another one")


def _shows_the_same(path: Path, data: bytes) -> bool:
    """Whether two PNGs differ only in how they were compressed, as after an update of the library that writes them."""
    if path.suffix != ".png":
        return False
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(StorageError):
        found, wanted = read_png_pixels(path), read_png_pixels(write_bytes(Path(folder) / path.name, data))
        return found.shape == wanted.shape and bool((found == wanted).all())
    return False


def _sync(folder: Path) -> None:
    """Bring a folder's entries to the disk, where the system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _differs(folder: Path, how: str) -> StorageError:
    return StorageError(
        f"{folder} is there already, but {how}; nothing was changed: move it away, or choose another folder"
    )
