"""Numbers of a whole layer, as its page sorts and filters by them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from phosphene.errors import StorageError
from phosphene.web.atlas_order import similarity_ranks
from phosphene.web.atlas_scripts import Document, rounded
from phosphene.web.atlas_summary import summary
from phosphene.web.atlas_view import SHOWN_STATUSES, AtlasView


def layer_document(view: AtlasView, slug: str) -> Document:
    """The numbers of every unit of a layer, in the order of its units; None for a list that nobody has."""
    units, standing = view.units(slug), view.standing(slug)
    labels = [view.label(slug, int(unit)) for unit in units] if view.layers[slug].is_output else []
    found, ranks = summary(view, slug), similarity(view, slug)
    return {
        "slug": slug,
        "unit": units.tolist(),
        "label": labels if any(labels) else None,
        "status": standing.status.tolist(),
        "score": [rounded(value) for value in standing.score.tolist()],
        "robust": [rounded(value) for value in standing.robust.tolist()],
        "percentile": _column(found.percentile),
        "multiple": _column(found.multiple),
        "similarity": None if ranks is None else ranks.tolist(),
        "is_whole": found.is_whole,
        "negative": _negative(view, slug) if view.manifest.negative else None,
    }


def counts(view: AtlasView, slug: str) -> dict[str, int]:
    """How many units of a layer have each status."""
    found = np.bincount(view.standing(slug).status, minlength=len(SHOWN_STATUSES))
    return dict(zip(SHOWN_STATUSES, found.tolist(), strict=True))


def similarity(view: AtlasView, slug: str) -> npt.NDArray[np.int64] | None:
    """Ranks of the units in an order in which neighbours look alike, those without picture last; None where pictures
    have no places.
    """
    return view.kept(("similarity", slug), lambda: _similarity(view, slug))


def _negative(view: AtlasView, slug: str) -> Document:
    """Of the units' first negative pictures, in place of what stands for the positive ones."""
    standing = view.standing(slug, "negative")
    return {"status": standing.status.tolist(), "score": [rounded(value) for value in standing.score.tolist()]}


def _column(values: npt.NDArray[np.float64]) -> list[float | None] | None:
    return [rounded(value) for value in values.tolist()] if np.isfinite(values).any() else None


def _similarity(view: AtlasView, slug: str) -> npt.NDArray[np.int64] | None:
    units = view.units(slug)
    try:
        found, vectors = view.folder.embeddings(view.layers[slug].name, "positive", view.manifest.seeds[0])
    except StorageError:
        return None
    known = np.isin(found, units)
    if vectors.ndim != 2 or not vectors.shape[1] or not known.any():
        return None
    placed = np.full((len(units), vectors.shape[1]), np.nan, np.float32)
    placed[np.searchsorted(units, found[known])] = vectors[known]
    return similarity_ranks(placed)
