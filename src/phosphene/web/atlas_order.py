"""An order in which neighbours look alike."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_LEAF = 48  # pictures whose order is found one by one


def similarity_ranks(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """Ranks, from 0, of vectors (n d) in an order in which neighbours are near each other.

    The vectors are halved along their widest direction until few are left, and these are walked through from each to
    its nearest; where a walk begins is where the one before it ended. About n log n, the same on every machine up to
    rounding. Rows that are not finite come last.
    """
    ranks = np.empty(len(vectors), np.int64)
    finite = np.isfinite(vectors).all(axis=1)
    order: list[int] = []
    waiting = [np.flatnonzero(finite)]
    while waiting:
        part = waiting.pop()
        if len(part) <= _LEAF:
            order += _walk(vectors, part, order[-1] if order else None)
            continue
        near, far = _halves(vectors, part, order[-1] if order else None)
        waiting += [far, near]
    order += np.flatnonzero(~finite).tolist()
    ranks[order] = np.arange(len(vectors))
    return ranks


def _halves(
    vectors: npt.NDArray[np.float32], part: npt.NDArray[np.int64], before: int | None
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The half that lies nearer to ``before``, and the other."""
    values = vectors[part].astype(np.float64)
    mean = values.mean(axis=0)
    axis = np.linalg.eigh(np.cov(values, rowvar=False).reshape(values.shape[1], -1))[1][:, -1]
    axis = axis if axis[np.abs(axis).argmax()] > 0 else -axis
    along = (values - mean) @ axis
    order = np.argsort(along, kind="stable")
    if before is not None and (vectors[before] - mean) @ axis > 0:
        order = order[::-1]
    return part[order[: len(part) // 2]], part[order[len(part) // 2 :]]


def _walk(vectors: npt.NDArray[np.float32], part: npt.NDArray[np.int64], before: int | None) -> list[int]:
    left = part.tolist()
    walked: list[int] = []
    while left:
        at = before if not walked else walked[-1]
        distances = np.zeros(len(left)) if at is None else ((vectors[left] - vectors[at]) ** 2).sum(axis=1)
        walked.append(left.pop(int(distances.argmin())))
    return walked
