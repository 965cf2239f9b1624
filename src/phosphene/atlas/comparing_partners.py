"""For each unit of one network, the unit of another that answers the same photographs most alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from phosphene.atlas.comparing_answers import AnswerFile

_Array = npt.NDArray[np.float64]
#: Products of a block of units that are held at once; 256 MB.
_PRODUCTS = 32 * 1024 * 1024
#: Relative to the mean: a smaller standard deviation is rounding.
_NO_SPREAD = 1e-7


@dataclass(frozen=True, eq=False)
class Partners:
    """The best partner of each unit of A.

    Attributes:
        places: its place among the units of B (n,); -1 where a unit's answers never change, or none may be its partner.
        r: Pearson's correlation (n,); NaN where there is none.
    """

    places: npt.NDArray[np.int64]
    r: _Array


@dataclass(frozen=True, eq=False)
class _Moments:
    """Mean and standard deviation times the root of n, of each unit; the latter infinite where answers never change."""

    mean: _Array
    norm: _Array


def partners(a: AnswerFile, b: AnswerFile, allowed: npt.NDArray[np.bool_], groups: tuple[_Ints, _Ints]) -> Partners:
    """The partners of the units of A among those of B.

    Args:
        a, b: what they answer.
        allowed: whether units of a group of A may have partners in a group of B (groups of A, groups of B).
        groups: the group of each unit of A, and of each of B.

    Memory does not grow with the number of photographs.
    """
    images = np.intersect1d(a.images, b.images)
    moments = _moments(a, images), _moments(b, images)
    step = max(1, _PRODUCTS // max(len(b.units), 1))
    places, r = np.full(len(a.units), -1), np.full(len(a.units), np.nan)
    for start in range(0, len(a.units), step):
        block = slice(start, start + step)
        found = _correlations(a, b, images, block=block, moments=moments)
        found[~allowed[groups[0][block][:, None], groups[1]]] = -np.inf
        if found.shape[1]:
            best = found.argmax(1)
            value = np.take_along_axis(found, best[:, None], 1)[:, 0]
            places[block] = np.where(np.isfinite(value), best, -1)
            r[block] = np.where(np.isfinite(value), value, np.nan)
    return Partners(places, r)


_Ints = npt.NDArray[np.int64]


def _moments(file: AnswerFile, images: _Ints) -> _Moments:
    """In two passes over the answers, so that nothing cancels."""
    mean = sum((block.sum(0) for block in file.blocks(images)), np.zeros(len(file.units))) / max(len(images), 1)
    squares = sum((np.square(block - mean).sum(0) for block in file.blocks(images)), np.zeros(len(file.units)))
    norm = np.sqrt(squares)
    is_still = norm <= _NO_SPREAD * np.sqrt(max(len(images), 1)) * np.abs(mean)
    return _Moments(mean, np.where(is_still, np.inf, norm))


def _correlations(
    a: AnswerFile, b: AnswerFile, images: _Ints, *, block: slice, moments: tuple[_Moments, _Moments]
) -> _Array:
    """Pearson's correlations (block of A, units of B); -inf where answers never change."""
    mean_a, norm_a = moments[0].mean[block], moments[0].norm[block]
    found = np.zeros((len(mean_a), len(b.units)))
    for one, other in _pairs(a, b, images):
        found += (one[:, block] - mean_a).T @ (other - moments[1].mean)
    found = (found / norm_a[:, None] / moments[1].norm).clip(-1, 1)
    found[np.isinf(norm_a)] = -np.inf
    found[:, np.isinf(moments[1].norm)] = -np.inf
    return found


def _pairs(a: AnswerFile, b: AnswerFile, images: _Ints) -> Iterator[tuple[_Array, _Array]]:
    return zip(a.blocks(images), b.blocks(images), strict=True)
