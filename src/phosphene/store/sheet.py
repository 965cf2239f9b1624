"""Contact sheets: many pictures in one, in rows, each with a caption."""

from __future__ import annotations

from collections.abc import Sequence

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
    height = max(image.shape[0] for image in images)
    width = max(image.shape[1] for image in images)
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
        sheet.paste(Image.fromarray(image).convert("RGB"), at)
        for n, line in enumerate(lines[index]):
            draw.text((left, top + height + n * _LINE), _fitting(line, width, font), fill=_INK, font=font)
    return np.asarray(sheet)


def _fitting(text: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """The longest start of ``text`` that is at most ``width`` pixels wide, with an ellipsis where it was cut."""
    if font.getlength(text) <= width:
        return text
    n = next((n for n in range(len(text) - 1, 0, -1) if font.getlength(f"{text[:n]}…") <= width), 0)
    return f"{text[:n]}…"
