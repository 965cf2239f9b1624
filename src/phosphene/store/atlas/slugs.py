"""Folder names for layers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from phosphene.errors import UnknownLayerError, nearest
from phosphene.store.names import distinct_stems

if TYPE_CHECKING:
    from phosphene.store.atlas.manifest import Manifest


_SCRIPT = re.compile(r"\.js$", re.IGNORECASE)


def slugs(manifest: Manifest) -> Mapping[str, str]:
    """A folder name for each layer, by the layer's name: safe in every file system, no two alike even without case, and
    none like a script's, which a site has beside them.

    They depend on nothing but the manifest's layers and their order.
    """
    names = [layer.name for layer in manifest.layers]
    stems = distinct_stems(_SCRIPT.sub("-js", name) for name in names)
    return MappingProxyType(dict(zip(names, stems, strict=True)))


def slug_of(manifest: Manifest, layer: str) -> str:
    """The folder name of ``layer``. Raises `UnknownLayerError` where the atlas has no such layer."""
    known = slugs(manifest)
    if layer not in known:
        hint = nearest(layer, known) or f"it has {', '.join(list(known)[:8])}"
        raise UnknownLayerError(f"the atlas has no layer {layer!r}; {hint}")
    return known[layer]
