"""An activation atlas as the documents that its page reads."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

import numpy as np

from phosphene.store.atlas.activation_map import ActivationAtlas, ActivationGrid, ActivationMap
from phosphene.web.activations_classes import class_names
from phosphene.web.activations_sheets import BLOCK, Block, blocks, tile_side
from phosphene.web.atlas_scripts import Document, rounded

DENSITY_SIDE = 128  # squares along a side of the picture of where the activations lie


def atlas_document(atlas: ActivationAtlas, *, title: str, home: str | None) -> Document:
    """What the page is of; the grids' cells come apart from it. ``home`` is an address that a link leads back to."""
    return {
        "title": title,
        "home": home,
        "classes": class_names(atlas.maps)[0],
        "maps": [_map(one, number) for number, one in enumerate(atlas.maps)],
    }


def grid_document(grid: ActivationGrid, number: int, places: Mapping[int, int]) -> Document:
    """The cells of a grid of the map ``number``, column by column; ``places`` says where in the page's list a class of
    the map stands.
    """
    cells = grid.cells
    return {
        "size": grid.size,
        "tile": tile_side(grid),
        "block": BLOCK,
        "sheets": {f"{row}-{column}": sheet_file(number, grid.size, (row, column)) for row, column in blocks(grid)},
        "row": [cell.row for cell in cells],
        "column": [cell.column for cell in cells],
        "count": [cell.count for cell in cells],
        "pictured": [int(cell.image is not None) for cell in cells],
        "status": [cell.status for cell in cells],
        "classes": [[(places[index], rounded(value, 4)) for index, value in cell.classes] for cell in cells],
        "examples": [cell.examples for cell in cells],
    }


def grid_file(number: int, size: int) -> str:
    """Where the cells of a grid lie in the page's folder."""
    return f"data/map-{number}-grid-{size}.js"


def sheet_file(number: int, size: int, block: Block) -> str:
    """Where a sheet of a grid's pictures lies in the page's folder."""
    return f"sheets/map-{number}-grid-{size}/{block[0]}-{block[1]}.webp"


def _map(one: ActivationMap, number: int) -> Document:
    return {
        "network": one.network,
        "digest": one.network_digest,
        "layer": one.layer,
        "n_activations": one.n_activations,
        "n_images": one.n_images,
        "settings": one.settings,
        "density": _density(one.points),
        "grids": [{"size": grid.size, "file": grid_file(number, grid.size)} for grid in one.grids],
    }


def _density(points: Sequence[tuple[float, float]]) -> Document | None:
    """How densely the points lie in squares of the plane, row by row, 0 to 255: by the root, as a few hold most."""
    if not points:
        return None
    places = np.clip((np.asarray(points) * DENSITY_SIDE).astype(np.int64), 0, DENSITY_SIDE - 1)
    counts = np.bincount(places[:, 1] * DENSITY_SIDE + places[:, 0], minlength=DENSITY_SIDE**2)
    levels = np.rint(255 * np.sqrt(counts / counts.max())).astype(np.uint8)
    return {"side": DENSITY_SIDE, "data": base64.b64encode(levels.tobytes()).decode("ascii")}
