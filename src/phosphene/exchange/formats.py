"""Which kind of file holds the responses, by its first bytes, whatever it is called."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType

from phosphene.errors import StorageError
from phosphene.exchange.csv_file import read_csv
from phosphene.exchange.hdf5_file import read_hdf5
from phosphene.exchange.matlab_file import read_matlab
from phosphene.exchange.npz_file import read_npz
from phosphene.exchange.responses import Responses
from phosphene.store.atomic import read_bytes

MAX_FILE = 256 << 20  # bytes

_HDF5 = b"\x89HDF\r\n\x1a\n"
#: Where an HDF5 file may begin, behind the block of whoever made it: MATLAB's has 512 bytes.
_HDF5_OFFSETS = (0, 512, 1024, 2048, 4096)
#: Names in the zip files that spreadsheets write; no array of NumPy's is called so.
_WORKBOOK = (b"[Content_Types].xml", b"xl/workbook", b"application/vnd.oasis.opendocument")
_TEXT = (".csv", ".tsv", ".txt")
_SAID = MappingProxyType({".npz": "npz", ".h5": "HDF5", ".hdf5": "HDF5", ".mat": "MATLAB"})


def read_responses(path: str | os.PathLike[str]) -> Responses:
    """The responses in a file: CSV, npz, HDF5, or MATLAB of version 5 to 7.3. All of it is good, or nothing is used.

    The kind is told by the content. Each row is a trial: the stimulus' name or file, a number for each channel (nothing
    or NaN for a lost trial), and, if the file has one, the trial's number. See the modules of the formats for names of
    columns, arrays and variables.

    Raises:
        StorageError: the file cannot be read, is empty, damaged, cut off, of an unknown kind, or larger than 256 MiB.
        ParameterError: it says something impossible; the message names the file and the row.
        MissingExtraError: HDF5 or MATLAB without the extra ``lab``.
    """
    path = Path(path)
    data = read_bytes(path, limit=MAX_FILE)
    if not data.strip():
        raise StorageError(f"{path} is empty; expected responses: write it beside the folder and move it in when whole")
    return _reader(path, data)(str(path), data)


def is_workbook(data: bytes) -> bool:
    """Whether bytes are a spreadsheet's own file, of Excel since 2007 or before, or OpenDocument."""
    if data.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        return True
    return data.startswith(b"PK") and any(mark in data for mark in _WORKBOOK)


def _reader(path: Path, data: bytes) -> Callable[[str, bytes], Responses]:
    if is_workbook(data):
        raise StorageError(f"{path} is a workbook of a spreadsheet; expected a table of text: save it as 'CSV UTF-8'")
    if data.startswith(b"PK"):
        return read_npz
    if any(data.startswith(_HDF5, at) for at in _HDF5_OFFSETS):
        return read_hdf5
    if data.startswith(b"MATLAB 5.0 MAT-file"):
        return read_matlab
    if path.suffix.lower() in _TEXT:
        return read_csv
    kind = _SAID.get(path.suffix.lower(), "known")
    raise StorageError(
        f"{path} does not begin as a {kind} file does: {data[:8]!r}; expected CSV in a .csv file, npz, HDF5, or "
        "MATLAB 5 to 7.3 (is it cut off?)"
    )
