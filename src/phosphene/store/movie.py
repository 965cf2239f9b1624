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

from phosphene.errors import ArgumentError, MissingExtraError
from phosphene.store.atomic import replacing

_FORMATS = {".gif": "GIF", ".mp4": "FFMPEG"}


@contextmanager
def open_movie(
    path: str | os.PathLike[str], *, size: tuple[int, int], fps: int
) -> Generator[Callable[[npt.NDArray[np.uint8]], None], None, None]:
    """While the block lasts, a function that appends frames (h w or h w c, uint8); then the movie is whole.

    Args:
        path: ends in ``.gif`` or ``.mp4``.
        size: height and width of the movie, in pixels; other frames are resized. MP4 wants even numbers, and gets the
            next ones.
        fps: frames per second.

    Raises:
        ArgumentError: the path has another ending.
        MissingExtraError: imageio, or for MP4 its ffmpeg, is not installed.
        StorageError: the file cannot be written; a movie that was there before stays.
    """
    target = Path(path)
    if target.suffix.lower() not in _FORMATS:
        raise ArgumentError(f"{target} is no movie that can be written; name it .gif or .mp4")
    height, width = (n + n % 2 for n in size)
    with replacing(target) as draft, _writer(draft, _FORMATS[target.suffix.lower()], fps) as append:

        def add(frame: npt.NDArray[np.uint8]) -> None:
            picture = Image.fromarray(frame).convert("RGB")
            if picture.size != (width, height):
                picture = picture.resize((width, height), Image.Resampling.BICUBIC)
            append(np.asarray(picture))

        yield add


@contextmanager
def _writer(path: Path, form: str, fps: int) -> Generator[Callable[[Any], Any], None, None]:
    options: dict[str, Any] = {"duration": 1000 / fps, "loop": 0}
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
