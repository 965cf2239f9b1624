"""Responses in HDF5 files, those of MATLAB 7.3 among them, whose arrays stand in the file with their axes reversed."""

from __future__ import annotations

import io
import math
import re
import struct
from typing import Any

import numpy as np

from phosphene.errors import MissingExtraError, PhospheneError, StorageError
from phosphene.exchange import columns
from phosphene.exchange.npz_file import MAX_UNPACKED, decoded, text_of
from phosphene.exchange.responses import MAX_ROWS, Array, Responses, bad_content, from_arrays

_CLASS = "MATLAB_class"
_ENTRY = 16  # bytes of an entry's header in a heap


def read_hdf5(source: str, data: bytes) -> Responses:
    """The responses in an HDF5 file's bytes: ``stimulus`` (n text), ``responses`` (n,) or (n, k), perhaps ``trial``
    (n,); or a MATLAB 7.3 file with a cell array or character matrix of names and a matrix (n, k).

    Raises:
        MissingExtraError: h5py is not installed.
        StorageError: the file is damaged or cut off.
        ParameterError: arrays are missing, too large, elsewhere, or do not fit each other.
    """
    try:
        import h5py
    except ImportError as error:
        raise MissingExtraError("Reading HDF5 and MATLAB 7.3 files", "lab") from error
    _check_heaps(source, data)
    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            return _read(source, file)
    except PhospheneError:
        raise
    except Exception as error:  # the library has many ways to stumble over a damaged file
        raise StorageError(
            f"{source} is a damaged HDF5 file: {error}; expected a whole one (is it cut off?)"
        ) from error


def _check_heaps(source: str, data: bytes) -> None:
    """Refuse a heap of texts in which the library (HDF5 2.0 and before) would go round for ever: an entry 0, the free
    space, of no size. The layout is that of a global heap in the HDF5 File Format Specification, III.E.
    """
    for heap in re.finditer(rb"GCOL\x01\0\0\0", data):
        at, size = heap.end() + 8, int.from_bytes(data[heap.end() : heap.end() + 8], "little")
        end = min(heap.start() + size, len(data))
        while at + _ENTRY <= end:
            index, held = struct.unpack_from("<H6xQ", data, at)
            if index == 0 and held < _ENTRY:
                raise StorageError(f"{source} is a damaged HDF5 file: a heap of texts has no end; save it again")
            at += held if index == 0 else _ENTRY + -(-held // 8) * 8


def _read(source: str, file: Any) -> Responses:
    stimuli = _dataset(source, file, columns.STIMULUS)
    responses = _dataset(source, file, columns.RESPONSES)
    trial = columns.find(file, columns.TRIAL)
    trials = None if trial is None else _numbers(source, _dataset(source, file, columns.TRIAL))
    return from_arrays(source, _names(source, file, stimuli), values=_numbers(source, responses), trials=trials)


def _dataset(source: str, file: Any, wanted: tuple[str, ...]) -> Any:
    """A dataset whose values are in this file itself, and fit into memory."""
    import h5py

    name = columns.find(file, wanted)
    if name is None:
        what = f"no dataset holds the {wanted[0]}; there are {sorted(file)[:10]}"
        raise bad_content(source, what, f"one called {wanted[0]!r}")
    # A link or a virtual dataset could lead to any file of this machine.
    inside = isinstance(file.get(name, getlink=True), h5py.HardLink)
    found = file[name] if inside else None
    if not isinstance(found, h5py.Dataset) or found.external or found.is_virtual:
        raise bad_content(
            source, f"{name!r} is no dataset of this file's own", "numbers or text, not a group or a link"
        )
    if found.shape is None or found.nbytes > MAX_UNPACKED:
        raise bad_content(source, f"{name!r} holds {found.nbytes} bytes", f"at most {MAX_UNPACKED}, and not nothing")
    return found


def _numbers(source: str, dataset: Any) -> Array:
    if dataset.dtype.kind not in "biuf":
        raise bad_content(source, f"{dataset.name[1:]!r} is of type {dataset.dtype}", "real numbers")
    return _as_matlab(dataset)


def _as_matlab(dataset: Any) -> Array:
    """The values, with the axes that they have in MATLAB if it wrote them."""
    if _CLASS not in dataset.attrs:
        return dataset[()]
    if "MATLAB_empty" in dataset.attrs:
        return np.empty((0, 0))
    return dataset[()].T


def _names(source: str, file: Any, dataset: Any) -> list[str]:
    import h5py

    if dataset.size > MAX_ROWS:
        raise bad_content(source, f"it holds {dataset.size} stimuli", f"at most {MAX_ROWS}")
    kind = _matlab_class(dataset)
    if kind == "cell" and h5py.check_ref_dtype(dataset.dtype) is h5py.Reference:
        cells = _as_matlab(dataset).reshape(-1)
        return [_name_in_cell(source, file[cell], i + 1) for i, cell in enumerate(cells)]
    if kind == "char":
        return _rows_of_characters(source, dataset)
    if kind:
        expected = "a cell array of names: stimulusID = cellstr(names)"
        raise bad_content(source, f"{dataset.name[1:]!r} is of MATLAB's class {kind!r}", expected)
    return _text(source, dataset)


def _matlab_class(dataset: Any) -> str:
    kind = dataset.attrs.get(_CLASS, b"")
    return kind.decode("ascii", "replace") if isinstance(kind, bytes) else str(kind)


def _name_in_cell(source: str, dataset: Any, row: int) -> str:
    if _matlab_class(dataset) != "char" or "MATLAB_empty" in dataset.attrs or dataset.size > MAX_ROWS:
        raise bad_content(source, "the cell of the stimulus holds no text", "the name of a stimulus", row=row)
    names = _rows_of_characters(source, dataset)
    if len(names) != 1:
        raise bad_content(source, f"the cell of the stimulus holds {len(names)} lines", "one name", row=row)
    return names[0]


def _rows_of_characters(source: str, dataset: Any) -> list[str]:
    """The lines of a matrix of characters, which MATLAB files as UTF-16 units, padded with blanks."""
    units = _as_matlab(dataset)
    if units.ndim != 2 or units.dtype.kind != "u" or not math.prod(units.shape):
        raise bad_content(source, f"{dataset.name[1:]!r} is no matrix of characters", "a name in each row")
    lines = np.ascontiguousarray(units.astype("<u2"))
    return [line.tobytes().decode("utf-16-le", "replace").rstrip() for line in lines]


def _text(source: str, dataset: Any) -> list[str]:
    import h5py

    if h5py.check_string_dtype(dataset.dtype) is None:
        raise bad_content(source, f"the stimuli are of type {dataset.dtype}", "text: the stimuli's names")
    values = np.asarray(dataset[()])
    if values.dtype.kind != "O":
        return text_of(source, values)
    if values.size != max((*values.shape, 1)):
        raise bad_content(source, f"the stimuli have the shape {values.shape}", "a list of names")
    return [decoded(source, name, i + 1) for i, name in enumerate(values.reshape(-1).tolist())]
