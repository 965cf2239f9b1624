"""Files of responses as rigs write them: one writer for each format, all of the same arguments."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import h5py
import numpy as np
from scipy import io as matlab

Names = Sequence[str]
Writer = Callable[[Path, Names, np.ndarray, Sequence[int] | None], Path]
#: The text that MATLAB writes into the first 116 bytes of a file of version 7.3; 8 bytes, version and byte order follow.
TEXT_73 = b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: Mon Jan  5 10:00:00 2026 HDF5 schema 1.00 ."


def table(names: Names, values: np.ndarray, trials: Sequence[int] | None = None, delimiter: str = ",") -> str:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    channels = ["response"] if values.shape[1] == 1 else [f"channel_{i}" for i in range(values.shape[1])]
    writer.writerow(["stimulus", *(["trial"] if trials is not None else []), *channels])
    for i, name in enumerate(names):
        numbers = ["" if np.isnan(value) else repr(float(value)) for value in values[i]]
        writer.writerow([name, *([trials[i]] if trials is not None else []), *numbers])
    return text.getvalue()


def write_csv(path: Path, names: Names, values: np.ndarray, trials: Sequence[int] | None = None) -> Path:
    path = path / "responses.csv"
    path.write_text(table(names, values, trials), encoding="utf-8", newline="")
    return path


def write_excel_csv(path: Path, names: Names, values: np.ndarray, trials: Sequence[int] | None = None) -> Path:
    """UTF-8 with a byte-order mark, semicolons, CRLF."""
    path = path / "responses.csv"
    text = table(names, values, trials, delimiter=";").replace("\n", "\r\n")
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    return path


def write_npz(path: Path, names: Names, values: np.ndarray, trials: Sequence[int] | None = None) -> Path:
    path = path / "responses.npz"
    arrays = {"stimulus": np.array(names), "responses": values}
    np.savez_compressed(path, **arrays, **({} if trials is None else {"trial": np.array(trials)}))
    return path


def write_h5(path: Path, names: Names, values: np.ndarray, trials: Sequence[int] | None = None) -> Path:
    path = path / "responses.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("ids", data=list(names), dtype=h5py.string_dtype())
        file.create_dataset("scores", data=values, compression="gzip")
        if trials is not None:
            file["trial"] = np.array(trials)
    return path


def write_h5_bytes(path: Path, names: Names, values: np.ndarray, trials: Sequence[int] | None = None) -> Path:
    """Names of one length, as ``S`` arrays are filed."""
    path = path / "responses.hdf5"
    with h5py.File(path, "w") as file:
        file["stimulus"] = np.array([name.encode() for name in names])
        file["responses"] = values
        if trials is not None:
            file["trial"] = np.array(trials)
    return path


def write_mat5(path: Path, names: Names, values: np.ndarray, trials: Sequence[int] | None = None) -> Path:
    """Cells of names, as XDream's rigs write them, compressed as by ``save -v7``."""
    path = path / "responses.mat"
    variables = {"stimulusID": np.array(names, dtype=object).reshape(-1, 1), "tEvokedResp": values}
    trial = {} if trials is None else {"trial": np.array(trials, dtype=float).reshape(-1, 1)}
    matlab.savemat(path, variables | trial, do_compression=True)
    return path


def write_mat5_chars(path: Path, names: Names, values: np.ndarray, trials: Sequence[int] | None = None) -> Path:
    """A matrix of characters, ``char(names)``; uncompressed as by ``save -v6``; trials in a row."""
    path = path / "responses.mat"
    variables = {"stimulus": np.array(names), "responses": values}
    matlab.savemat(path, variables | ({} if trials is None else {"trial": np.array(trials, dtype=np.int32)}))
    return path


def write_mat73(path: Path, names: Names, values: np.ndarray, trials: Sequence[int] | None = None) -> Path:
    """A cell array of references to arrays of UTF-16 units, as MATLAB files ``save -v7.3``."""
    with mat73(path / "responses.mat") as file:
        refs = file.create_group("#refs#")
        cells = np.empty((1, len(names)), dtype=h5py.ref_dtype)
        for i, name in enumerate(names):
            cells[0, i] = characters(refs, f"cell{i}", [name]).ref
        file.create_dataset("stimulusID", data=cells, dtype=h5py.ref_dtype).attrs["MATLAB_class"] = np.bytes_("cell")
        double(file, "tEvokedResp", values)
        if trials is not None:
            double(file, "trial", np.array(trials, dtype=float).reshape(-1, 1))
    return with_userblock(path / "responses.mat")


def write_mat73_chars(path: Path, names: Names, values: np.ndarray, trials: Sequence[int] | None = None) -> Path:
    with mat73(path / "responses.mat") as file:
        characters(file, "stimulus", names)
        double(file, "responses", values)
        if trials is not None:
            double(file, "trial", np.array(trials, dtype=float).reshape(1, -1))
    return with_userblock(path / "responses.mat")


def mat73(path: Path) -> h5py.File:
    return h5py.File(path, "w", userblock_size=512)


def with_userblock(path: Path) -> Path:
    with path.open("r+b") as file:
        file.write(TEXT_73.ljust(116) + bytes(8) + b"\x00\x02IM")
    return path


def double(parent: h5py.Group, name: str, values: np.ndarray) -> h5py.Dataset:
    """A matrix; MATLAB counts columns first, so its axes stand reversed."""
    dataset = parent.create_dataset(name, data=np.ascontiguousarray(values.T))
    dataset.attrs["MATLAB_class"] = np.bytes_("double")
    return dataset


def characters(parent: h5py.Group, name: str, lines: Names) -> h5py.Dataset:
    width = max(map(len, lines))
    units = np.array([[ord(letter) for letter in line.ljust(width)] for line in lines], dtype=np.uint16)
    dataset = parent.create_dataset(name, data=np.ascontiguousarray(units.T))
    dataset.attrs["MATLAB_class"] = np.bytes_("char")
    dataset.attrs["MATLAB_int_decode"] = np.int32(2)
    return dataset


WRITERS: tuple[Writer, ...] = (
    write_csv,
    write_excel_csv,
    write_npz,
    write_h5,
    write_h5_bytes,
    write_mat5,
    write_mat5_chars,
    write_mat73,
    write_mat73_chars,
)
