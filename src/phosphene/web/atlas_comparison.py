"""Which units of another atlas stand beside those of this one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from phosphene.errors import StorageError
from phosphene.web.atlas_scripts import Document, rounded
from phosphene.web.atlas_view import AtlasView

if TYPE_CHECKING:
    from phosphene.store.atlas.alignment import AlignmentTable
    from phosphene.store.atlas.manifest import AtlasNetwork


def check_alignment(alignment: AlignmentTable, left: AtlasNetwork, right: AtlasNetwork) -> None:
    """Refuse an alignment that is not of the units of these networks, in this order.

    Raises:
        StorageError: it is of others, or leads from the right one to the left one.
    """
    aligned = ((alignment.name_a, alignment.network_a), (alignment.name_b, alignment.network_b))
    shown = ((left.name, left.digest), (right.name, right.digest))
    digests = [digest for _, digest in aligned]
    if digests == [digest for _, digest in shown]:
        return
    if digests == [digest for _, digest in reversed(shown)]:
        help_ = "it leads the other way: show the second atlas, and compare it with the first"
    else:
        help_ = "align the networks of these two with `phosphene atlas align`"
    raise StorageError(f"the alignment is of {_pair(aligned)}, but the atlases are of {_pair(shown)}; {help_}")


def _pair(networks: Iterable[tuple[str, str]]) -> str:
    return " and ".join(f"{name!r} (weights {digest[:12]})" for name, digest in networks)


def comparison_document(view: AtlasView, other: AtlasView, slug: str, *, alignment: AlignmentTable | None) -> Document:
    """The partners of a layer's units: those of the same number, where the other network has a layer of that name and
    as many units, and those whose answers to photographs go with theirs most.
    """
    layer = view.layers[slug]
    twin = next((s for s, one in other.layers.items() if one.name == layer.name), None)
    same = twin is not None and other.layers[twin].n_channels == layer.n_channels
    return {"by_unit": {"slug_b": twin} if same else None, "aligned": _aligned(other, alignment, layer.name)}


def _aligned(other: AtlasView, alignment: AlignmentTable | None, layer: str) -> list[object] | None:
    if alignment is None:
        return None
    slugs = other.folder.slugs
    found = [(one, slugs.get(one.layer_b)) for one in alignment.of(layer)]
    return [[one.unit_a, slug, one.unit_b, rounded(one.r, 4)] for one, slug in found if slug is not None]
