"""Units whose pictures are alike: cosines of all pairs, block by block."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from phosphene.store.atlas.records import Link

#: How many units are named for each.
N_SIMILAR = 8
#: Cosines that are held at once; 32 MB.
_COSINES = 8 * 1024 * 1024


def similar_units(
    layer: str, units: npt.NDArray[Any], vectors: npt.NDArray[np.float32], *, n: int = N_SIMILAR
) -> Mapping[int, tuple[Link, ...]]:
    """For each unit those of its layer whose pictures are most alike, the most alike first.

    What all pictures of the layer have in common is taken away first. Memory grows with the number of units, not with
    its square.

    Args:
        layer: the units' layer.
        units: their numbers (m,).
        vectors: where their pictures lie (m, d).
        n: how many others are named at most.

    Returns the units by number; strength is the cosine, -1 to 1. A picture that lies where the mean does is like none.
    """
    if not len(units):
        return {}
    centred = vectors.astype(np.float64) - vectors.mean(0, dtype=np.float64)
    norms = np.linalg.norm(centred, axis=1, keepdims=True)
    # What rounding leaves of equal vectors is no direction.
    is_placed = norms[:, 0] > 1e-6 * np.abs(vectors).max(initial=0)
    unit_length = (centred / np.where(norms > 0, norms, 1)).astype(np.float32)[is_placed]
    placed = units[is_placed]
    found: dict[int, tuple[Link, ...]] = {}
    step = max(1, _COSINES // max(len(placed), 1))
    for start in range(0, len(placed), step):
        rows = np.arange(start, min(start + step, len(placed)))
        cosines = unit_length[rows] @ unit_length.T
        cosines[np.arange(len(rows)), rows] = -np.inf
        for row, best in zip(rows.tolist(), _largest(cosines, min(n, len(placed) - 1)), strict=True):
            strengths = cosines[row - start, best].clip(-1, 1).tolist()
            named = zip(placed[best].tolist(), strengths, strict=True)
            found[int(placed[row])] = tuple(Link(layer, unit, strength) for unit, strength in named)
    return found


def _largest(values: npt.NDArray[np.float32], n: int) -> npt.NDArray[np.int64]:
    """Places of the n largest values of each row, the largest first, of equal ones the first."""
    best, places = (found.numpy() for found in torch.from_numpy(values).topk(n, 1))
    order = np.lexsort((places, -best))
    return np.take_along_axis(places, order, 1)
