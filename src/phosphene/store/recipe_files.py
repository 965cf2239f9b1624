"""Recipes as files that people write and read: JSON or TOML, chosen by the suffix."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from phosphene.errors import MissingExtraError, RecipeError, StorageError
from phosphene.store.atomic import read_bytes, write_text
from phosphene.store.documents import parse_json, parse_toml

_MAX_RECIPE = 64 << 20  # bytes; as large as a document inside a PNG may be


def read_recipe_file(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The recipe in a ``.json`` or ``.toml`` file, as plain data.

    Raises `StorageError` for a file that cannot be read or has another suffix, `RecipeError` for one that is malformed.
    """
    suffix = _suffix(path)
    data = read_bytes(path, limit=_MAX_RECIPE)
    return parse_json(data, path) if suffix == ".json" else parse_toml(data, path)


def write_recipe_file(path: str | os.PathLike[str], recipe: Mapping[str, Any]) -> Path:
    """Write ``recipe`` (plain data) to a ``.json`` or ``.toml`` file; returns the path.

    TOML has no null: keys without a value are left out there. Raises `StorageError` for another suffix or a failed
    write, `RecipeError` for values that the format cannot express, `MissingExtraError` for TOML without the extra
    ``cli``.
    """
    to_text = _to_json if _suffix(path) == ".json" else to_toml
    try:
        text = to_text(recipe)
    except (TypeError, ValueError) as error:
        raise RecipeError(f"{path}: the recipe cannot be written: {error}; expected plain finite values") from error
    return write_text(path, text)


def _suffix(path: str | os.PathLike[str]) -> str:
    suffix = Path(path).suffix.lower()
    if suffix not in {".json", ".toml"}:
        raise StorageError(f"{path} has the suffix {suffix!r}; a recipe file ends in .json or .toml")
    return suffix


def _to_json(recipe: Mapping[str, Any]) -> str:
    return json.dumps(recipe, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def to_toml(recipe: Mapping[str, Any]) -> str:
    """``recipe`` (plain data) as TOML, without the keys that have no value.

    Raises `MissingExtraError` without the extra ``cli``.
    """
    try:
        import tomli_w
    except ImportError as error:
        raise MissingExtraError("Writing a TOML file", "cli") from error
    return tomli_w.dumps(cast("dict[str, Any]", _without_none(recipe)))


def _without_none(value: object) -> object:
    if isinstance(value, Mapping):
        items = cast("Mapping[str, object]", value).items()
        return {key: _without_none(entry) for key, entry in items if entry is not None}
    if isinstance(value, list | tuple):
        return [_without_none(entry) for entry in cast("list[object]", value)]
    return value
