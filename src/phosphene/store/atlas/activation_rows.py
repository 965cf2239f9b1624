"""The form of an activation atlas's file: Parquet, a row for each cell with its picture; the rest is its metadata."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from phosphene.errors import StorageError
from phosphene.store.atlas.activation_map import ActivationAtlas, ActivationCell, ActivationGrid, ActivationMap
from phosphene.store.atlas.forms import from_form, to_form
from phosphene.store.atlas.libraries import arrow

if TYPE_CHECKING:
    import pyarrow as pa

#: Version of the form. A reader refuses what it does not know.
FORMAT = 1

_KEY, _DIGEST = b"phosphene_activation_atlas", b"phosphene_sha256"
_HUGGINGFACE = json.dumps({"info": {"features": {"image": {"_type": "Image"}}}})


def encode_activation_atlas(atlas: ActivationAtlas) -> bytes:
    """The content of an atlas's file.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """
    pyarrow = arrow()
    rows = [row for number, one in enumerate(atlas.maps) for row in _rows(number, one)]
    table = pyarrow.Table.from_pylist(rows, schema=_schema())
    header = {"format": FORMAT, "maps": [to_form(_without_cells(one)) for one in atlas.maps]}
    text = json.dumps(header, ensure_ascii=False).encode()
    metadata = {_KEY: text, _DIGEST: _digest(text), b"huggingface": _HUGGINGFACE}
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(
        table.replace_schema_metadata(metadata), buffer, compression="zstd", write_page_checksum=True
    )
    return buffer.getvalue()


def decode_activation_atlas(data: bytes, name: str = "the file") -> ActivationAtlas:
    """The atlas whose file's content is ``data``; messages call it ``name``.

    Raises:
        StorageError: it is no activation atlas, of a newer form, or damaged.
        MissingExtraError: pyarrow is not installed.
    """
    pyarrow = arrow()
    try:
        table = pyarrow.parquet.read_table(io.BytesIO(data), page_checksum_verification=True)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise StorageError(f"{name} is no activation atlas, or damaged ({error}); make it again") from error
    metadata = table.schema.metadata or {}
    if _KEY not in metadata:
        raise StorageError(f"{name} is no activation atlas; give what `phosphene atlas activations` wrote")
    if metadata.get(_DIGEST) != _digest(metadata[_KEY]):
        raise StorageError(f"{name} is damaged: its description does not fit its checksum; make it again")
    header = json.loads(metadata[_KEY])
    if header["format"] > FORMAT:
        raise StorageError(
            f"{name} has format {header['format']}, this phosphene reads up to {FORMAT}: it was made by a newer one; "
            "pip install --upgrade phosphene"
        )
    return _atlas([from_form(one, ActivationMap, name) for one in header["maps"]], table.to_pylist())


def _digest(text: bytes) -> bytes:
    return hashlib.sha256(text).hexdigest().encode()


def _without_cells(one: ActivationMap) -> ActivationMap:
    return replace(one, grids=tuple(ActivationGrid(grid.size, ()) for grid in one.grids))


def _rows(number: int, one: ActivationMap) -> Iterator[dict[str, Any]]:
    for grid in one.grids:
        for cell in grid.cells:
            yield {
                "map": number,
                "layer": one.layer,
                "grid": grid.size,
                "row": cell.row,
                "column": cell.column,
                "count": cell.count,
                "image": None if cell.image is None else {"bytes": cell.image, "path": None},
                "status": cell.status,
                "classes": [_class(one, index, attribution) for index, attribution in cell.classes],
                "examples": cell.examples,
            }


def _class(one: ActivationMap, index: int, attribution: float) -> dict[str, Any]:
    name = one.labels[index] if index < len(one.labels) else str(index)
    return {"index": index, "name": name, "attribution": attribution}


def _atlas(maps: Sequence[ActivationMap], rows: list[dict[str, Any]]) -> ActivationAtlas:
    cells: dict[tuple[int, int], list[ActivationCell]] = {}
    for row in rows:
        cells.setdefault((row["map"], row["grid"]), []).append(_cell(row))

    def grids(number: int, one: ActivationMap) -> tuple[ActivationGrid, ...]:
        return tuple(ActivationGrid(grid.size, tuple(cells.get((number, grid.size), ()))) for grid in one.grids)

    return ActivationAtlas(tuple(replace(one, grids=grids(number, one)) for number, one in enumerate(maps)))


def _cell(row: Mapping[str, Any]) -> ActivationCell:
    return ActivationCell(
        row=row["row"],
        column=row["column"],
        count=row["count"],
        image=None if row["image"] is None else row["image"]["bytes"],
        status=row["status"],
        classes=tuple((one["index"], one["attribution"]) for one in row["classes"]),
        examples=tuple(row["examples"]),
    )


def _schema() -> pa.Schema:
    pyarrow = arrow()
    image = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    each = pyarrow.struct([("index", pyarrow.int32()), ("name", pyarrow.string()), ("attribution", pyarrow.float64())])
    return pyarrow.schema(
        [
            ("map", pyarrow.int32()),
            ("layer", pyarrow.string()),
            *((name, pyarrow.int32()) for name in ("grid", "row", "column")),
            ("count", pyarrow.int64()),
            ("image", image),
            ("status", pyarrow.string()),
            ("classes", pyarrow.list_(each)),
            ("examples", pyarrow.list_(pyarrow.string())),
        ]
    )
