"""Places where a command will write, tried before it computes."""

from __future__ import annotations

import tempfile
from pathlib import Path


def check_folder(folder: Path) -> None:
    """Try whether files can be written into ``folder``; one that is not there yet is not made.

    Raises:
        StorageError: it is a file, or lies in one, or nothing can be written there.
    """
    from phosphene.errors import StorageError

    first = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not first.is_dir():
        raise StorageError(f"nothing can be written into {folder}: {first} is a file; choose another folder")
    try:
        with tempfile.TemporaryFile(dir=first):
            pass
    except OSError as error:
        raise StorageError(
            f"nothing can be written into {folder}: {error.strerror} in {first}; choose another folder"
        ) from error


def check_file(path: Path) -> None:
    """Try whether the file ``path`` can be written; missing folders are not made yet.

    Raises:
        StorageError: it is a folder, or nothing can be written where it lies.
    """
    from phosphene.errors import StorageError

    if path.is_dir():
        raise StorageError(f"{path} was not written: it is a folder; give the path of a file")
    check_folder(path.parent)
