"""Sheets of labelled pictures, in strips under headings."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

import phosphene as ph
from phosphene import store
from phosphene.recipes import Sheet
from phosphene.render.display import to_uint8

Pixels = npt.NDArray[np.uint8]
#: Pixels: of a title's letters, of a heading's, and the room of each.
_TITLE, _HEADING = (20, 36), (14, 24)
_PAPER, _INK = (250, 248, 244), (28, 27, 25)
_GAP = 8
#: Characters of a caption in 100 pixels.
_PER_100 = 15


@dataclass(frozen=True)
class Picture:
    """A picture and its caption.

    Attributes:
        image: (c, h, w) in [0, 1], of four channels with opacity last; or 8-bit pixels as they are.
        caption: what is written below; long lines are broken.
    """

    image: Tensor | Pixels
    caption: str

    def pixels(self, width: int) -> Pixels:
        """8-bit pixels (h, w, 3 or 4), ``width`` wide."""
        if isinstance(self.image, np.ndarray):
            return self.image
        image = self.image
        height = round(image.shape[1] * width / image.shape[2])
        if image.shape[2] != width:
            image = F.interpolate(image[None], (height, width), mode="bicubic", align_corners=False, antialias=True)[0]
        return to_uint8(image.clamp(0, 1), alpha=image.shape[0] == 4)

    def lines(self, width: int) -> str:
        """The caption in lines that fit below the picture."""
        most = width * _PER_100 // 100
        return "\n".join(line for given in self.caption.splitlines() for line in textwrap.wrap(given, most))


@dataclass(frozen=True)
class Strip:
    """Pictures under a heading.

    Attributes:
        heading: the method, and what is to be said of all pictures.
        pictures: the pictures.
        width: of each, in pixels.
    """

    heading: str
    pictures: Sequence[Picture]
    width: int = 176

    def pixels(self, room: int) -> Pixels:
        """The strip as one picture, about ``room`` pixels wide."""
        columns = max(1, (room - _GAP) // (self.width + _GAP))
        shown = [picture.pixels(self.width) for picture in self.pictures]
        return store.contact_sheet(shown, [p.lines(self.width) for p in self.pictures], columns=columns)


def of_result(result: ph.Result, captions: Iterable[str] = (), *, score: str = "score") -> list[Picture]:
    """The pictures of a render with the names of their units, or other captions, and their scores."""
    names = list(captions) or list(result.names)
    return [
        Picture(image, f"{name}\n{score} {value:.3g}")
        for image, name, value in zip(result.images, names, result.final_scores.tolist(), strict=True)
    ]


def of_sheet(sheet: Sheet) -> list[Picture]:
    """The cells of a table, row by row."""
    return [
        Picture(image, f"{row}\n{column}")
        for row, images in zip(sheet.rows, sheet.images, strict=True)
        for column, image in zip(sheet.columns, images, strict=True)
    ]


def composed(title: str, strips: Sequence[Strip], *, room: int = 1112) -> Image.Image:
    """All strips below each other, under a title."""
    blocks = [(strip.heading, Image.fromarray(strip.pixels(room))) for strip in strips]
    width = max(room, *(block.width for _, block in blocks))
    height = _GAP + _TITLE[1] + sum(_HEADING[1] + block.height for _, block in blocks)
    sheet = Image.new("RGB", (width, height), color=_PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((_GAP, _GAP), title, fill=_INK, font=ImageFont.load_default(_TITLE[0]))
    top = _GAP + _TITLE[1]
    for heading, block in blocks:
        draw.text((_GAP, top), heading, fill=_INK, font=ImageFont.load_default(_HEADING[0]))
        sheet.paste(block, (0, top + _HEADING[1] - _GAP // 2))
        top += _HEADING[1] + block.height
    return sheet
