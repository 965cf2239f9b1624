"""Responses as NumPy arrays in a zip file; nothing is unpickled, and sizes are known before anything is unpacked."""

from __future__ import annotations

import io
import math
import zipfile
import zlib

import numpy as np
from numpy.lib import format as npy

from phosphene.errors import PhospheneError, StorageError
from phosphene.exchange import columns
from phosphene.exchange.responses import Array, Responses, bad_content, from_arrays

#: Bytes of all arrays together, unpacked.
MAX_UNPACKED = 1 << 29
_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def read_npz(source: str, data: bytes) -> Responses:
    """The responses in an npz file's bytes: ``stimulus`` (n text), ``responses`` (n,) or (n, k), perhaps ``trial``
    (n,).

    Raises:
        StorageError: the file is damaged or cut off.
        ParameterError: arrays are missing, too large, pickled, or do not fit each other.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check_sizes(source, archive)
            members = {name.removesuffix(".npy"): name for name in archive.namelist() if name.endswith(".npy")}
            wanted = {k: columns.find(members, getattr(columns, k)) for k in ("STIMULUS", "RESPONSES", "TRIAL")}
            arrays = {kind: _array(source, name, archive.read(members[name])) for kind, name in wanted.items() if name}
    except PhospheneError:
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError, ValueError) as error:
        raise StorageError(
            f"{source} is a damaged npz file: {error}; expected what numpy.savez writes (is it cut off?)"
        ) from error
    for kind, example in (("STIMULUS", "stimulus"), ("RESPONSES", "responses")):
        if kind not in arrays:
            what = f"no array holds the {example}; there are {sorted(members)[:10]}"
            raise bad_content(source, what, f"one called {example!r}")
    names = text_of(source, arrays["STIMULUS"])
    return from_arrays(source, names, values=arrays["RESPONSES"], trials=arrays.get("TRIAL"))


def text_of(source: str, values: Array) -> list[str]:
    """The names in an array of text (n,) or (n, 1) or (1, n), characters or UTF-8 bytes.

    Raises:
        ParameterError: it is no text, or has more axes.
    """
    if values.dtype.kind not in "US":
        raise bad_content(source, f"the stimuli are of type {values.dtype}", "text: the stimuli's names")
    if values.size != max((*values.shape, 1)):
        raise bad_content(source, f"the stimuli have the shape {values.shape}", "a list of names")
    return [decoded(source, name, i + 1) for i, name in enumerate(values.reshape(-1).tolist())]


def decoded(source: str, name: str | bytes, row: int) -> str:
    """A name as text.

    Raises:
        ParameterError: bytes that are not UTF-8.
    """
    try:
        return name if isinstance(name, str) else name.decode()
    except UnicodeDecodeError as error:
        raise bad_content(source, f"the stimulus is called {name!r}", "text in UTF-8", row=row) from error


def _check_sizes(source: str, archive: zipfile.ZipFile) -> None:
    total = sum(member.file_size for member in archive.infolist())
    if total > MAX_UNPACKED:
        raise bad_content(source, f"its arrays have {total} bytes unpacked", f"at most {MAX_UNPACKED}")


def _array(source: str, name: str, data: bytes) -> Array:
    """An array from the bytes of an npy file, which must be exactly as many as its header says."""
    stream = io.BytesIO(data)
    try:
        read_header = _HEADERS[npy.read_magic(stream)]
        shape, is_fortran, dtype = read_header(stream)
    except (KeyError, ValueError, SyntaxError) as error:
        raise StorageError(f"{source} is damaged: its array {name!r} has no readable header: {error}") from error
    if dtype.hasobject:
        raise bad_content(
            source, f"its array {name!r} holds pickled objects", "plain text and numbers: np.array(names)"
        )
    held = len(data) - stream.tell()
    if math.prod(shape) * dtype.itemsize != held or min((*shape, 0)) < 0:
        raise StorageError(
            f"{source} is damaged: its array {name!r} of shape {shape} holds {held} bytes; save it again"
        )
    if not held:
        return np.empty(shape, dtype)
    return np.frombuffer(data, dtype, offset=stream.tell()).reshape(shape, order="F" if is_fortran else "C")
