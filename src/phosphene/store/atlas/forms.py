"""Frozen values as plain JSON values and back, strictly: what a file of an atlas says is checked before it is used."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, TypeVar, get_args, get_origin

from phosphene.errors import StorageError

T = TypeVar("T")


def to_form(value: Any) -> Any:
    """``value`` as JSON values: dataclasses and mappings become objects, tuples become lists."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_form(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_form(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [to_form(item) for item in value]
    return value


def from_form(form: object, cls: type[T], path: str) -> T:
    """The frozen value of class ``cls`` that `to_form` wrote.

    Args:
        form: the JSON value.
        cls: a dataclass of numbers, texts, tuples, mappings of JSON values, and dataclasses of these.
        path: where the value stands, for messages.

    Raises:
        StorageError: a key is missing or unknown, or a value has the wrong type; the message names its path.
    """
    table = _require(isinstance(form, dict), form, path, "an object with named keys")
    hints = _hints(cls)
    names = {field.name for field in dataclasses.fields(typing.cast("Any", cls))}
    for name in sorted(names ^ set(table)):
        raise StorageError(f"{path}.{name}: the key is {'missing' if name in names else 'unknown'}")
    return cls(**{name: _read(table[name], hints[name], f"{path}.{name}") for name in names})


@cache
def _hints(cls: type[Any]) -> dict[str, Any]:
    # JSON's own name is known to type checkers only: it lives in a module that needs torch.
    return typing.get_type_hints(cls, localns={"JSON": object})


def _read(form: object, annotation: Any, path: str) -> Any:
    origin = get_origin(annotation)
    if origin in (types.UnionType, typing.Union):
        rest = [option for option in get_args(annotation) if option is not type(None)]
        return None if form is None else _read(form, rest[0], path)
    if origin is tuple:
        return _tuple(form, get_args(annotation), path)
    if origin is Literal:
        return _require(form in get_args(annotation), form, path, f"one of {list(get_args(annotation))}")
    if origin is not None:
        return _require(isinstance(form, dict), form, path, "an object with named keys")
    if dataclasses.is_dataclass(annotation):
        return from_form(form, typing.cast("type[Any]", annotation), path)
    if annotation is float and type(form) is int:
        return float(form)
    return _require(type(form) is annotation, form, path, f"a value of type {annotation.__name__}")


def _tuple(form: object, items: tuple[Any, ...], path: str) -> tuple[Any, ...]:
    values = _require(isinstance(form, list), form, path, "a list")
    if len(items) == 2 and items[1] is Ellipsis:
        items = (items[0],) * len(values)
    _require(len(values) == len(items), form, path, f"a list of {len(items)}")
    pairs = zip(values, items, strict=True)
    return tuple(_read(value, item, f"{path}[{i}]") for i, (value, item) in enumerate(pairs))


def _require(fits: bool, form: object, path: str, expected: str) -> Any:
    if fits:
        return form
    shown = repr(form)
    raise StorageError(f"{path}: expected {expected}, got {shown if len(shown) < 60 else shown[:57] + '…'}")
