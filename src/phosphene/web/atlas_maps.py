"""The activation atlases that lie in an atlas, as parts of its site."""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from phosphene.errors import ArgumentError, StorageError
from phosphene.store.atlas.activation_files import ACTIVATIONS_FILE, decode_activation_atlas
from phosphene.web.activations_page import ActivationPage
from phosphene.web.atlas_cache import SizedCache
from phosphene.web.atlas_scripts import Document

if TYPE_CHECKING:
    from phosphene.store.atlas import AtlasFolder
    from phosphene.store.atlas.places import Entry

_FOLDER = "activations"
_KEPT_BYTES = 64 << 20
_DAMAGED = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>A damaged activation atlas</title></head>
<body><h1>This activation atlas is damaged</h1><p>{}</p><p><a href="../../index.html">Back to the atlas</a></p></body>
</html>
"""


class Maps:
    """The activation atlases of an atlas, one a layer: each a page of its own, in a folder of its own. The page of one
    that is damaged says so.
    """

    def __init__(self, folder: AtlasFolder) -> None:
        self._folder = folder
        self._slugs = {slug: layer for layer, slug in folder.slugs.items()}
        self._pages = SizedCache[tuple[ActivationPage | _Damaged, int]](_KEPT_BYTES, lambda page: page[1])
        self._seen = self._there()

    def document(self) -> list[Document]:
        """Which there are."""
        return [
            {"layer": self._slugs[slug], "slug": slug, "href": f"{_FOLDER}/{slug}/index.html"} for slug in self._there()
        ]

    def files(self) -> Iterator[str]:
        """Paths in the site of all their files."""
        for slug, entry in self._there().items():
            yield from (f"{_FOLDER}/{slug}/{name}" for name in self._page(slug, entry).files())

    def read(self, path: str) -> bytes:
        """One of these files. Raises `KeyError` for another path."""
        _, slug, name = [*path.split("/", 2), "", ""][:3]
        entry = self._folder.place.entry(_file(slug)) if slug in self._slugs else None
        if entry is None:
            raise KeyError(path)
        return self._page(slug, entry).read(name)

    def refresh(self) -> bool:
        """Whether there are others than when this was asked last."""
        before, self._seen = self._seen, self._there()
        return self._seen != before

    def _there(self) -> dict[str, Entry]:
        found = {slug: self._folder.place.entry(_file(slug)) for slug in self._slugs}
        return {slug: entry for slug, entry in found.items() if entry is not None}

    def _page(self, slug: str, entry: Entry) -> ActivationPage | _Damaged:
        return self._pages.get((slug, entry), lambda: self._read(slug))[0]

    def _read(self, slug: str) -> tuple[ActivationPage | _Damaged, int]:
        try:
            data = self._folder.read_bytes(_file(slug))
            return ActivationPage(decode_activation_atlas(data, _file(slug)), home="../../index.html"), len(data)
        except (StorageError, ArgumentError) as error:
            return _Damaged(str(error)), len(str(error))


@dataclass(frozen=True)
class _Damaged:
    """The page of an activation atlas that cannot be read."""

    reason: str

    def files(self) -> tuple[str, ...]:
        return ("index.html",)

    def read(self, path: str) -> bytes:
        """The page. Raises `KeyError` for any other path."""
        if path != "index.html":
            raise KeyError(path)
        return _DAMAGED.format(html.escape(self.reason)).encode()


def _file(slug: str) -> str:
    return f"{_FOLDER}/{slug}/{ACTIVATIONS_FILE}"
