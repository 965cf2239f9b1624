"""Small atlases without rendering: pictures of nothing, at random places."""

from __future__ import annotations

import numpy as np

from phosphene.atlas.planning import network_of
from phosphene.store.atlas import (
    AtlasLayer,
    Manifest,
    Picture,
    PictureFormat,
    create_atlas,
)


def manifest_of(net, layers, units=None):
    """An atlas of all units of some layers, or of those that ``units`` names by layer, as ranges."""
    found = []
    for name in layers:
        shape = net.layer(name)
        ranges = (units or {}).get(name, ((0, shape.n_channels),))
        is_output = name == net.output_layer
        found.append(
            AtlasLayer(name, shape.type, tuple(shape.shape[1:]), shape.n_channels, tuple(ranges), is_output, "r")
        )
    return Manifest(
        network_of(net), tuple(found), False, 0, 0.0, (0,), {"r": {}}, 16, PictureFormat(), "2026-01-01T00:00:00Z", "1"
    )


def vectors_of(layer, n, seed=0):
    """Places of the pictures of a layer (n, 6)."""
    return np.random.default_rng([seed, *layer.encode()]).normal(size=(n, 6))


def atlas_of(net, where, layers, *, units=None, seed=0, silent=()):
    """An atlas with a row for each unit; those of ``silent``, pairs of layer and unit, could not be rendered."""
    manifest = manifest_of(net, layers, units)
    folder = create_atlas(str(where), manifest)
    for layer in manifest.layers:
        numbers = [unit for start, stop in layer.units for unit in range(start, stop)]
        vectors = vectors_of(layer.name, layer.n_channels, seed)
        rows = [
            picture(layer.name, unit, tuple(vectors[unit].tolist()), ok=(layer.name, unit) not in silent, seed=seed)
            for unit in numbers
        ]
        folder.write_part(f"{folder.slugs[layer.name]}-{seed}", layer.name, rows)
    return folder


def picture(layer, unit, vector, *, ok=True, seed=0):
    return Picture(
        id=f"{layer}-{unit}", job=f"{layer}-{seed}", layer=layer, unit=unit, variant="positive", member=0, seed=0,
        status="ok" if ok else "dead", reason="", score=1.0, robust_score=None, curve=(), seconds=0.0, recipe="r",
        height=4, width=4, embedding=vector if ok else (), image=b"picture" if ok else None,
    )  # fmt: skip
