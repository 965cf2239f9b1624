"""What the facts of a whole layer come down to, read as columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from phosphene.errors import StorageError
from phosphene.web.atlas_view import AtlasView

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Summary:
    """Of a layer.

    Attributes:
        percentile: each unit's score as percentile of its answers to photographs; nan where nothing was collected.
        multiple: the score as multiple of the largest of them.
        names: photographs that drive a unit most.
        name, unit, value: for each time one does, its place among the names, the unit and its answer.
        is_whole: whether what was collected can be read of all units.
    """

    percentile: Floats
    multiple: Floats
    names: list[str]
    name: npt.NDArray[np.int32]
    unit: npt.NDArray[np.int32]
    value: npt.NDArray[np.float32]
    is_whole: bool


def summary(view: AtlasView, slug: str) -> Summary:
    """The summary of a layer, kept until the atlas has changed."""
    return view.kept(("summary", slug), lambda: _summary(view, slug))


def _summary(view: AtlasView, slug: str) -> Summary:
    """As far as the facts can be read."""
    layer, units, damages = view.layers[slug].name, view.units(slug), list[StorageError]()
    answers = view.folder.answers(layer, on_damage=damages.append)
    tops = view.folder.top_examples(layer, on_damage=damages.append)
    percentile, multiple = np.full(len(units), np.nan), np.full(len(units), np.nan)
    shown = np.isin(answers.unit, units)
    places = np.searchsorted(units, answers.unit[shown])
    scores = np.full(len(answers.unit), np.nan)
    scores[shown] = view.standing(slug).score[places]
    percentile[places] = np.where(np.isfinite(scores), answers.percentiles(scores), np.nan)[shown]
    multiple[places] = answers.multiples(scores)[shown]
    hits = np.isin(tops.unit, units)
    used, name = np.unique(tops.key[hits], return_inverse=True)
    arrays = name.astype(np.int32), tops.unit[hits], tops.value[hits].astype(np.float32)
    return Summary(percentile, multiple, [tops.keys[i] for i in used], *arrays, is_whole=not damages)
