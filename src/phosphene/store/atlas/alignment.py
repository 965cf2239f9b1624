"""Which units of one atlas answer photographs like which of another, as a Parquet table."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

from phosphene.errors import StorageError
from phosphene.store.atlas.libraries import arrow
from phosphene.store.atlas.opening import first_look
from phosphene.store.atlas.reaching import reach

FORMAT = 1
_KEY = b"phosphene"
_TYPES = MappingProxyType(
    {"layer_a": "string", "unit_a": "int32", "layer_b": "string", "unit_b": "int32", "r": "float64"}
)


@dataclass(frozen=True, slots=True)
class AlignedUnit:
    """A unit of network A, and the unit of network B whose answers to the same photographs go with its own most.

    Attributes:
        layer_a, unit_a: the one.
        layer_b, unit_b: the other.
        r: Pearson's correlation of their answers.
    """

    layer_a: str
    unit_a: int
    layer_b: str
    unit_b: int
    r: float


@dataclass(frozen=True)
class AlignmentTable:
    """The partners of the units of A in B.

    Attributes:
        network_a, network_b: SHA-256 of the networks' weights.
        name_a, name_b: the networks' names.
        images: what the photographs came from, for people to read.
        n_images: how many photographs both were shown.
        units: layer by layer, by rising number; units whose answers never change have no partner and are left out.
    """

    network_a: str
    network_b: str
    name_a: str
    name_b: str
    images: str
    n_images: int
    units: tuple[AlignedUnit, ...] = field(repr=False)

    def of(self, layer: str) -> tuple[AlignedUnit, ...]:
        """The units of a layer of A; none of a layer that is not in it."""
        return self._by_layer.get(layer, ())

    @cached_property
    def digest(self) -> str:
        """A digest of everything, 32 hex digits."""
        found = hashlib.sha256(json.dumps(self._header(), sort_keys=True).encode())
        for one in self.units:
            found.update(repr(dataclasses.astuple(one)).encode())
        return found.hexdigest()[:32]

    @cached_property
    def _by_layer(self) -> Mapping[str, tuple[AlignedUnit, ...]]:
        found: dict[str, list[AlignedUnit]] = {}
        for one in self.units:
            found.setdefault(one.layer_a, []).append(one)
        return {layer: tuple(units) for layer, units in found.items()}

    def _header(self) -> dict[str, Any]:
        names = [one.name for one in dataclasses.fields(self) if one.name != "units"]
        return {"format": FORMAT, **{name: getattr(self, name) for name in names}}

    def to_bytes(self) -> bytes:
        """The table as a Parquet file. Raises `MissingExtraError` where pyarrow is not installed."""
        pa = arrow()
        columns = {name: [getattr(one, name) for one in self.units] for name in _TYPES}
        made = pa.table(columns, schema=_schema().with_metadata({_KEY: json.dumps(self._header())}))
        sink = pa.BufferOutputStream()
        pa.parquet.write_table(made, sink, compression="zstd", write_page_checksum=True)
        return sink.getvalue().to_pybytes()

    @classmethod
    def from_bytes(cls, data: bytes, name: str = "the file") -> AlignmentTable:
        """What :meth:`to_bytes` gave.

        Args:
            data: the file's bytes.
            name: what the file is called, for messages.

        Raises:
            StorageError: it is damaged, no alignment, or of a newer format.
            MissingExtraError: pyarrow is not installed.
        """
        pa = arrow()
        try:
            table = pa.parquet.read_table(pa.BufferReader(data), page_checksum_verification=True)
            header: dict[str, Any] = json.loads((table.schema.metadata or {})[_KEY])
            version = header.pop("format")
        except (pa.ArrowException, OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            raise StorageError(f"{name} is no alignment, or damaged ({error}); align the networks again") from error
        if version != FORMAT:
            raise StorageError(
                f"{name} has format {version!r}; this phosphene reads format {FORMAT}: use a newer phosphene"
            )
        return _table(cls, header, table, name)


def save_alignment(
    table: AlignmentTable, where: str | os.PathLike[str], *, storage_options: Mapping[str, Any] | None = None
) -> str:
    """Write an alignment, wholly or not at all.

    Args:
        table: the alignment.
        where: a file that ends in ``.parquet``; or a folder, here or at an address, that gets
            ``alignment-<digest>.parquet``.
        storage_options: what the file system needs to be told, as fsspec takes it.

    Returns the file's path or address.

    Raises:
        StorageError: it cannot be written there.
        MissingExtraError: pyarrow, or fsspec for an address, is not installed.
    """
    text = os.fspath(where)
    if not text.endswith(".parquet"):
        text = f"{text.rstrip('/')}/alignment-{table.digest}.parquet"
    folder, name = _split(text)
    reach(folder, storage_options).write(name, table.to_bytes())
    return text


def load_alignment(
    where: str | os.PathLike[str], *, storage_options: Mapping[str, Any] | None = None
) -> AlignmentTable:
    """The alignment in a file.

    Args:
        where: the path or address that :func:`save_alignment` returned.
        storage_options: what the file system needs to be told, as fsspec takes it.

    Raises:
        StorageError: there is no such file, or it is damaged, no alignment, or of a newer format.
        MissingExtraError: pyarrow, or fsspec for an address, is not installed.
    """
    text = os.fspath(where)
    folder, name = _split(text)
    place = reach(folder, storage_options)
    return AlignmentTable.from_bytes(first_look(place, lambda brief: brief.read(name)), text)


def _split(text: str) -> tuple[str, str]:
    folder, slash, name = text.rpartition("/")
    if folder.endswith(":/"):  # the root of a file system, such as memory://
        folder += "/"
    return (folder or slash or "."), name


def _schema() -> Any:
    pa = arrow()
    return pa.schema([(name, getattr(pa, kind)()) for name, kind in _TYPES.items()])


def _table(cls: type[AlignmentTable], header: dict[str, Any], table: Any, name: str) -> AlignmentTable:
    if not table.schema.equals(_schema()):
        raise StorageError(f"{name} is no alignment: it has columns {table.column_names}; align the networks again")
    try:
        columns = [table.column(column).to_pylist() for column in _TYPES]
        return cls(**header, units=tuple(AlignedUnit(*row) for row in zip(*columns, strict=True)))
    except TypeError as error:
        raise StorageError(f"{name} is damaged ({error}); align the networks again") from error
