"""Every path and file format in one place: PNGs that carry a document, recipe files, texts; all writes are atomic.

Names are imported when they are first used: whoever only reads an atlas does without torch.
"""

from __future__ import annotations

import importlib
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from phosphene.store.arrays import write_arrays
    from phosphene.store.atomic import write_bytes, write_text
    from phosphene.store.jpeg import encode_jpeg
    from phosphene.store.movie import open_movie
    from phosphene.store.names import distinct_stems, file_stem
    from phosphene.store.photographs import read_image, read_images
    from phosphene.store.png import encode_png, read_png_document, read_png_pixels, write_png
    from phosphene.store.recipe_files import read_recipe_file, to_toml, write_recipe_file
    from phosphene.store.sheet import contact_sheet

_HOMES = MappingProxyType(
    {
        "contact_sheet": "sheet",
        "distinct_stems": "names",
        "encode_jpeg": "jpeg",
        "encode_png": "png",
        "file_stem": "names",
        "open_movie": "movie",
        "read_image": "photographs",
        "read_images": "photographs",
        "read_png_document": "png",
        "read_png_pixels": "png",
        "read_recipe_file": "recipe_files",
        "to_toml": "recipe_files",
        "write_arrays": "arrays",
        "write_bytes": "atomic",
        "write_png": "png",
        "write_recipe_file": "recipe_files",
        "write_text": "atomic",
    }
)

__all__ = [
    "contact_sheet",
    "distinct_stems",
    "encode_jpeg",
    "encode_png",
    "file_stem",
    "open_movie",
    "read_image",
    "read_images",
    "read_png_document",
    "read_png_pixels",
    "read_recipe_file",
    "to_toml",
    "write_arrays",
    "write_bytes",
    "write_png",
    "write_recipe_file",
    "write_text",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'phosphene.store' has no attribute {name!r}")
    return getattr(importlib.import_module(f"phosphene.store.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
