"""The files of one atlas in a site; a site that compares has two such sides."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import numpy as np

from phosphene.store.atlas.records import STATUSES, VARIANTS, Picture, Variant
from phosphene.store.png import encode_png
from phosphene.store.webp import decode_webp
from phosphene.web.atlas_contents import Contents, contents_document, layer_files, n_files
from phosphene.web.atlas_numbers import layer_document
from phosphene.web.atlas_pictures import PictureForm, png_unit
from phosphene.web.atlas_scripts import Document, script
from phosphene.web.atlas_sheets import mosaic, sheet
from phosphene.web.atlas_units import units_document
from phosphene.web.atlas_view import AtlasView

_NUMBERED = re.compile(r"(?P<kind>[a-z]+)-(?P<number>0|[1-9][0-9]{0,8})\.(?P<suffix>js|webp)")


@dataclass(frozen=True)
class Side:
    """One atlas in a site.

    Attributes:
        view: the atlas.
        contents: what the site says of it.
        keys: what its documents' keys begin with.
        pngs: folder of its PNG files.
    """

    view: AtlasView
    contents: Contents
    keys: str
    pngs: str

    def files(self) -> Iterator[str]:
        """Paths of its files in the site: those of a layer together."""
        for slug in self.view.layers:
            yield from (f"{self.contents.folder}/{slug}/{name}" for name in layer_files(self.view, slug))
            if self.contents.has_pngs:
                yield from (f"{self.pngs}/{slug}/{name}" for name in self._png_names(slug))

    def document(self) -> Document:
        """With what a page begins."""
        return contents_document(self.view, self.contents)

    def read(self, slug: str, name: str) -> bytes:
        """A file of a layer. Raises `KeyError` for a layer or a file that there is not."""
        view = self.view
        if slug not in view.layers:
            raise KeyError(slug)
        if name == "layer.js":
            return script(f"{self.keys}layer/{slug}", layer_document(view, slug))
        if name == "mosaic.webp":
            return mosaic(view, slug)
        found = _NUMBERED.fullmatch(name)
        if found is None or int(found["number"]) >= n_files(view, slug).get(found["kind"] + "." + found["suffix"], 0):
            raise KeyError(name)
        number = int(found["number"])
        if found["kind"] == "units":
            pngs, size = f"{self.pngs}/{slug}" if self.contents.has_pngs else None, view.chunk()
            places = (number * size, min(len(view.units(slug)), (number + 1) * size))
            return script(f"{self.keys}units/{slug}/{number}", units_document(view, slug, places, pngs=pngs))
        return sheet(view, slug, variant=cast(Variant, found["kind"]), number=number)

    def png(self, slug: str, name: str) -> bytes:
        """The PNG file of a picture, with what it shows inside. Raises `KeyError` where there is none."""
        unit = png_unit(name)
        if not self.contents.has_pngs or slug not in self.view.layers or unit is None:
            raise KeyError(name)
        place = int(np.searchsorted(self.view.units(slug), unit))
        for picture in self.view.rows(slug, (place, place + 1)).pictures:
            shown = self._form.png_name(picture.unit, picture.variant, member=picture.member, seed=picture.seed)
            if picture.image is not None and shown == name:
                return _png(self.view, picture, picture.image)
        raise KeyError(name)

    def picture(self, picture_id: str, *, as_png: bool) -> bytes:
        """A picture by its id. Raises `KeyError` where there is none, `StorageError` where it cannot be read."""
        if self.view.index.find(picture_id) is None:
            raise KeyError(picture_id)
        picture = self.view.folder.picture(picture_id)
        if picture.image is None:
            raise KeyError(picture_id)
        return _png(self.view, picture, picture.image) if as_png else picture.image

    @property
    def _form(self) -> PictureForm:
        return PictureForm(self.view.manifest.seeds, None)

    def _png_names(self, slug: str) -> Iterator[str]:
        rows = self.view.index.layer(self.view.layers[slug].name)
        drawn = rows.status == STATUSES.index("ok")
        columns = (column[drawn].tolist() for column in (rows.unit, rows.variant, rows.member, rows.seed))
        for unit, variant, member, seed in zip(*columns, strict=True):
            yield self._form.png_name(unit, VARIANTS[variant], member=member, seed=seed)


def _png(view: AtlasView, picture: Picture, image: bytes) -> bytes:
    return encode_png(decode_webp(image), {"atlas": _origin(view, picture)})


def _origin(view: AtlasView, picture: Picture) -> Document:
    """What a picture shows, for the text inside its file."""
    network = {"name": view.manifest.network.name, "digest": view.manifest.network.digest}
    said = {name: getattr(picture, name) for name in ("id", "layer", "unit", "variant", "member", "seed")}
    return said | {"network": network, "recipe": view.manifest.recipes.get(picture.recipe)}
