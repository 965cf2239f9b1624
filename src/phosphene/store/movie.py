"""Movies of frames, as GIF or MP4."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from phosphene._component import check
from phosphene.errors import ArgumentError, MissingExtraError
from phosphene.store.atomic import replacing

_FORMATS = {".gif": "GIF", ".mp4": "FFMPEG"}
_MOST_FPS = {"GIF": 50, "FFMPEG": 240}


@contextmanager
def open_movie(
    path: str | os.PathLike[str], *, size: tuple[int, int], fps: int
) -> Generator[Callable[[npt.NDArray[np.uint8]], None], None, None]:
    """While the block lasts, a function that appends frames (h w or h w c, uint8); then the movie is whole.

    Args:
        path: ends in ``.gif`` or ``.mp4``.
        size: height and width of the movie, in pixels; other frames are resized. MP4 wants even numbers: where they are
            odd, the last row or column is repeated.
        fps: frames per second. In a GIF a frame lasts a whole number of hundredths of a second, the nearest one.

    Raises:
        ArgumentError: the path has another ending.
        ParameterError: ``fps`` is below 1, or above 240; above 50 for a GIF, which players would show at 10.
        MissingExtraError: imageio, or for MP4 its ffmpeg, is not installed.
        StorageError: the file cannot be written; a movie that was there before stays.
    """
    target = Path(path)
    form = movie_format(target, fps)
    height, width = size
    spare = tuple((0, n % 2 if form == "FFMPEG" else 0) for n in (height, width, 0))
    with replacing(target) as draft, _writer(draft, form, fps) as append:

        def add(frame: npt.NDArray[np.uint8]) -> None:
            picture = Image.fromarray(frame).convert("RGB")
            if picture.size != (width, height):
                picture = picture.resize((width, height), Image.Resampling.BICUBIC)
            append(np.pad(np.asarray(picture), spare, mode="edge"))

        yield add


def movie_format(path: str | os.PathLike[str], fps: int) -> str:
    """imageio's name for the form of a movie, which it tells by its ending.

    Raises:
        ArgumentError, ParameterError: as :func:`open_movie` says.
    """
    ending = Path(path).suffix.lower()
    if ending not in _FORMATS:
        raise ArgumentError(f"{path} is no movie that can be written; name it .gif or .mp4")
    form = _FORMATS[ending]
    check(1 <= fps <= _MOST_FPS[form], "fps", fps, f"frames per second from 1 to {_MOST_FPS[form]} for a {ending}")
    return form


@contextmanager
def _writer(path: Path, form: str, fps: int) -> Generator[Callable[[Any], Any], None, None]:
    # GIF counts in hundredths of a second; what lies between would be cut, and below two players take their own pace.
    options: dict[str, Any] = {"duration": 10 * max(2, round(100 / fps)), "loop": 0}
    try:
        import imageio.v2 as imageio

        if form == "FFMPEG":
            import imageio_ffmpeg  # noqa: F401  # pyright: ignore[reportUnusedImport]

            options = {"fps": fps, "macro_block_size": 2, "quality": 8}
    except ImportError:
        raise MissingExtraError("movies", "video") from None
    opened: Any = imageio.get_writer(path, format=form, mode="I", **options)  # pyright: ignore[reportArgumentType]
    with opened as writer:
        yield writer.append_data
