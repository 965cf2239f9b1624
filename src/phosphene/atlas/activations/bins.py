"""The plane cut into squares, and what lies in each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from phosphene.atlas.activations.layout import Points
from phosphene.atlas.activations.sampling import Floats, Whole


@dataclass(frozen=True, eq=False)
class Bin:
    """A square of the plane.

    Attributes:
        row, column: its place; row 0 is on top.
        members: row numbers of the activations in it, ascending.
    """

    row: int
    column: int
    members: Whole


def bins(points: Points, size: int, *, least: int = 1) -> tuple[Bin, ...]:
    """The squares of a ``size`` × ``size`` grid that hold at least so many points, row by row.

    Args:
        points: (n, 2): x to the right and y down, in [0, 1]; 1 belongs to the last square.
        size: squares along each side.
        least: squares of fewer points are left out.
    """
    x, y = np.minimum((points * size).astype(np.int64), size - 1).T
    squares = y * size + x
    order = np.argsort(squares, kind="stable")
    numbers, starts = np.unique(squares[order], return_index=True)
    groups = np.split(order, starts[1:])
    return tuple(
        Bin(int(number) // size, int(number) % size, members)
        for number, members in zip(numbers, groups, strict=True)
        if len(members) >= least
    )


def means(vectors: Floats, found: tuple[Bin, ...]) -> Floats:
    """The mean of the vectors in each square (squares, channels)."""
    rows = [vectors[each.members].mean(0, dtype=np.float64) for each in found]
    return np.array(rows, np.float32).reshape(len(found), vectors.shape[1])


def whitening(vectors: Floats, *, ridge: float) -> Floats:
    """The inverse of ``XᵀX / n``, by which directions are multiplied so that what all activations share counts for less
    (Lucid's activation atlas); symmetric (channels, channels).

    Args:
        vectors: the activations X (n, channels).
        ridge: how many times the channels' mean square every channel gets besides: of none, channels that are always
            silent, or fewer vectors than channels, have no inverse; of more, the less is taken from what all share.
    """
    table = vectors.astype(np.float64)
    products = table.T @ table / len(table)
    extra = ridge * np.trace(products) / len(products)
    return np.linalg.inv(products + max(extra, np.finfo(np.float32).tiny) * np.eye(len(products))).astype(np.float32)
