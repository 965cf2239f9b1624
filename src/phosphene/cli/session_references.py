"""Reference images as a session shows them: cut to the shape of the evolved ones, and grey where those are."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Generator
from pathlib import Path

import numpy as np
from jaxtyping import Float
from torch import Tensor

from phosphene import store
from phosphene.cli import console
from phosphene.exchange import Display
from phosphene.store.photographs import SUFFIXES

_SHOWN = 5  # sentences about pictures that are cut


@contextlib.contextmanager
def prepared(folder: Path, size: tuple[int, int], *, is_grey: bool) -> Generator[Path, None, None]:
    """While the block lasts, a folder of the pictures as they are shown; says which of them are cut.

    Args:
        folder: the pictures' own; one without pictures is given back as it is.
        size: height and width whose ratio the pictures are brought to, by cutting off what lies beyond the middle part.
        is_grey: whether colours become greys of their luma.

    Raises:
        StorageError: a picture cannot be read.
    """
    paths = _pictures(folder)
    if not paths:
        yield folder  # whoever takes them in says what is wrong with it
        return
    names = store.distinct_stems(path.stem for path in paths)
    sentences: list[str] = []
    with tempfile.TemporaryDirectory(prefix="phosphene-") as made:
        for name, path in zip(names, paths, strict=True):
            image = store.read_image(path)
            part = middle(image, size)
            if part.shape != image.shape:
                sentences.append(_cut(path.name, image, part))
            shown = Display(grayscale=is_grey).compose(part)
            levels = shown.mul(255).round().permute(1, 2, 0).numpy().astype(np.uint8)
            store.write_png(Path(made) / f"{name}.png", np.ascontiguousarray(levels))
        _say(sentences, is_grey=is_grey, size=size)
        yield Path(made)


def middle(image: Float[Tensor, "c h w"], size: tuple[int, int]) -> Float[Tensor, "c p q"]:
    """The largest middle part of an image whose height is to its width as ``size`` has it, to the nearest pixel."""
    height, width = image.shape[1:]
    rows = min(height, max(1, round(width * size[0] / size[1])))
    columns = min(width, max(1, round(height * size[1] / size[0])))
    top, left = (height - rows) // 2, (width - columns) // 2
    return image[:, top : top + rows, left : left + columns]


def _pictures(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    # A dot begins the companions that some systems lay beside files.
    found = (path for path in folder.iterdir() if not path.name.startswith(".") and path.suffix.lower() in SUFFIXES)
    return sorted(path for path in found if path.is_file())


def _cut(name: str, image: Tensor, part: Tensor) -> str:
    (height, width), (rows, columns) = image.shape[1:], part.shape[1:]
    return f"{name} has {height} × {width} pixels (height × width): its middle {rows} × {columns} are shown"


def _say(sentences: list[str], *, size: tuple[int, int], is_grey: bool) -> None:
    for sentence in sentences[:_SHOWN]:
        console.say(sentence)
    if len(sentences) > _SHOWN:
        console.say(f"{len(sentences) - _SHOWN} more reference images are cut in the same way")
    grey = ", in grey" if is_grey else ""
    console.say(f"reference images are shown with {size[0]} × {size[1]} pixels{grey}")
