"""Tiles: the gradient of a large image, piece by piece."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple, get_args

from phosphene._component import Component, check

Mode = Literal["cover", "tensorflow", "matlab"]


class Tile(NamedTuple):
    """A rectangle of pixels: rows ``top`` to ``bottom``, columns ``left`` to ``right``, the ends not included."""

    top: int
    left: int
    bottom: int
    right: int


@dataclass(frozen=True)
class Tiles(Component):
    """The gradient of an image in tiles, so that memory depends on the tile and not on the image.

    Every tile is scored by itself, and the gradients are added: of an objective that is a mean over positions the sum
    is as many times larger as there are tiles, of a penalty that is a sum over pixels it is what the whole image gives.
    So a penalty's weight must grow with the number of tiles to count as much as beside the whole image.

    A tile sees nothing beyond its edge, so the image is rolled by a random shift before it is cut and the gradient
    rolled back; over the steps the seams fall everywhere.

    Attributes:
        height: rows of a tile, in pixels.
        width: columns of a tile, in pixels.
        mode: how an image is cut, always with whole tiles unless said otherwise:
            "cover" spaces tiles evenly so that they cover every pixel and end at the borders; neighbours may overlap,
            and the gradient is the mean of those that see a pixel;
            "tensorflow" cuts as the published DeepDream in TensorFlow: without overlap, the last tile may be a part,
            and a remainder of up to half a tile gets no gradient in this step;
            "matlab" pads the image with zeros at its ends to a multiple of the tile, and cuts without overlap.
        roll: shift the image at random in every step, by less than a tile; where the image fits into one, that is a
            jitter, which MATLAB's way does without.
    """

    cites: ClassVar[tuple[str, ...]] = ("mordvintsev2015inceptionism", "mathworks2016deepdreamimage")

    height: int = 512
    width: int = 512
    mode: Mode = "cover"
    roll: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("height", "width"):
            check(0 < getattr(self, name) <= 2**14, name, getattr(self, name), "a whole number from 1 to 16384")
        check(self.mode in get_args(Mode), "mode", self.mode, f"one of {list(get_args(Mode))}")

    def fits(self, height: int, width: int) -> bool:
        """Whether an image is no larger than a tile, so that its whole gradient is taken at once."""
        return height <= self.height and width <= self.width

    def places(self, height: int, width: int) -> tuple[Tile, ...]:
        """The tiles of an image of ``height`` × ``width`` pixels, row by row, within its :meth:`padded` size.

        >>> Tiles(512, 512).places(512, 768)
        (Tile(top=0, left=0, bottom=512, right=512), Tile(top=0, left=256, bottom=512, right=768))
        """
        tall, wide = self.padded(height, width)
        rows, columns = self._starts(tall, self.height), self._starts(wide, self.width)
        return tuple(
            Tile(top, left, min(top + self.height, tall), min(left + self.width, wide))
            for top in rows
            for left in columns
        )

    def padded(self, height: int, width: int) -> tuple[int, int]:
        """Height and width to which the image is padded with zeros at its ends before it is cut."""
        if self.mode != "matlab" or self.fits(height, width):
            return height, width
        return math.ceil(height / self.height) * self.height, math.ceil(width / self.width) * self.width

    def shift_range(self, height: int, width: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """Smallest and largest shift by which rows, and columns, are rolled; both included."""
        return self._shifts(self.height, height, width), self._shifts(self.width, height, width)

    def _shifts(self, tile: int, height: int, width: int) -> tuple[int, int]:
        if not self.roll:
            return 0, 0
        if self.mode == "matlab":
            return (0, 0) if self.fits(height, width) else (1, tile)
        # Where the image fits into a tile the roll has no seam to hide, but is the method's jitter.
        return 0, tile - 1

    def _starts(self, extent: int, tile: int) -> tuple[int, ...]:
        """Where tiles begin along an axis of ``extent`` pixels."""
        if self.mode == "tensorflow":
            return tuple(range(0, max(extent - tile // 2, tile), tile))
        n = math.ceil(extent / tile)
        return (0,) if n == 1 else tuple(round(i * (extent - tile) / (n - 1)) for i in range(n))
