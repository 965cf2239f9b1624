"""Small pictures of many units in one file: sheets of a layer's grid, and the mosaic that stands for a layer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from phosphene.errors import StorageError
from phosphene.store.atlas.records import Picture, Variant
from phosphene.store.tiles import cut_tile
from phosphene.store.webp import decode_webp, encode_webp
from phosphene.web.atlas_scripts import Document
from phosphene.web.atlas_view import AtlasView

Pixels = npt.NDArray[np.uint8]

TILE, COLUMNS, ROWS = 64, 16, 8  # pixels, tiles, tiles: decoded, a sheet takes 2 MiB
_MOSAIC_TILE, _MOSAIC_ROWS = 32, 6
_FEW_TILE = 64  # in a mosaic of less than a row, which is shown larger
_QUALITY = 80


def sheet_rows(n: int) -> int:
    """Rows of every sheet of a layer of ``n`` units."""
    return max(1, min(ROWS, -(-n // COLUMNS)))


def n_sheets(n: int) -> int:
    """Sheets of a layer of ``n`` units."""
    return -(-n // (COLUMNS * ROWS))


def sheets_document(n: int, names: Sequence[str]) -> Document:
    """What a page needs to find the tile of the i-th of ``n`` units in files of these names."""
    return {"tile": TILE, "columns": COLUMNS, "rows": sheet_rows(n), "files": list(names)}


def sheet(view: AtlasView, slug: str, *, variant: Variant, number: int) -> bytes:
    """A sheet of the layer's grid (WebP): the tile of a unit is at its place; one without picture is transparent."""
    n = len(view.units(slug))
    size = COLUMNS * ROWS
    places = (number * size, min(n, (number + 1) * size))
    shown = ((place - places[0], picture) for place, picture in view.first_pictures(slug, variant, places))
    return _laid_out(shown, (sheet_rows(n), COLUMNS), TILE)


def mosaic_size(n: int) -> tuple[int, int]:
    """Height and width in pixels of the mosaic of a layer of ``n`` units: whole rows, so that none of it is empty."""
    rows, columns, tile = _mosaic_shape(n)
    return rows * tile, columns * tile


def _mosaic_shape(n: int) -> tuple[int, int, int]:
    """Rows, columns, and pixels of a tile."""
    if n < COLUMNS:
        return 1, max(1, n), _FEW_TILE
    return min(_MOSAIC_ROWS, n // COLUMNS), COLUMNS, _MOSAIC_TILE


def mosaic(view: AtlasView, slug: str) -> bytes:
    """A picture of up to 96 units of a layer (WebP), in whole rows of 16 that follow each other, the rows taken from
    everywhere in the layer; of fewer units, of them all.
    """
    rows, columns, tile = _mosaic_shape(len(view.units(slug)))
    return _laid_out(_spread(view, slug, rows), (rows, columns), tile)


def _spread(view: AtlasView, slug: str, rows: int) -> Iterator[tuple[int, Picture]]:
    n = len(view.units(slug))
    for row in range(rows):
        first = row * COLUMNS if n <= rows * COLUMNS else row * (n - COLUMNS) // max(1, rows - 1)
        span = (first, min(n, first + COLUMNS))
        for place, picture in view.first_pictures(slug, "positive", span):
            yield row * COLUMNS + place - first, picture


def _laid_out(pictures: Iterable[tuple[int, Picture]], size: tuple[int, int], tile: int) -> bytes:
    rows, columns = size
    laid = np.zeros((rows * tile, columns * tile, 4), np.uint8)
    for place, picture in pictures:
        pixels = _pixels(picture)
        if pixels is not None:
            top, left = place // columns * tile, place % columns * tile
            laid[top : top + tile, left : left + tile] = _tile(pixels, tile)
    return encode_webp(laid, quality=_QUALITY)


def _tile(pixels: Pixels, size: int) -> Pixels:
    """A picture (h, w, 3 or 4) as a tile with transparency."""
    if pixels.shape[2] == 3:
        shown = cut_tile(pixels, (0, 0, *pixels.shape[:2]), size)
        return np.dstack([shown, np.full((size, size), 255, np.uint8)])
    side = max(pixels.shape[:2])
    margins = [((side - n) // 2, (side - n + 1) // 2) for n in pixels.shape[:2]]
    square, frame = np.pad(pixels, [*margins, (0, 0)]), (0, 0, side, side)
    # Colours count by how much of them is seen: what is transparent leaves no fringe.
    weighted = (square[:, :, :3] * (square[:, :, 3:] / np.float32(255)) + 0.5).astype(np.uint8)
    opacity = cut_tile(square[:, :, 3], frame, size)[:, :, None]
    colors = cut_tile(weighted, frame, size) * (255 / np.maximum(opacity, 1))
    return np.concatenate([np.clip(colors, 0, 255).astype(np.uint8), opacity], axis=2)


def _pixels(picture: Picture) -> Pixels | None:
    """The picture (h, w, 3 or 4); None where there is none, or it cannot be decoded."""
    if picture.image is None:
        return None
    try:
        return decode_webp(picture.image)
    except StorageError:
        return None
