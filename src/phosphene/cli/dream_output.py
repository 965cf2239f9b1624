"""Where ``phosphene dream`` writes; found unusable before a dream rather than after it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

MOVIES = (".gif", ".mp4")
_PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
_OUTPUT, _ZOOM_OUTPUT = Path("out/dream.png"), Path("out/zoom")


class _WritableError(Exception):
    """Leaves :func:`phosphene.store.atomic.replacing` without replacing anything."""


def output_path(given: Path | None, fps: int | None) -> Path:
    """Where a dream goes, a ``.png`` or a folder; or a zoom of so many frames per second, a ``.gif``, ``.mp4`` or a
    folder.

    Raises:
        ArgumentError: the path's ending says something else.
        ParameterError: a GIF cannot have so many frames per second.
    """
    from phosphene.errors import ArgumentError
    from phosphene.store.movie import movie_format

    is_zoom = fps is not None
    if given is None:
        return _ZOOM_OUTPUT if is_zoom else _OUTPUT
    ending = given.suffix.lower()
    if fps is not None and ending in MOVIES:
        movie_format(given, fps)
    if is_zoom and ending in _PICTURES:
        raise ArgumentError(f"{given} is one picture, but --zoom makes many; give a folder, or a name in .gif or .mp4")
    if not is_zoom and ending in MOVIES:
        raise ArgumentError(f"{given} is a movie, but a dream is one picture; --zoom N makes movies, .png a picture")
    if not is_zoom and ending in _PICTURES[1:]:
        raise ArgumentError(
            f"{given} would not be a PNG, the format that carries recipes; name it {given.with_suffix('.png')}"
        )
    return given


def check_writable(path: Path) -> None:
    """Try the place where a file, or the files of a folder, will be written; missing folders are made.

    Raises:
        StorageError: nothing can be written there, or a folder has the file's name.
    """
    from phosphene.errors import StorageError
    from phosphene.store.atomic import replacing

    is_file = path.suffix.lower() in (*MOVIES, ".png")
    if is_file and path.is_dir():
        raise StorageError(f"{path} was not written: it is a folder; give the path of a file")
    with suppress(_WritableError), replacing(path if is_file else path / "0000.png") as draft:
        try:
            draft.touch()
        finally:
            draft.unlink(missing_ok=True)
        raise _WritableError
