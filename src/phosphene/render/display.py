"""Pictures as people see them: 8-bit arrays, Pillow images, notebooks, files."""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from phosphene import store
from phosphene._types import JSON
from phosphene.errors import ArgumentError

if TYPE_CHECKING:
    from PIL.Image import Image

#: What people may take for a picture's name here; any other suffix may be that of a folder.
_OTHER_FORMATS = frozenset({".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff"})

Pixels = np.ndarray[Any, np.dtype[np.uint8]]


def to_uint8(image: Float[Tensor, "c h w"], *, alpha: bool = False) -> Pixels:
    """An image in [0, 1] as 8-bit (h, w) for one channel, else (h, w, 3): a missing third channel is black, further
    ones are not shown. With ``alpha`` the last of two or four channels is opacity: (h, w, 4).
    """
    if alpha and image.shape[0] == 2:
        image = image[[0, 0, 0, 1]]
    shown = 4 if alpha else 3
    values = image.detach().clamp(0, 1).mul(255).round().permute(1, 2, 0).cpu().numpy().astype(np.uint8)
    if values.shape[2] == 1:
        return values[:, :, 0]
    return np.pad(values[:, :, :shown], ((0, 0), (0, 0), (0, max(0, shown - values.shape[2]))))


def to_pil(image: Float[Tensor, "c h w"]) -> Image:
    """An image in [0, 1] as an 8-bit Pillow image."""
    from PIL import Image

    return Image.fromarray(to_uint8(image))


def contact_sheet(images: Sequence[Pixels], captions: Sequence[str], columns: int | None) -> Image:
    """Pictures on one sheet, about a square unless ``columns`` says otherwise."""
    from PIL import Image

    return Image.fromarray(store.contact_sheet(images, captions, columns=columns or math.ceil(math.sqrt(len(images)))))


def figure_html(image: Pixels, lines: Sequence[str]) -> str:
    """A picture and what is to be said of it, as a piece of a page."""
    data = base64.b64encode(store.encode_png(image)).decode("ascii")
    said = [html.escape(line) for line in lines]
    style = "display:inline-block;margin:4px;text-align:center"
    picture = f'<img alt="{said[0]}" src="data:image/png;base64,{data}">'
    return f'<figure style="{style}">{picture}<figcaption>{"<br>".join(said)}</figcaption></figure>'


def save_pictures(
    path: Path, images: Sequence[Pixels], *, names: Sequence[str], documents: Sequence[Mapping[str, JSON]]
) -> list[Path]:
    """Write a single picture to the file ``path``, several into the folder ``path``, each with its document.

    Raises:
        StorageError: a file cannot be written; what was written before stays.
        ArgumentError: ``path`` is a file name and there are several pictures.
    """
    single = path.suffix.lower() == ".png"
    if path.suffix.lower() in _OTHER_FORMATS:
        raise ArgumentError(
            f"{path} would not be a PNG, the format that carries recipes; name it {path.with_suffix('.png')}"
        )
    if single and len(images) != 1:
        raise ArgumentError(
            f"{path} is one file, but there are {len(images)} pictures; give a folder, or save result[i]"
        )
    paths = [path] if single else [path / f"{stem}.png" for stem in store.distinct_stems(names)]
    return [store.write_png(p, i, d) for p, i, d in zip(paths, images, documents, strict=True)]
