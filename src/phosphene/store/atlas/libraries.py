"""The libraries that an atlas needs, imported when they are first used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from phosphene.errors import MissingExtraError


def arrow() -> Any:
    """pyarrow with its ``compute`` and ``parquet``. Raises `MissingExtraError` where it is not installed."""
    try:
        import pyarrow
        import pyarrow.compute  # pyright: ignore[reportUnusedImport] - an import is what puts it there
        import pyarrow.parquet  # pyright: ignore[reportUnusedImport]
    except ImportError:
        raise MissingExtraError("an atlas", "atlas") from None
    return pyarrow


# pyarrow's own ways between arrays, lists and columns import pandas where it is installed, which takes 40 MB; these do
# without.


def numbers(column: Any, missing: float) -> npt.NDArray[Any]:
    """A column of numbers as an array, with ``missing`` where there is none."""
    found = [np.empty(0, column.type.to_pandas_dtype())]
    for chunk in column.chunks:
        values = np.frombuffer(chunk.buffers()[1], found[0].dtype)[chunk.offset : chunk.offset + len(chunk)]
        there = np.from_dlpack(chunk.is_valid().cast("uint8")) if chunk.null_count else True
        found.append(np.where(there, values, np.array(missing, found[0].dtype)))
    return np.concatenate(found)


def taken(table: Any, rows: Sequence[int]) -> Any:
    """Some rows of a table."""
    pa, positions = arrow(), np.array(rows, np.int64)
    return table.take(pa.Array.from_buffers(pa.int64(), len(positions), [None, pa.py_buffer(positions)]))


def coded(column: Any) -> tuple[npt.NDArray[np.int32], list[Any]]:
    """A column of texts as places in the list of those that there are, each once, in the order in which they come."""
    names: dict[Any, int] = {}
    codes = [np.empty(0, np.int32)]
    for chunk in column.chunks:
        encoded = chunk.dictionary_encode("encode")
        own = [names.setdefault(name, len(names)) for name in encoded.dictionary.to_pylist()]
        codes.append(np.array(own, np.int32)[numbers(arrow().chunked_array([encoded.indices]), 0)])
    return np.concatenate(codes), list(names)


def filesystems() -> Any:
    """fsspec. Raises `MissingExtraError` where it is not installed."""
    try:
        import fsspec
        import fsspec.core  # pyright: ignore[reportUnusedImport]
    except ImportError:
        raise MissingExtraError("an atlas at an address such as s3://…", "atlas") from None
    return fsspec
