"""Responses in MATLAB files of versions 5 to 7; those of 7.3 are HDF5."""

from __future__ import annotations

import io
import math
import struct
import warnings
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from phosphene.errors import MissingExtraError, PhospheneError, StorageError
from phosphene.exchange import columns
from phosphene.exchange.npz_file import MAX_UNPACKED
from phosphene.exchange.responses import Array, Responses, bad_content, from_arrays

_HEADER = 128  # bytes; the last two of them say how numbers are written (MAT-File Format, "Level 5 MAT-File Format")
_COMPRESSED = 15  # type of an element that is a zlib stream of another


def read_matlab(source: str, data: bytes) -> Responses:
    """The responses in a MATLAB file's bytes: ``stimulusID`` or ``stimulus``, a cell array or character matrix of n
    names; ``tEvokedResp`` or ``responses``, a matrix (n, k); perhaps ``trial``, n numbers.

    Raises:
        MissingExtraError: SciPy is not installed.
        StorageError: the file is damaged or cut off.
        ParameterError: variables are missing, too large, of other classes, or do not fit each other.
    """
    try:
        from scipy import io as matlab
    except ImportError as error:
        raise MissingExtraError("Reading MATLAB files", "lab") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # such as two variables of one name
            _check_unpacked(source, data)
            wanted = _wanted(source, matlab.whosmat(io.BytesIO(data)))
            found = matlab.loadmat(io.BytesIO(data), variable_names=list(wanted.values()))
    except PhospheneError:
        raise
    except Exception as error:  # the library has many ways to stumble over a damaged file
        raise StorageError(
            f"{source} is a damaged MATLAB file: {error}; expected a whole one (is it cut off?)"
        ) from error
    arrays = {kind: _array(source, name, found) for kind, name in wanted.items()}
    names = _names(source, arrays["stimulus"])
    return from_arrays(source, names, values=arrays["responses"], trials=arrays.get("trial"))


def _check_unpacked(source: str, data: bytes) -> None:
    """Add up what the elements of the file will take in memory; each must lie in the file."""
    order = ">" if data[126:128] == b"MI" else "<"
    at, total = _HEADER, 0
    while at + 8 <= len(data):
        kind, size = struct.unpack_from(f"{order}II", data, at)
        total += size
        if at + 8 + size > len(data):
            raise ValueError("a variable reaches beyond its end")
        if kind == _COMPRESSED:
            inner = zlib.decompressobj().decompress(data[at + 8 : at + 8 + size], 8)
            total += struct.unpack(f"{order}II", inner)[1]
        at += 8 + size
    if total > MAX_UNPACKED:
        raise bad_content(source, f"its variables have {total} bytes unpacked", f"at most {MAX_UNPACKED}")


def _wanted(source: str, listed: Sequence[tuple[str, tuple[int, ...], str]]) -> dict[str, str]:
    """The variables that hold stimuli, responses and trials, by what they hold."""
    sizes = {name: math.prod(shape) for name, shape, _ in listed}
    choices = {"stimulus": columns.STIMULUS, "responses": columns.RESPONSES, "trial": columns.TRIAL}
    found = {kind: columns.find(sizes, wanted) for kind, wanted in choices.items()}
    for kind, example in (("stimulus", "a cell array of names: stimulus = cellstr(names)"), ("responses", "a matrix")):
        if found[kind] is None:
            what = f"no variable holds the {kind}; there are {sorted(sizes)[:10]}"
            raise bad_content(source, what, f"one called {kind!r}, {example}")
    return {kind: name for kind, name in found.items() if name is not None}


def _array(source: str, name: str, found: dict[str, Any]) -> Array:
    value = found.get(name)
    if not isinstance(value, np.ndarray) or value.dtype.names:
        raise bad_content(source, f"the variable {name!r} is no full array", "numbers, characters or cells")
    return value


def _names(source: str, values: Array) -> list[str]:
    if values.size != max((*values.shape, 1)) or values.dtype.kind not in "UO":
        what = f"the stimuli are an array of type {values.dtype} and shape {values.shape}"
        raise bad_content(source, what, "a cell array of names: stimulus = cellstr(names)")
    return [_name(source, cell, i + 1) for i, cell in enumerate(values.reshape(-1).tolist())]


def _name(source: str, cell: object, row: int) -> str:
    """A name: a line of a matrix of characters, padded with blanks, or what a cell holds."""
    if isinstance(cell, str):
        return cell.rstrip()
    if isinstance(cell, np.ndarray) and cell.dtype.kind == "U" and cell.size == 1:
        return str(cell.reshape(-1)[0]).rstrip()
    raise bad_content(source, "the cell of the stimulus holds no text", "the name of a stimulus", row=row)
