"""An activation atlas that nobody computed: for tests of its files and of its pages. Neither torch nor a network."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from phosphene.store.atlas.activation_map import ActivationAtlas, ActivationCell, ActivationGrid, ActivationMap

LABELS = ("tabby", "golden retriever", "espresso", "sports car", "seashore", "</script><b>&\u2028daisy")


def made_up_atlas(n_maps: int = 1, grids: tuple[int, ...] = (4, 8), size: int = 16, seed: int = 0) -> ActivationAtlas:
    """One map, or several whose cells lie at the same places.

    Cells are missing beyond a disc; one in each grid could not be rendered. A cell's colour is its place, so that a picture
    of the page shows whether every cell is where it belongs: red grows to the right, green downwards, blue is the map.
    """
    return ActivationAtlas(tuple(_map(number, grids, size, seed) for number in range(n_maps)))


def _map(number: int, grids: tuple[int, ...], size: int, seed: int) -> ActivationMap:
    draw = np.random.default_rng(seed)
    points = np.clip(0.5 + 0.22 * draw.normal(size=(500, 2)), 0, 1).round(4)
    return ActivationMap(
        network=f"made_up_{number}",
        network_digest=f"{number}" * 64,
        layer=f"blocks.{8 + number}",
        n_activations=12_000,
        n_images=1_000,
        labels=LABELS,
        grids=tuple(_grid(n, number, size, np.random.default_rng([seed, n])) for n in grids),
        points=tuple((float(x), float(y)) for x, y in points),
        settings=(
            ("layout", "UMAP: 50 neighbours, least distance 0.05, cosine"),
            ("icons", f"{size} px"),
            ("seed", str(seed)),
        ),
    )


def _grid(n: int, number: int, size: int, draw: np.random.Generator) -> ActivationGrid:
    places = [(row, column) for row in range(n) for column in range(n)]
    inside = [(r, c) for r, c in places if (r + 0.5 - n / 2) ** 2 + (c + 0.5 - n / 2) ** 2 <= (0.55 * n) ** 2]
    return ActivationGrid(n, tuple(_cell(i, place, n, number, size, draw) for i, place in enumerate(inside)))


def _cell(i: int, place: tuple[int, int], n: int, number: int, size: int, draw: np.random.Generator) -> ActivationCell:
    row, column = place
    lacks = i == 3
    strengths = np.sort(draw.normal(2, 1, len(LABELS)))[::-1].round(3)
    order = draw.permutation(len(LABELS))
    return ActivationCell(
        row=row,
        column=column,
        count=int(draw.integers(5, 400)),
        image=None if lacks else _picture((row + 0.5) / n, (column + 0.5) / n, number, size, draw),
        status="dead: the mean of its activations is zero" if lacks else "ok",
        classes=tuple((int(k), float(v)) for k, v in zip(order, strengths, strict=True)),
        examples=tuple(f"n{draw.integers(10**7):08d}_photograph {j}.jpg" for j in range(4)),
    )


def _picture(down: float, right: float, number: int, size: int, draw: np.random.Generator) -> bytes:
    pixels = np.empty((size, size, 3), np.uint8)
    pixels[:] = (255 * right, 255 * down, 90 * (number + 1))
    pixels[size // 4 : -size // 4, size // 4 : -size // 4] //= 2
    pixels[0, 0] = draw.integers(0, 255, 3)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="WEBP", lossless=True)
    return buffer.getvalue()
