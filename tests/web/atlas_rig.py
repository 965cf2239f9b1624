"""The site of an atlas that nobody built: pages as they are, data written by hand, small pictures of seeded noise."""

from __future__ import annotations

import base64
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

#: What the numbers of a layer's statuses mean.
OK, DEAD, NOT_FINITE, FAILED, MISSING = range(5)
TILE, COLUMNS, ROWS, CHUNK = 32, 8, 4, 16
PHOTOGRAPHS = ("owls/barn owl.jpg", "owls/snowy.jpg", "river.jpg")
ABSENT = {
    **{"variant": "positive", "member": 0, "seed": 0, "id": "", "src": "", "status": "missing", "recipe": ""},
    **{"reason": "Not rendered yet.", "width": 0, "height": 0, "curve": []},
    **dict.fromkeys(("score", "robust", "percentile", "multiple", "seconds", "png")),
}
REASON = "It raised ValueError: no kernel fits."


@dataclass(frozen=True)
class MadeLayer:
    """A layer of the made-up atlas.

    Attributes:
        name, slug: the layer's.
        n: how many units it has, all of them in the atlas but for the first ``start``.
        start: number of the first unit in the atlas.
        labels: class names, where its units are classes.
        status: numbers of the units that are not drawn, with what they are instead.
    """

    name: str
    slug: str
    n: int
    start: int = 0
    labels: tuple[str, ...] = ()
    status: tuple[tuple[int, int], ...] = ()

    @property
    def units(self) -> range:
        return range(self.start, self.n)

    def code(self, unit: int) -> int:
        return dict(self.status).get(unit, OK)

    def score(self, unit: int) -> float:
        """No order of scores is that of the numbers."""
        return round(3 + 2 * math.sin(2.4 * unit + len(self.name)), 4)


SMALL = (
    MadeLayer("blocks.0", "blocks.0", 24, status=((3, DEAD), (5, FAILED), (20, MISSING))),
    MadeLayer("blocks.4", "blocks.4", 70, start=10, status=((31, NOT_FINITE),)),
    MadeLayer("head", "head", 12, labels=(*(f"class {i}" for i in range(9)), "bowl", "barn owl, Tyto alba", "owl")),
)


def write_site(
    folder: Path, layers: Sequence[MadeLayer] = SMALL, *, side: int = 48, parts: int = 8, **changes: Any
) -> Path:
    """Write the site, of each layer the first ``parts`` files of units; ``changes`` replace what the atlas says of
    itself. Returns ``index.html``.
    """
    _write_pages(folder, changes.get("title", "A small atlas"))
    documents = [_layer_about(folder, layer) for layer in layers]
    _put(folder / "data/atlas.js", "atlas", _about(layers, documents) | changes)
    _put(folder / "data/search.js", "search", _names(layers))
    rows = [[[i, layer.start + k, 4.0 - k] for i, layer in enumerate(layers)] for k in range(len(PHOTOGRAPHS))]
    _put(folder / "data/search-0.js", "search/0", {"of": "ab", "hits": rows})
    for layer in layers:
        _put(folder / f"data/{layer.slug}/layer.js", f"layer/{layer.slug}", _numbers(layer))
        for k in range(min(parts, math.ceil(len(layer.units) / CHUNK))):
            units = [_unit(layers, layer, unit, side) for unit in layer.units[k * CHUNK : (k + 1) * CHUNK]]
            _put(folder / f"data/{layer.slug}/units-{k}.js", f"units/{layer.slug}/{k}", units)
    return folder / "index.html"


def _write_pages(folder: Path, title: str) -> None:
    web = resources.files("phosphene.web")
    (folder / "page").mkdir(parents=True)
    for file in web.iterdir():
        if file.name == "explain_core.js" or (file.name.startswith("atlas_") and file.name.endswith((".js", ".css"))):
            (folder / "page" / file.name).write_bytes(file.read_bytes())
    for name in ("index", "layer", "unit"):
        page = Template(web.joinpath(f"atlas_{name}.html").read_text(encoding="utf-8"))
        (folder / f"{name}.html").write_text(page.substitute(title=title.replace("<", "&lt;")), encoding="utf-8")


def _put(path: Path, key: str, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content)
    for letter in "<>&":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    path.write_text(f"phosphene.put({json.dumps(key)}, {text});", encoding="utf-8")


