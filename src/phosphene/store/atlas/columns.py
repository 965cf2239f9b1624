"""Rows of pictures as the columns of a table, and back.

The columns are the fields of :class:`~phosphene.store.atlas.records.Picture` and a checksum of them. The picture is a
struct of its bytes and a file name, and the schema says so in the way of Hugging Face's ``datasets``, which shows it.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from phosphene.errors import ParameterError
from phosphene.store.atlas.checksums import checksum
from phosphene.store.atlas.damage import DamagedRowError
from phosphene.store.atlas.libraries import arrow
from phosphene.store.atlas.records import STATUSES, VARIANTS, Picture

#: Columns and their types, in the order in which they lie in a file. Those of an index stand together, so that one
#: request fetches them.
COLUMNS = MappingProxyType(
    {
        "image": "image",
        "id": "string",
        "job": "string",
        "layer": "string",
        "unit": "int32",
        "variant": "string",
        "member": "int32",
        "seed": "int64",
        "status": "string",
        "score": "float64",
        "robust_score": "float64",
        "seconds": "float64",
        "reason": "string",
        "recipe": "string",
        "height": "int32",
        "width": "int32",
        "checksum": "string",
        "curve": "floats",
        "embedding": "floats",
    }
)
#: What an index knows of a row.
INDEXED = tuple(list(COLUMNS)[1:12])


def schema(metadata: Mapping[str, str] | None = None) -> Any:
    """The pyarrow schema of pictures, with ``metadata`` beside Hugging Face's."""
    pa = arrow()
    kinds = {
        "image": pa.struct([("bytes", pa.binary()), ("path", pa.string())]),
        "floats": pa.list_(pa.field("element", pa.float64())),
    }
    features = {"info": {"features": {name: _feature(kind) for name, kind in COLUMNS.items()}}}
    types = [(name, kinds[kind] if kind in kinds else getattr(pa, kind)()) for name, kind in COLUMNS.items()]
    return pa.schema(types, metadata={"huggingface": json.dumps(features), **(metadata or {})})


def to_table(pictures: Sequence[Picture], metadata: Mapping[str, str] | None = None) -> Any:
    """The rows as a pyarrow table.

    Raises:
        ParameterError: a value does not fit its column.
    """
    pa = arrow()
    whole = schema(metadata)
    names = [name for name in whole.names if name != "checksum"]
    try:
        table = pa.Table.from_pylist(
            [_row(picture) for picture in pictures], pa.schema([whole.field(n) for n in names])
        )
    except (pa.ArrowException, OverflowError, TypeError, ValueError) as error:
        raise ParameterError(f"a picture does not fit the columns of an atlas: {error}") from error
    # Of the columns' values, not of the caller's: a whole number in a column of reals is read as a real.
    checksums = pa.array([checksum(_read(row)) for row in table.to_pylist()])
    return table.add_column(whole.get_field_index("checksum"), "checksum", checksums).cast(whole)


def to_pictures(table: Any) -> list[Picture]:
    """The rows of a table, each compared with its checksum.

    Raises:
        DamagedRowError: a row is not what was written.
    """
    return [_picture(row) for row in table.to_pylist()]


def _row(picture: Picture) -> dict[str, Any]:
    check_picture(picture)
    row = {field.name: getattr(picture, field.name) for field in dataclasses.fields(picture)}
    image = None if picture.image is None else {"bytes": picture.image, "path": _file_name(picture.id)}
    return row | {"image": image}


def check_picture(picture: Picture) -> None:
    """Refuse a row that readers could not tell apart or sort. Raises `ParameterError`."""
    if not (picture.id and picture.id.isascii() and picture.id.isprintable()):
        raise ParameterError(f"id of a picture is {picture.id!r}; expected a digest")
    if picture.variant not in VARIANTS or picture.status not in STATUSES:
        raise ParameterError(
            f"variant and status of {picture.id} are {picture.variant!r} and {picture.status!r}; "
            f"expected of {', '.join(VARIANTS)} and of {', '.join(STATUSES)}"
        )
    for name in ("score", "robust_score"):
        value = getattr(picture, name)
        if value is not None and not abs(value) < float("inf"):
            raise ParameterError(f"{name} of {picture.id} is {value!r}; expected a finite number, or None")
    if picture.status == "ok" and picture.image is None:
        raise ParameterError(f"image of {picture.id} is None; expected a picture where the status is 'ok'")


def _picture(row: dict[str, Any]) -> Picture:
    written, image = row.pop("checksum"), row["image"]
    try:
        picture = _read(row)
        fits = checksum(picture) == written and (image is None or image["path"] == _file_name(picture.id))
    except (TypeError, ValueError, OverflowError) as error:
        raise DamagedRowError(f"row {row.get('id')!r} cannot be read: {error}") from error
    if not fits:
        raise DamagedRowError(f"the checksum of row {picture.id!r} is wrong")
    return picture


def _read(row: dict[str, Any]) -> Picture:
    values: dict[str, Any] = {**row, **{name: tuple(row[name]) for name in ("curve", "embedding")}}
    values["image"] = None if row["image"] is None else row["image"]["bytes"]
    return Picture(**values)


def _file_name(picture_id: str) -> str:
    return f"{picture_id}.webp"


def _feature(kind: str) -> dict[str, Any]:
    if kind == "image":
        return {"_type": "Image"}
    if kind == "floats":
        return {"feature": {"dtype": "float64", "_type": "Value"}, "_type": "Sequence"}
    return {"dtype": kind, "_type": "Value"}
