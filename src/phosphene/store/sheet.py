"""Contact sheets: many pictures in one, in rows, each with a caption."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain, product

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from phosphene.errors import ImageError

_GAP = 8  # pixels between pictures and around them
_LINE = 16  # pixels from one line of a caption to the next
_FONT = 12  # pixels
_PAPER, _INK = (250, 248, 244), (28, 27, 25)


def contact_sheet(
    images: Sequence[npt.NDArray[np.uint8]], captions: Sequence[str], *, columns: int
) -> npt.NDArray[np.uint8]:
    """One picture (h, w, 3) of ``images`` (uint8; h w or h w c), ``columns`` in a row, each above its caption.

    Pictures keep their size; smaller ones stand in the middle of their cell. Captions may have several lines; long
    lines are cut. Where all are empty no room is left for them.

    Raises `ImageError` where there is no image, or not one caption for each.
    """
    if not images or len(images) != len(captions) or columns < 1:
        raise ImageError(
            f"{len(images)} images, {len(captions)} captions and {columns} columns make no sheet; "
            "expected at least one image, a caption for each, and at least one column"
        )
    lines = [caption.splitlines() for caption in captions]
    height, width = _largest(images)
    below = _LINE * max(map(len, lines))
    n_columns = min(columns, len(images))
    n_rows = -(-len(images) // n_columns)
    sheet = Image.new("RGB", (_GAP + n_columns * (width + _GAP), _GAP + n_rows * (height + below + _GAP)), color=_PAPER)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(_FONT)
    for index, image in enumerate(images):
        row, column = divmod(index, n_columns)
        left, top = _GAP + column * (width + _GAP), _GAP + row * (height + below + _GAP)
        at = (left + (width - image.shape[1]) // 2, top + (height - image.shape[0]) // 2)
        _paste(sheet, image, at)
        for n, line in enumerate(lines[index]):
            draw.text((left, top + height + n * _LINE), _fitting(line, width, font), fill=_INK, font=font)
    return np.asarray(sheet)


def labeled_sheet(
    images: Sequence[Sequence[npt.NDArray[np.uint8]]],
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    title: str = "",
) -> npt.NDArray[np.uint8]:
    """One picture (h, w, 3) of a table of ``images`` (uint8; h w or h w c): the name of each row on its left, that of
    each column above it, and over everything a title, if there is one.

    Pictures keep their size; smaller ones stand in the middle of their cell. Long names of columns and titles are cut.

    Raises `ImageError` where there is no image, or the names do not fit the table.
    """
    _check_table([len(row) for row in images], len(rows), len(columns))
    pictures = list(chain.from_iterable(images))
    height, width = _largest(pictures)
    font = ImageFont.load_default(_FONT)
    beside = _GAP + math.ceil(max(font.getlength(name) for name in rows))
    above = _GAP + _LINE * (2 if title else 1) + _GAP // 2
    size = (beside + _GAP + len(columns) * (width + _GAP), above + len(rows) * (height + _GAP))
    sheet = Image.new("RGB", size, color=_PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((_GAP, _GAP), _fitting(title, size[0] - 2 * _GAP, font), fill=_INK, font=font)
    lefts = range(beside + _GAP, size[0], width + _GAP)
    tops = range(above, size[1], height + _GAP)
    for left, name in zip(lefts, columns, strict=True):
        draw.text((left, above - _GAP // 2 - _LINE), _fitting(name, width, font), fill=_INK, font=font)
    for top, name in zip(tops, rows, strict=True):
        draw.text((_GAP, top + (height - _FONT) // 2), name, fill=_INK, font=font)
    for (top, left), image in zip(product(tops, lefts), pictures, strict=True):
        _paste(sheet, image, (left + (width - image.shape[1]) // 2, top + (height - image.shape[0]) // 2))
    return np.asarray(sheet)


def _check_table(found: Sequence[int], n_rows: int, n_columns: int) -> None:
    """Refuse a table whose rows have ``found`` pictures where there are other numbers of names."""
    if not n_rows or not n_columns or list(found) != [n_columns] * n_rows:
        raise ImageError(
            f"rows of {list(found)} images, {n_rows} names of rows and {n_columns} names of columns make no table; "
            "expected a name for each row and column, and as many images in each row as there are columns"
        )


def _largest(images: Sequence[npt.NDArray[np.uint8]]) -> tuple[int, int]:
    """The greatest height and the greatest width."""
    return max(image.shape[0] for image in images), max(image.shape[1] for image in images)


def _paste(sheet: Image.Image, image: npt.NDArray[np.uint8], at: tuple[int, int]) -> None:
    """Put a picture onto the sheet; where it is transparent the paper shows."""
    picture = Image.fromarray(image).convert("RGBA")
    sheet.paste(picture, at, picture)


def _fitting(text: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """The longest start of ``text`` that is at most ``width`` pixels wide, with an ellipsis where it was cut."""
    if font.getlength(text) <= width:
        return text
    n = next((n for n in range(len(text) - 1, 0, -1) if font.getlength(f"{text[:n]}…") <= width), 0)
    return f"{text[:n]}…"