def _about(layers: Sequence[MadeLayer], documents: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    codes = [layer.code(unit) for layer in layers for unit in layer.units]
    return {
        "title": "A small atlas",
        "network": {"name": "a small network", "digest": "ab" * 32, "input_size": [48, 48], "labels_n": 12},
        "phosphene": "0.0",
        "created": "2026-01-02T03:04:05Z",
        "n_pictures": len(codes),
        "n_ok": codes.count(OK),
        "n_failed": sum(code in (DEAD, NOT_FINITE, FAILED) for code in codes),
        "n_missing": codes.count(MISSING),
        "statistics": True,
        "server": False,
        "image_search": False,
        "variants": ["positive", "negative", "diverse"],
        "recipes": {"r1": {"name": "quick", "text": "quick: 128 steps of Adam", "json": {"steps": 128}}},
        "layers": documents,
        "compare": None,
        "activations": [],
        "png": None,
    }


def _layer_about(folder: Path, layer: MadeLayer) -> dict[str, Any]:
    n = len(layer.units)
    n_sheets = math.ceil(n / (COLUMNS * ROWS))
    files = {variant: _sheets(folder, layer, variant, n_sheets) for variant in ("positive", "negative")}
    mosaic = f"mosaics/{layer.slug}.webp"
    (folder / "mosaics").mkdir(exist_ok=True)
    size = _save(folder / mosaic, _mosaic(layer, n))
    codes = [layer.code(unit) for unit in layer.units]
    names = ("ok", "dead", "not_finite", "failed", "missing")
    return {
        "name": layer.name,
        "slug": layer.slug,
        "type": "Linear" if layer.labels else "Conv2d",
        "shape": [layer.n] if layer.labels else [layer.n, 12, 12],
        "n_channels": layer.n,
        "n_units": n,
        "counts": {name: codes.count(code) for code, name in enumerate(names)},
        "ranges": [[layer.start, layer.n]],
        "sprites": {
            variant: {"tile": TILE, "columns": COLUMNS, "rows": ROWS, "files": found}
            for variant, found in files.items()
        },
        "mosaic": {"file": mosaic, "width": size[0], "height": size[1]},
        "chunk": CHUNK,
        "label_layer": bool(layer.labels),
    }


def _sheets(folder: Path, layer: MadeLayer, variant: str, n: int) -> list[str]:
    """A big layer's sheets are a few that come again and again."""
    each, (first, *_), last = COLUMNS * ROWS, layer.units, layer.n
    for k in range(min(n, 6)):
        path = folder / f"sheets/{layer.slug}/{variant}-{k}.webp"
        path.parent.mkdir(parents=True, exist_ok=True)
        sheet = np.zeros((ROWS * TILE, COLUMNS * TILE, 3), np.uint8)
        for i in range(min(each, last - first - k * each)):
            row, column = divmod(i, COLUMNS)
            tile = picture(first + k * each + i, TILE, variant)
            sheet[row * TILE : (row + 1) * TILE, column * TILE : (column + 1) * TILE] = tile
        _save(path, sheet)
    return [f"sheets/{layer.slug}/{variant}-{k % 6}.webp" for k in range(n)]


def _mosaic(layer: MadeLayer, n: int) -> NDArray[np.uint8]:
    shape = (4, 16) if n >= 16 else (1, n)
    rows = [[picture(layer.start + (shape[1] * row + i) % n, TILE) for i in range(shape[1])] for row in range(shape[0])]
    return np.concatenate([np.concatenate(row, axis=1) for row in rows])


@cache
def picture(seed: int, side: int, variant: str = "positive") -> NDArray[np.uint8]:
    """Waves of a few colours: height, width, 3."""
    noise = np.random.default_rng([seed, sum(variant.encode())])
    y, x = np.mgrid[0:side, 0:side] / side
    waves = [np.sin(2 * np.pi * (a * x + b * y + c)) for a, b, c in noise.uniform(-3, 3, (3, 3))]
    mixed = np.stack(waves, axis=-1) @ noise.uniform(-1, 1, (3, 3))
    return np.clip(127 + 70 * mixed, 0, 255).astype(np.uint8)


def _save(path: Path, pixels: NDArray[np.uint8]) -> tuple[int, int]:
    path.write_bytes(_encoded(pixels.tobytes(), pixels.shape))
    return pixels.shape[1], pixels.shape[0]


def data_uri(pixels: NDArray[np.uint8]) -> str:
    return "data:image/webp;base64," + base64.b64encode(_encoded(pixels.tobytes(), pixels.shape)).decode()


@cache
def _encoded(pixels: bytes, shape: tuple[int, ...]) -> bytes:
    """One site has many of another's pictures."""
    buffer = io.BytesIO()
    Image.fromarray(np.frombuffer(pixels, np.uint8).reshape(shape)).save(buffer, "WEBP", quality=80, method=0)
    return buffer.getvalue()


def _numbers(layer: MadeLayer) -> dict[str, Any]:
    codes = [layer.code(unit) for unit in layer.units]
    scores = [layer.score(unit) if code == OK else None for unit, code in zip(layer.units, codes, strict=True)]
    return {
        "slug": layer.slug,
        "unit": list(layer.units),
        "label": list(layer.labels) or None,
        "status": codes,
        "score": scores,
        "robust": [None if score is None else score * 0.9 for score in scores],
        "percentile": [None if score is None else 50 + 9 * score for score in scores],
        "multiple": [None if score is None else score / 4 for score in scores],
        "similarity": [(7 * i) % len(codes) if math.gcd(7, len(codes)) == 1 else i for i in range(len(codes))],
        "negative": {"status": codes, "score": [None if score is None else -0.4 * score for score in scores]},
    }


def _unit(layers: Sequence[MadeLayer], layer: MadeLayer, unit: int, side: int) -> dict[str, Any]:
    links = [_link(other, other.units[unit % len(other.units)], 0.9 - 0.3 * i) for i, other in enumerate(layers)]
    own = [_link(layer, other, 0.95 - 0.1 * i) for i, other in enumerate(layer.units[1:7])]
    return {
        "unit": unit,
        "address": f"{layer.name}:{unit}",
        "label": layer.labels[unit] if layer.labels else "",
        "pictures": _pictures(layer, unit, side),
        "answers": _answers(),
        "examples": _examples(unit),
        "correlated": own,
        "similar": own[::-1],
        "inputs": [*links, {"layer": "elsewhere", "slug": None, "unit": 4, "strength": -0.5, "label": ""}],
        "outputs": links[::-1],
        "command": f"phosphene atlas render 'an atlas' {layer.name}:{unit} -o unit.png",
    }


def _link(layer: MadeLayer, unit: int, strength: float) -> dict[str, Any]:
    label = layer.labels[unit] if layer.labels else ""
    return {"layer": layer.name, "slug": layer.slug, "unit": unit, "strength": strength, "label": label}


def _pictures(layer: MadeLayer, unit: int, side: int) -> list[dict[str, Any]]:
    asked = [("positive", 0, 0), ("positive", 0, 1), ("negative", 0, 0), *(("diverse", i, 0) for i in range(4))]
    if layer.code(unit) == MISSING:
        return [ABSENT]
    return [_picture(layer, unit, which, side) for which in asked]


def _picture(layer: MadeLayer, unit: int, which: tuple[str, int, int], side: int) -> dict[str, Any]:
    variant, member, seed = which
    code = layer.code(unit)
    score = layer.score(unit) * (-0.4 if variant == "negative" else 1 - 0.05 * member) if code == OK else None
    return {
        "id": f"{unit:04x}{variant}{member}{seed}".ljust(64, "0"),
        "variant": variant,
        "member": member,
        "seed": seed,
        "src": data_uri(picture(unit + 1000 * member + 7 * seed, side, variant)) if code == OK else "",
        "png": None,
        "status": ("ok", "dead", "not_finite", "failed")[code],
        "reason": REASON if code == FAILED else "",
        "score": score,
        "robust": None if score is None else 0.9 * score,
        "percentile": None if score is None else 50 + 9 * score,
        "multiple": None if score is None else score / 4,
        "curve": [] if score is None else [round(score * (1 - math.exp(-i / 20)), 4) for i in range(100)],
        "seconds": 1.25,
        "recipe": "r1",
        "width": side,
        "height": side,
    }


def _answers() -> dict[str, Any]:
    shares = [math.exp(-(((i - 6) / 4) ** 2)) for i in range(20)]
    shares = [share / sum(shares) for share in shares]
    return {
        "n": 1000,
        "mean": 0.8,
        "std": 0.9,
        "min": -1.0,
        "max": 4.0,
        "above_zero": 0.75,
        "edges": [-1 + i / 4 for i in range(21)],
        "shares": shares,
        "fractions": [0.25, 0.5, 0.75],
        "quantiles": [0.1, 0.6, 1.4],
    }


def _examples(unit: int) -> list[dict[str, Any]]:
    kinds = [("top", 6, 4.0), ("zero", 3, 0.0), ("bottom", 3, -1.0)]
    return [
        {
            "kind": kind,
            "rank": i,
            "value": value - 0.1 * i,
            "key": PHOTOGRAPHS[i % len(PHOTOGRAPHS)]
            if kind == "top" or (kind, i) == ("bottom", 0)
            else f"{kind} {i}.jpg",
            "src": data_uri(picture(100 * unit + i, 24, kind)) if (kind, i) != ("zero", 2) else "",
        }
        for kind, n, value in kinds
        for i in range(n)
    ]


def _names(layers: Sequence[MadeLayer]) -> dict[str, Any]:
    labels = [[i, unit, layer.labels[unit]] for i, layer in enumerate(layers) if layer.labels for unit in layer.units]
    return {
        "layers": [layer.slug for layer in layers],
        "labels": labels,
        "photographs": list(PHOTOGRAPHS),
        "of": "ab",
        "chunk": 100,
    }
