"""What programs ask the server of an atlas, answered in plain values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from phosphene.web.atlas_numbers import similarity
from phosphene.web.atlas_scripts import Document, rounded
from phosphene.web.atlas_search import find
from phosphene.web.atlas_summary import summary
from phosphene.web.atlas_units import units_document
from phosphene.web.atlas_view import SHOWN_STATUSES, AtlasView
from phosphene.web.session_refusal import RefusalError

SORTS = ("unit", "score", "robust", "percentile", "multiple", "similarity")
LARGEST_PAGE = 500  # units
_PAGE = 100
_WHOLE = 9  # digits
_LONGEST_QUESTION = 200  # letters


def units(view: AtlasView, asked: Mapping[str, str]) -> Document:
    """A page of a layer's units.

    Args:
        view: the atlas.
        asked: ``layer`` (name or slug), ``status``, ``sort`` (largest first, but units and similarity), ``start`` and
            ``limit``; the first is needed.

    Raises `RefusalError` for what there is not.
    """
    slug = layer_slug(view, asked.get("layer", ""))
    sort, status = asked.get("sort", "unit"), asked.get("status")
    start = whole(asked.get("start", "0"), "start")
    limit = min(whole(asked.get("limit", str(_PAGE)), "limit"), LARGEST_PAGE)
    if sort not in SORTS or status not in (None, *SHOWN_STATUSES):
        raise RefusalError(
            422, f"expected sort to be one of {', '.join(SORTS)}, and status of {', '.join(SHOWN_STATUSES)}"
        )
    numbers, standing = view.units(slug), view.standing(slug)
    order = _order(view, slug, sort)
    if status is not None:
        order = order[standing.status[order] == SHOWN_STATUSES.index(status)]
    known = summary(view, slug)
    columns = (standing.status, standing.score, standing.robust, known.percentile, known.multiple)
    shown = [
        _row(view, slug, int(numbers[i]), values=tuple(column[i] for column in columns))
        for i in order[start : start + limit].tolist()
    ]
    return {"layer": view.layers[slug].name, "slug": slug, "total": len(order), "start": start, "units": shown}


def unit(view: AtlasView, layer: str, number: str) -> Document:
    """A unit, with all its pictures and facts. Raises `RefusalError` where there is none."""
    slug, wanted = layer_slug(view, layer), whole(number, "unit")
    place = int(np.searchsorted(view.units(slug), wanted))
    if place >= len(view.units(slug)) or view.units(slug)[place] != wanted:
        raise RefusalError(404, f"the atlas has no unit {wanted} in the layer {view.layers[slug].name!r}")
    return units_document(view, slug, (place, place + 1), pngs=None)[0] | {
        "layer": view.layers[slug].name,
        "slug": slug,
    }


def search(view: AtlasView, asked: Mapping[str, str]) -> Document:
    """What goes with the words ``q``. Raises `RefusalError` where there are none, or too many."""
    text = asked.get("q", "")
    if not text.strip() or len(text) > _LONGEST_QUESTION:
        raise RefusalError(422, f"q has {len(text)} letters; expected 1 to {_LONGEST_QUESTION}, not only spaces")
    return {"q": text} | find(view, text)


def layer_slug(view: AtlasView, name: str) -> str:
    """The slug of a layer that is given by name or slug. Raises `RefusalError` where there is none."""
    found = view.folder.slugs.get(name, name if name in view.layers else None)  # a name may be another's slug
    if found is None:
        raise RefusalError(404, f"the atlas has no layer {name[:120]!r}; data/atlas.js names them")
    return found


def whole(text: str, name: str) -> int:
    """A whole number. Raises `RefusalError` for another text."""
    if not (text.isascii() and text.isdigit() and len(text) <= _WHOLE):
        raise RefusalError(422, f"{name} is {text[:40]!r}; expected a whole number of at most {_WHOLE} digits")
    return int(text)


def _order(view: AtlasView, slug: str, sort: str) -> npt.NDArray[np.intp]:
    standing = view.standing(slug)
    if sort in ("unit", "similarity"):
        ranks = similarity(view, slug) if sort == "similarity" else None
        return np.arange(len(standing.status)) if ranks is None else np.argsort(ranks, kind="stable")
    own = {"score": standing.score, "robust": standing.robust}
    column = own[sort] if sort in own else getattr(summary(view, slug), sort)
    return np.argsort(-column, kind="stable")  # nan comes last


def _row(view: AtlasView, slug: str, number: int, *, values: tuple[Any, ...]) -> Document:
    status, *numbers = values
    names = ("score", "robust", "percentile", "multiple")
    said = dict(zip(names, (rounded(float(value)) for value in numbers), strict=True))
    address = f"{view.layers[slug].name}:{number}"
    shown = {"unit": number, "address": address, "label": view.label(slug, number), "status": SHOWN_STATUSES[status]}
    return shown | said
