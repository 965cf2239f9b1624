"""The page of an activation atlas: a folder that opens from disk and asks nobody for anything."""

from __future__ import annotations

import html
import os
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib import resources
from pathlib import Path
from string import Template

from phosphene.errors import ArgumentError
from phosphene.store.atlas.activation_map import ActivationAtlas, ActivationMap
from phosphene.web.activations_classes import class_names
from phosphene.web.activations_data import atlas_document, grid_document, grid_file, sheet_file
from phosphene.web.activations_sheets import blocks, sheet, tile_side
from phosphene.web.atlas_export import write_files
from phosphene.web.atlas_scripts import script

#: In the order in which they run; each adds to the one namespace ``phosphene``.
SCRIPTS = (
    "explain_core.js",
    "activations_view.js",
    "activations_grids.js",
    "activations_state.js",
    "activations_map.js",
    "activations_gestures.js",
    "activations_panel.js",
    "activations_about.js",
    "activations_controls.js",
    "activations_page.js",
)
_STYLE = "activations.css"


class ActivationPage:
    """The files of an activation atlas's page: ``index.html``, its style and scripts in ``page/``, numbers in ``data/``
    and pictures in ``sheets/``. Each is made when it is read.

    Args:
        atlas: one map, or two that are aligned, each with at least one grid, and with one grid size that all have.
        title: of the page; else the layers' and networks' names.
        home: an address that a link on the page leads back to; relative ones count from the page's folder.

    Raises `ArgumentError` for an atlas without maps, or whose maps have no grid size in common.
    """

    def __init__(self, atlas: ActivationAtlas, *, title: str | None = None, home: str | None = None) -> None:
        _check(atlas)
        shown = title or " and ".join(f"{one.layer} of {one.network}" for one in atlas.maps)
        self._makers = {**_data(atlas, shown, home), **_sheets(atlas), **_page(shown)}

    def files(self) -> tuple[str, ...]:
        """Paths relative to the page's folder, "/" between their parts; ``index.html`` is last."""
        return tuple(self._makers)

    def read(self, path: str) -> bytes:
        """The content of one of `files`. Raises `KeyError` for any other path."""
        return self._makers[path]()


def activation_files(atlas: ActivationAtlas, *, home: str | None = None) -> Iterator[tuple[str, bytes]]:
    """Every file of an activation atlas's page and its content, as `ActivationPage` says."""
    page = ActivationPage(atlas, home=home)
    return ((path, page.read(path)) for path in page.files())


def write_activation_page(
    atlas: ActivationAtlas, folder: str | os.PathLike[str], *, title: str | None = None, home: str | None = None
) -> Path:
    """Write the page of ``atlas`` into ``folder``, as `ActivationPage` says. Every file is written wholly or not at
    all, ``index.html`` after those that it needs. What an earlier page left there and this one has not is removed.

    Returns the path of ``index.html``. Raises `StorageError` where a file cannot be written or removed, and
    `ArgumentError` as `ActivationPage` does.
    """
    return write_files(ActivationPage(atlas, title=title, home=home), Path(folder))


def _check(atlas: ActivationAtlas) -> None:
    if not atlas.maps:
        raise ArgumentError("an activation atlas of no maps came; expected one map or two; make it anew")
    if not set.intersection(*({grid.size for grid in one.grids} for one in atlas.maps)):
        sizes = "; ".join(", ".join(str(grid.size) for grid in one.grids) or "none" for one in atlas.maps)
        raise ArgumentError(
            f"the maps of an activation atlas have no grid size in common (sizes: {sizes}); "
            "make them with the same grids"
        )


Makers = Mapping[str, Callable[[], bytes]]


def _data(atlas: ActivationAtlas, title: str, home: str | None) -> Makers:
    places = class_names(atlas.maps)[1]
    found: dict[str, Callable[[], bytes]] = {
        "data/activations.js": lambda: script("activations", atlas_document(atlas, title=title, home=home))
    }
    for number, one in enumerate(atlas.maps):
        for size in _sizes(one):
            found[grid_file(number, size)] = partial(_grid_script, one, number, size, places[number])
    return found


def _sizes(one: ActivationMap) -> list[int]:
    return [grid.size for grid in one.grids]


def _grid_script(one: ActivationMap, number: int, size: int, places: Mapping[int, int]) -> bytes:
    grid = next(grid for grid in one.grids if grid.size == size)
    return script(f"grid/{number}/{size}", grid_document(grid, number, places))


def _sheets(atlas: ActivationAtlas) -> Makers:
    return {
        sheet_file(number, grid.size, block): lambda grid=grid, cells=cells: sheet(cells, tile_side(grid))
        for number, one in enumerate(atlas.maps)
        for grid in one.grids
        for block, cells in blocks(grid).items()
    }


def _page(title: str) -> Makers:
    statics = {f"page/{name}": partial(_static, name) for name in (*SCRIPTS, _STYLE)}
    return {**statics, "index.html": partial(_index, title)}


def _index(title: str) -> bytes:
    scripts = "\n".join(f'<script src="page/{name}"></script>' for name in SCRIPTS)
    template = Template(_static("activations.html").decode())
    return template.substitute(title=html.escape(title), scripts=scripts).encode()


def _static(name: str) -> bytes:
    return resources.files("phosphene.web").joinpath(name).read_bytes()
