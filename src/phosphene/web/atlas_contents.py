"""What every page of a site is told first: what the atlas is of, its layers, and which files they have."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from phosphene.web.atlas_numbers import counts
from phosphene.web.atlas_scripts import Document
from phosphene.web.atlas_sheets import mosaic_size, n_sheets, sheets_document
from phosphene.web.atlas_view import AtlasView


@dataclass(frozen=True)
class Contents:
    """What a site says of one of its atlases.

    Attributes:
        title: for people.
        folder: where the files of its layers lie in the site.
        has_pngs: whether pictures are there as PNG files.
        server: whether pages can ask for more than there are files.
        image_search: whether a picture can be sent to be looked for.
    """

    title: str
    folder: str
    has_pngs: bool
    server: bool
    image_search: bool


def contents_document(view: AtlasView, contents: Contents) -> Document:
    """The document with which a page begins."""
    manifest = view.manifest
    layers = [_layer(view, slug, contents.folder) for slug in view.layers]
    standings = [view.standing(slug) for slug in view.layers]
    planned = view.n_pictures() * sum(layer.n_units for layer in manifest.layers)
    n_rows, n_ok = sum(one.n_rows for one in standings), sum(one.n_ok for one in standings)
    return {
        "title": contents.title,
        "network": {
            "name": manifest.network.name,
            "digest": manifest.network.digest,
            "input_size": list(manifest.network.input_size),
            "labels_n": len(manifest.network.labels),
        },
        "phosphene": manifest.phosphene,
        "created": manifest.created,
        "n_pictures": n_rows,
        "n_ok": n_ok,
        "n_failed": n_rows - n_ok,
        "n_missing": max(0, planned - n_rows),
        "statistics": any(view.has_facts(slug) for slug in view.layers),
        "server": contents.server,
        "image_search": contents.image_search,
        "variants": view.variants(),
        "recipes": {digest: _recipe(document) for digest, document in manifest.recipes.items()},
        "layers": layers,
        "compare": None,
        "activations": [],
        "png": "pictures/{slug}/{unit}-{variant}.png" if contents.has_pngs else None,
    }


def n_files(view: AtlasView, slug: str) -> dict[str, int]:
    """How many numbered files of each kind a layer has: sheets by variant, and files of units."""
    n = len(view.units(slug))
    sheets = {f"{variant}.webp": n_sheets(n) for variant in ("positive", "negative")[: 1 + view.manifest.negative]}
    return sheets | {"units.js": -(-n // view.chunk())}


def layer_files(view: AtlasView, slug: str) -> Iterator[str]:
    """Names of all files of a layer; those for which every row is read come before those that tell what was damaged."""
    for kind, n in n_files(view, slug).items():
        yield from (_numbered(kind, number) for number in range(n))
    yield from ("layer.js", "mosaic.webp")


def _numbered(kind: str, number: int) -> str:
    name, _, suffix = kind.partition(".")
    return f"{name}-{number}.{suffix}"


def _layer(view: AtlasView, slug: str, folder: str) -> Document:
    layer, n = view.layers[slug], len(view.units(slug))
    height, width = mosaic_size(n)
    return {
        "name": layer.name,
        "slug": slug,
        "type": layer.type,
        "shape": list(layer.shape),
        "n_channels": layer.n_channels,
        "n_units": n,
        "counts": counts(view, slug),
        "ranges": [list(pair) for pair in layer.units],
        "sprites": {
            kind.removesuffix(".webp"): sheets_document(n, [f"{folder}/{slug}/{_numbered(kind, k)}" for k in range(m)])
            for kind, m in n_files(view, slug).items()
            if kind.endswith(".webp")
        },
        "mosaic": {"file": f"{folder}/{slug}/mosaic.webp", "width": width, "height": height},
        "chunk": view.chunk(),
        "label_layer": layer.is_output,
        "recipe": layer.recipe,
    }


def _recipe(document: Any) -> Document:
    name = document.get("name") if isinstance(document, dict) else None
    text = json.dumps(document, indent=2, ensure_ascii=False)
    return {"name": name if isinstance(name, str) else "", "text": text, "json": document}
