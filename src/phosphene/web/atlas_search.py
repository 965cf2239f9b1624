"""What people look for in an atlas: classes, units by their address, and photographs that drive units."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from phosphene.web.atlas_scripts import Document, rounded
from phosphene.web.atlas_summary import summary
from phosphene.web.atlas_view import AtlasView

CHUNK = 256  # photographs in a file
MOST = 60  # answers to a question
_ADDRESS = re.compile(r"(?P<layer>\S.*?)(?:\s*[:#]\s*|\s+)(?P<unit>[0-9]{1,9})", re.DOTALL)


@dataclass(frozen=True)
class Hits:
    """Which units each photograph is an example of.

    Attributes:
        names: the photographs, sorted.
        digest: of the names.
        first: where the photograph's hits begin in the arrays below; one more than there are names.
        layer: place of the unit's layer among the atlas's.
        unit: its number.
        value: its answer; each photograph's hits begin with the largest.
    """

    names: list[str]
    digest: str
    first: npt.NDArray[np.int64]
    layer: npt.NDArray[np.int32]
    unit: npt.NDArray[np.int32]
    value: npt.NDArray[np.float32]

    def of(self, number: int) -> list[tuple[int, int, float | None]]:
        """Place of the layer, unit and value of what the photograph of this number drives."""
        span = slice(int(self.first[number]), int(self.first[number + 1]))
        found = zip(self.layer[span].tolist(), self.unit[span].tolist(), self.value[span].tolist(), strict=True)
        return [(layer, unit, rounded(value)) for layer, unit, value in found]


def search_document(view: AtlasView) -> Document:
    """What can be looked for without a server: classes, and names of photographs whose hits lie in numbered files."""
    slugs = list(view.layers)
    labels = [(slugs.index(slug), unit, label) for slug, unit, label in _labels(view)]
    known = hits(view)
    said = {"layers": slugs, "labels": labels, "photographs": known.names}
    return said | {"of": known.digest, "chunk": CHUNK}


def n_hit_files(view: AtlasView) -> int:
    """Files of hits that there are."""
    return -(-len(hits(view).names) // CHUNK)


def hits_document(view: AtlasView, number: int) -> Document:
    """For each photograph of the file of this number the units that it drives, and of which photographs the file is."""
    known = hits(view)
    numbers = range(number * CHUNK, min(len(known.names), (number + 1) * CHUNK))
    return {"of": known.digest, "hits": [known.of(i) for i in numbers]}


def hits(view: AtlasView) -> Hits:
    """The photographs that are examples of units, and of which; read once, from all facts."""
    return view.kept("hits", lambda: _hits(view))


def find(view: AtlasView, text: str) -> Document:
    """Answers to a question in words: units whose address or class it names, layers, and photographs with what they
    drive; at most :data:`MOST` of each.
    """
    words = text.casefold().split()
    known = hits(view)
    photographs = [i for i, name in enumerate(known.names) if words and _has(name, words)][:MOST]
    units = [*_addressed(view, text), *((slug, unit) for slug, unit, label in _labels(view) if _has(label, words))]
    return {
        "units": [_told(view, slug, unit) for slug, unit in dict.fromkeys(units if words else [])][:MOST],
        "layers": [{"layer": one.name, "slug": slug} for slug, one in view.layers.items() if _has(one.name, words)][
            :MOST
        ],
        "photographs": [{"key": known.names[i], "units": _driven(view, known, i)} for i in photographs],
    }


def _driven(view: AtlasView, known: Hits, number: int) -> list[Document]:
    slugs = list(view.layers)
    return [_told(view, slugs[layer], unit) | {"value": value} for layer, unit, value in known.of(number)[:MOST]]


def _told(view: AtlasView, slug: str, unit: int) -> Document:
    layer = view.layers[slug].name
    return {"layer": layer, "slug": slug, "unit": unit, "address": f"{layer}:{unit}", "label": view.label(slug, unit)}


def _has(text: str, words: list[str]) -> bool:
    folded = text.casefold()
    return bool(words) and all(word in folded for word in words)


def _addressed(view: AtlasView, text: str) -> Iterator[tuple[str, int]]:
    found = _ADDRESS.fullmatch(text.strip())
    if found is None:
        return
    wanted, unit = found["layer"].casefold(), int(found["unit"])
    for slug, layer in view.layers.items():
        if wanted in (layer.name.casefold(), slug.casefold()) and any(a <= unit < b for a, b in layer.units):
            yield slug, unit


def _labels(view: AtlasView) -> Iterator[tuple[str, int, str]]:
    for slug, layer in view.layers.items():
        if layer.is_output:
            for unit in view.units(slug).tolist():
                if label := view.label(slug, unit):
                    yield slug, unit, label


def _hits(view: AtlasView) -> Hits:
    parts = [summary(view, slug) for slug in view.layers]
    names = sorted(set().union(*(part.names for part in parts)))
    places = {name: place for place, name in enumerate(names)}
    here = [np.array([places[name] for name in part.names], np.int32)[part.name] for part in parts]
    of = np.concatenate(here)
    layer = np.repeat(np.arange(len(parts), dtype=np.int32), [len(part.unit) for part in parts])
    unit, value = np.concatenate([part.unit for part in parts]), np.concatenate([part.value for part in parts])
    order = np.lexsort((unit, layer, -value, of))
    first = np.searchsorted(of[order], np.arange(len(names) + 1))
    digest = hashlib.sha256("\0".join(names).encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return Hits(names, digest, first, layer[order], unit[order], value[order])
