"""The pictures of a grid's cells on sheets, so that a page loads only those in view, and many at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from phosphene.errors import StorageError
from phosphene.store.atlas.activation_map import ActivationCell, ActivationGrid
from phosphene.store.webp import decode_webp, encode_webp

Pixels = npt.NDArray[np.uint8]
#: Row and column of a sheet among those of its grid.
Block = tuple[int, int]

#: Cells along a side of a sheet: at 96 pixels a sheet is as wide as a window, and the finest grid has 25 of them.
BLOCK = 8
#: A second loss: high enough that it is not seen.
QUALITY = 90


def blocks(grid: ActivationGrid) -> Mapping[Block, tuple[ActivationCell, ...]]:
    """The cells with a picture, by the sheet that they stand on; sheets without any are left out."""
    found: dict[Block, list[ActivationCell]] = {}
    for cell in grid.cells:
        if cell.image is not None:
            found.setdefault((cell.row // BLOCK, cell.column // BLOCK), []).append(cell)
    return {block: tuple(found[block]) for block in sorted(found)}


def tile_side(grid: ActivationGrid) -> int:
    """Pixels along a side of the first picture that can be read; 1 where there is none."""
    for cell in grid.cells:
        pixels = _pixels(cell)
        if pixels is not None:
            return max(pixels.shape[:2])
    return 1


def sheet(cells: Iterable[ActivationCell], side: int) -> bytes:
    """A WebP of 8 × 8 tiles, each ``side`` pixels wide and high; where there is no picture, or none that can be read,
    it is transparent. A picture of another size is stretched to its tile.
    """
    made = np.zeros((BLOCK * side, BLOCK * side, 4), np.uint8)
    for cell in cells:
        pixels = _pixels(cell)
        if pixels is not None:
            top, left = (cell.row % BLOCK) * side, (cell.column % BLOCK) * side
            made[top : top + side, left : left + side] = _fitted(pixels, side)
    return encode_webp(made, quality=QUALITY)


def _pixels(cell: ActivationCell) -> Pixels | None:
    if cell.image is None:
        return None
    try:
        return decode_webp(cell.image)
    except StorageError:
        return None


def _fitted(pixels: Pixels, side: int) -> Pixels:
    """The picture as red, green, blue and opacity (side, side, 4)."""
    rows, columns = (np.arange(side) * n // side for n in pixels.shape[:2])
    scaled = pixels[rows][:, columns]
    if scaled.shape[2] == 4:
        return scaled
    return np.concatenate((scaled, np.full((side, side, 1), 255, np.uint8)), axis=2)
