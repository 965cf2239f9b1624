"""An atlas as a site: every file by its path, made when it is read; what is exported is what is served."""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING

from phosphene.errors import ParameterError
from phosphene.web.atlas_cache import SizedCache
from phosphene.web.atlas_comparison import check_alignment, comparison_document
from phosphene.web.atlas_contents import Contents
from phosphene.web.atlas_maps import Maps
from phosphene.web.atlas_pages import page_file, page_files
from phosphene.web.atlas_scripts import script
from phosphene.web.atlas_search import hits_document, n_hit_files, search_document
from phosphene.web.atlas_side import Side
from phosphene.web.atlas_units import public_address
from phosphene.web.atlas_view import AtlasView

if TYPE_CHECKING:
    from phosphene.store.atlas import AtlasFolder
    from phosphene.store.atlas.alignment import AlignmentTable

_HITS = re.compile(r"search-(0|[1-9][0-9]{0,8})\.js")
_KEPT_BYTES = 16 << 20


class Site:
    """The site of an atlas.

    Args:
        folder: the atlas.
        compare: another one, shown beside it.
        alignment: which units of the other answer photographs most like those of this one.
        title: for people; the network's name by default, and where both have one name what tells them apart.
        png: whether the pictures are there as PNG files too.

    Raises:
        ParameterError: an alignment without another atlas.
        StorageError: an alignment of other networks.
    """

    def __init__(
        self,
        folder: AtlasFolder,
        *,
        compare: AtlasFolder | None = None,
        alignment: AlignmentTable | None = None,
        title: str | None = None,
        png: bool = False,
    ) -> None:
        if alignment is not None:
            if compare is None:
                raise ParameterError("an alignment came without the other atlas; give that as `compare`")
            check_alignment(alignment, folder.manifest.network, compare.manifest.network)
        own, others = _titles(folder, compare)
        self.title = title or own
        told = Contents(self.title, "data", has_pngs=png, server=False, image_search=False)
        self._side = Side(AtlasView(folder), told, "", "pictures")
        self._other = None
        if compare is not None:
            told = replace(told, title=others, folder="other")
            self._other = Side(AtlasView(compare), told, "other/", "other-pictures")
        self._alignment, self._maps = alignment, Maps(folder)
        self._made = SizedCache[bytes](_KEPT_BYTES, len)

    @property
    def view(self) -> AtlasView:
        """The atlas, as it is read."""
        return self._side.view

    def served(self, *, image_search: bool) -> Site:
        """The same site for a server: its pages may ask for more than files, and PNG files are made on demand.

        Args:
            image_search: whether pages may send a picture to look for.
        """
        site = copy(self)
        said = {"has_pngs": True, "server": True}
        site._side = replace(self._side, contents=replace(self._side.contents, image_search=image_search, **said))
        if self._other is not None:
            site._other = replace(self._other, contents=replace(self._other.contents, **said))
        site._made = SizedCache[bytes](_KEPT_BYTES, len)
        return site

    def refresh(self) -> bool:
        """Look whether the atlases have grown; whether they have."""
        changed = [side.view.refresh() for side in self._sides]
        changed.append(self._maps.refresh())
        if any(changed):
            self._made.clear()
        return any(changed)

    def files(self) -> Iterator[str]:
        """Paths of all files of the site, with ``/`` between folders, ``index.html`` last."""
        yield from self._side.files()
        if self._other is not None:
            yield from self._other.files()
            yield from (f"compare/{slug}.js" for slug in self.view.layers)
        yield from self._maps.files()
        yield from (f"data/search-{number}.js" for number in range(n_hit_files(self.view)))
        yield from ("data/search.js", "data/atlas.js")
        yield from page_files(comparing=self._other is not None)

    def read(self, path: str) -> bytes:
        """The content of a file of the site; what was made last is kept, up to a bound.

        Raises:
            KeyError: the site has no such file.
            StorageError: the atlas cannot be read.
        """
        n_damaged = sum(side.view.n_damaged for side in self._sides)  # which numbers and counts tell
        return self._made.get((path, n_damaged), lambda: self._make(path))

    def picture(self, picture_id: str, *, as_png: bool) -> bytes:
        """A picture by its id, as it is kept (WebP) or as PNG.

        Raises:
            KeyError: there is no such picture, or it has no image.
            StorageError: it cannot be read.
        """
        return self._side.picture(picture_id, as_png=as_png)

    @property
    def _sides(self) -> list[Side]:
        return [self._side, *([] if self._other is None else [self._other])]

    def _make(self, path: str) -> bytes:
        match path.split("/"):
            case ["data", name]:
                return self._document(name)
            case ["compare", name] if name.endswith(".js"):
                return self._comparison(name.removesuffix(".js"))
            case ["activations", *_]:
                return self._maps.read(path)
            case ["data" | "pictures" as folder, slug, name]:
                return self._side.read(slug, name) if folder == "data" else self._side.png(slug, name)
            case ["other" | "other-pictures" as folder, slug, name] if self._other is not None:
                return self._other.read(slug, name) if folder == "other" else self._other.png(slug, name)
            case _:
                return page_file(path, self.title)

    def _document(self, name: str) -> bytes:
        if name == "atlas.js":
            other = None if self._other is None else self._other.document()
            said = {"compare": other, "activations": self._maps.document()}
            return script("atlas", self._side.document() | said)
        if name == "search.js":
            return script("search", search_document(self.view))
        found = _HITS.fullmatch(name)
        if found is None or int(found[1]) >= n_hit_files(self.view):
            raise KeyError(name)
        return script(f"search/{found[1]}", hits_document(self.view, int(found[1])))

    def _comparison(self, slug: str) -> bytes:
        if self._other is None or slug not in self.view.layers:
            raise KeyError(slug)
        document = comparison_document(self.view, self._other.view, slug, alignment=self._alignment)
        return script(f"compare/{slug}", document)


def _titles(folder: AtlasFolder, other: AtlasFolder | None) -> tuple[str, str]:
    """What two atlases are called: by their networks; of one network, by the first of weights, recipes and folders that
    is not the same.
    """
    names = folder.manifest.network.name, "" if other is None else other.manifest.network.name
    if other is None or names[0] != names[1]:
        return names
    both = (folder, other)
    digests = [f"weights {one.manifest.network.digest[:8]}" for one in both]
    recipes = [", ".join(dict.fromkeys(map(_recipe_name, one.manifest.recipes.values()))) for one in both]
    places = [public_address(one.uri) for one in both]
    told = next((pair for pair in (digests, recipes, places) if pair[0] != pair[1]), ["first", "second"])
    return f"{names[0]} ({told[0]})", f"{names[1]} ({told[1]})"


def _recipe_name(document: object) -> str:
    name = document.get("name") if isinstance(document, dict) else None
    return name if isinstance(name, str) else "a recipe without name"
