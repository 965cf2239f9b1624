"""The pages of a site, their scripts and their style, as they lie beside this module."""

from __future__ import annotations

import html
from functools import cache
from importlib import resources
from string import Template

#: What the pages share with those of an explanation.
_SHARED = ("explain_core.js",)
_PREFIX, _FOLDER = "atlas_", "page"


def page_files(*, comparing: bool) -> list[str]:
    """Paths in the site of everything that is the same in each: scripts, style, pages; ``index.html`` comes last."""
    pages = [f"{name.removeprefix(_PREFIX)}" for name in _names() if name.endswith(".html")]
    shown = [page for page in pages if comparing or page != "compare.html"]
    parts = [f"{_FOLDER}/{name}" for name in (*_SHARED, *_names()) if not name.endswith(".html")]
    return [*parts, *sorted(shown, key=lambda page: page == "index.html")]


@cache
def page_file(path: str, title: str) -> bytes:
    """One of these files.

    Args:
        path: in the site.
        title: of the atlas, for the pages' titles; any text.

    Raises `KeyError` for another path.
    """
    if path not in page_files(comparing=True):
        raise KeyError(path)
    folder, _, name = path.rpartition("/")
    text = _text(name if folder else _PREFIX + name)
    return (text if folder else Template(text).substitute(title=html.escape(title))).encode()


@cache
def _names() -> tuple[str, ...]:
    found = (entry.name for entry in resources.files("phosphene.web").iterdir())
    return tuple(sorted(name for name in found if name.startswith(_PREFIX) and name.endswith((".html", ".js", ".css"))))


def _text(name: str) -> str:
    return resources.files("phosphene.web").joinpath(name).read_text(encoding="utf-8")
