"""A site as a folder of plain files, which any static host serves and which opens from disk."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Protocol

from phosphene.errors import StorageError
from phosphene.store.atomic import write_bytes

if TYPE_CHECKING:
    from phosphene.web.atlas_site import Site

#: Names the files of a site, so that the next one written into the folder can remove what it does not have.
LIST = "page/files.txt"
INDEX = "index.html"
_FOLDERS = ("activations", "compare", "data", "other", "other-pictures", "page", "pictures", "sheets")


class Files(Protocol):
    """What can be written as a folder."""

    def files(self) -> Iterable[str]:
        """Paths relative to the folder, ``/`` between their parts."""
        ...

    def read(self, path: str) -> bytes:
        """The content of one of them."""
        ...


def export_site(
    site: Site, folder: str | os.PathLike[str], *, progress: Callable[[int, int], object] | None = None
) -> Path:
    """Write a site into ``folder``; see :func:`write_files`.

    Raises:
        StorageError: also where the folder is an atlas, or has a page that is not of an earlier site.
    """
    where = Path(folder)
    stranger = next((name for name in ("atlas.json", INDEX) if (where / name).exists()), None)
    if stranger is not None and not (stranger == INDEX and (where / LIST).is_file()):
        raise StorageError(
            f"{where} holds {'an atlas' if stranger != INDEX else f'an {INDEX} that is not of a site of an atlas'}; "
            "choose another folder, which may be new, for the pages"
        )
    return write_files(site, where, progress=progress)


def write_files(source: Files, folder: Path, *, progress: Callable[[int, int], object] | None = None) -> Path:
    """Write every file of ``source`` into ``folder``, each wholly or not at all, ``index.html`` after all others. What
    an earlier page or site left there and this one does not have is removed; files of others stay.

    Written again after an interruption, the folder is as if there had been none.

    Args:
        source: what is written.
        folder: made if it is not there.
        progress: called after each file with the number of files that are written, and of all.

    Returns the path of ``index.html``. Raises `StorageError` where a file cannot be written or removed, or where
    ``source`` cannot be read.
    """
    earlier, planned = _listed(folder), [path for path in source.files() if path != INDEX]
    # Written first, so that a run that is cut off leaves a list of all that may have to go.
    write_bytes(folder / LIST, _text({*earlier, *planned, INDEX}))
    written = {INDEX, LIST}
    for n, path in enumerate(planned):
        with contextlib.suppress(KeyError):  # what is damaged turns out not to be there
            write_bytes(folder / path, source.read(path))
            written.add(path)
        if progress is not None:
            progress(n + 1, len(planned) + 1)
    index = write_bytes(folder / INDEX, source.read(INDEX))
    _remove(folder, _gone({*earlier, *planned}, written))
    write_bytes(folder / LIST, _text(written - {LIST}))
    return index


def _text(names: Iterable[str]) -> bytes:
    return "".join(f"{name}\n" for name in sorted(names)).encode()


def _listed(folder: Path) -> set[str]:
    """What the site that lies in the folder says it consists of, as far as that is inside the folder."""
    try:
        names = (folder / LIST).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return set()
    return {name for name in names if _stays(name)}


def _stays(name: str) -> bool:
    path = PurePosixPath(name)
    ours = path.suffix == ".html" if len(path.parts) == 1 else path.parts[:1] and path.parts[0] in _FOLDERS
    return bool(ours) and ".." not in path.parts and str(path) == name and not any(one in name for one in "\0\\:")


def _gone(earlier: set[str], written: set[str]) -> list[str]:
    """Names that this site has no more, not even in other letters, which are the same file on some systems."""
    kept = {name.casefold() for name in written}
    return sorted(name for name in earlier if name.casefold() not in kept)


def _remove(folder: Path, names: Iterable[str]) -> None:
    for name in names:
        path = folder / name
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(
                f"{path}, of an earlier site, was not removed: {error.strerror}; remove it, or choose another folder"
            ) from error
        for parent in path.relative_to(folder).parents[:-1]:
            with contextlib.suppress(OSError):  # unless it is empty it stays
                (folder / parent).rmdir()
