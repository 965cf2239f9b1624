"""Where activations lie on a plane."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Protocol

import numpy as np
import numpy.typing as npt

from phosphene._component import check
from phosphene.atlas.activations.sampling import Floats
from phosphene.collection.plan import whole
from phosphene.errors import MissingExtraError

Points = npt.NDArray[np.float64]

#: Percentiles between which the plane is cut, and how much of the range between them is added on each side
#: (tensorflow/lucid, recipes/activation_atlas/layout.py).
_PERCENTILES, _MARGIN = (1.0, 99.0), 0.1
_MOST = 2**31 - 1


class Layout(Protocol):
    """How vectors get places on a plane; ``str`` of it says how, for people."""

    def places(self, vectors: Floats, seed: int) -> Points:
        """A place (x, y) for each vector (n, channels), in any unit: those of like vectors are near."""
        ...


@dataclass(frozen=True)
class UMAP:
    """Uniform manifold approximation and projection (McInnes and others 2018), by umap-learn; the same seed gives the
    same places on the same machine.

    Attributes:
        n_neighbors: how many neighbours a vector keeps near; more show the whole, fewer the parts.
        min_dist: how near two places may come.
        metric: distance of vectors, as umap-learn names it.
    """

    n_neighbors: int = 50
    min_dist: float = 0.05
    metric: str = "cosine"

    def __post_init__(self) -> None:
        whole("n_neighbors", self.n_neighbors, 2, _MOST)
        check(0 <= self.min_dist <= 1, "min_dist", self.min_dist, "a number from 0 to 1")

    def __str__(self) -> str:
        return f"UMAP of {self.n_neighbors} neighbours, least distance {self.min_dist:g}, {self.metric}"

    def require(self) -> None:
        """Refuse at once what would be refused after all photographs were shown.

        Raises:
            MissingExtraError: umap-learn is not installed.
        """
        if find_spec("umap") is None:
            raise MissingExtraError("the layout of an activation atlas", "umap")

    def places(self, vectors: Floats, seed: int) -> Points:
        """Places by UMAP.

        Raises:
            MissingExtraError: umap-learn is not installed.
        """
        with warnings.catch_warnings():
            # Its own, of a graph in several parts, of vectors that repeat, and of libraries that it might have.
            warnings.simplefilter("ignore")
            try:
                import umap
            except ImportError:
                raise MissingExtraError("the layout of an activation atlas", "umap") from None
            made = umap.UMAP(
                n_neighbors=min(self.n_neighbors, len(vectors) - 1),
                min_dist=self.min_dist,
                metric=self.metric,
                random_state=seed,
                n_jobs=1,
            )
            return np.asarray(made.fit_transform(vectors), np.float64)


@dataclass(frozen=True)
class Principal:
    """The two directions in which vectors of length 1 spread most: quick, and needs no other library. It shows less."""

    def __str__(self) -> str:
        return "the first two principal components of the directions"

    def places(self, vectors: Floats, seed: int) -> Points:
        """Places by singular values; ``seed`` is not needed."""
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        units = vectors.astype(np.float64) / np.where(lengths > 0, lengths, 1)
        centred = units - units.mean(0)
        _, _, axes = np.linalg.svd(centred.T @ centred, hermitian=True)
        first = axes[:2] * np.sign(axes[:2][np.arange(2), np.abs(axes[:2]).argmax(1)])[:, None]
        return centred @ first.T


def fitted(points: Points) -> Points:
    """Places in [0, 1], those far out moved to the edge: each axis is cut a tenth of its range beyond the percentiles
    1 and 99.

    >>> fitted(np.array([[0.0, 5.0], [1.0, 5.0], [0.5, 5.0]])).tolist()
    [[0.0, 0.5], [1.0, 0.5], [0.5, 0.5]]
    """
    low, high = np.percentile(points, _PERCENTILES, axis=0)
    margin = _MARGIN * (high - low)
    cut = np.clip(points, low - margin, high + margin)
    least, most = cut.min(0), cut.max(0)
    span = most - least
    return np.where(span > 0, (cut - least) / np.where(span > 0, span, 1), 0.5)
