"""Parsing of documents that may come from strangers: bounded, and with the place of an error in its message."""

from __future__ import annotations

import json
import math
import os
import tomllib
from typing import Any, cast

from phosphene.errors import RecipeError


def parse_json(data: bytes, path: str | os.PathLike[str]) -> dict[str, Any]:
    """The JSON object in ``data``, which came from ``path``. Raises `RecipeError` when there is none."""
    try:
        found = json.loads(data, parse_constant=_refuse_constant, parse_float=_finite)
        if b"\\u" in data:  # half a letter, which no file and no page can hold
            json.dumps(found, ensure_ascii=False).encode()
        return _object(found, path)
    except RecursionError as error:
        raise RecipeError(f"{path}: the document is nested too deeply") from error
    except ValueError as error:
        if isinstance(error, RecipeError):
            raise
        raise RecipeError(f"{path}: the document is not JSON: {error}") from error


def parse_toml(data: bytes, path: str | os.PathLike[str]) -> dict[str, Any]:
    """The TOML table in ``data``, which came from ``path``. Raises `RecipeError` when there is none."""
    try:
        return tomllib.loads(data.decode())
    except RecursionError as error:
        raise RecipeError(f"{path}: the document is nested too deeply to be a recipe") from error
    except ValueError as error:
        raise RecipeError(f"{path}: the document is not TOML: {error}") from error


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")


def _finite(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError(f"{text} is more than a number can be")
    return value


def _object(value: object, path: str | os.PathLike[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise RecipeError(f"{path}: the document is a JSON {type(value).__name__}; expected an object with named keys")
    return cast("dict[str, Any]", value)
