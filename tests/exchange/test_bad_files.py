"""Every kind of bad file gets a sentence that names it, and its row; nothing of it is used, nothing on the disk changes."""

from __future__ import annotations

import io
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pytest
from response_files import (
    characters,
    double,
    mat73,
    with_userblock,
    write_csv,
    write_h5,
    write_mat5,
    write_mat73,
    write_npz,
)
from scipy import io as matlab

from phosphene.errors import ParameterError, PhospheneError, StorageError
from phosphene.exchange import Responses, match, read_responses

NOBODY = 65534
NAMES = ["a", "b", "c"]
ONES = np.ones((3, 1))


@dataclass(frozen=True)
class Bad:
    """A file, what is asked of it, and the sentence that it gets."""

    name: str
    make: Callable[[Path], object]
    message: str
    error: type[PhospheneError] = ParameterError
    strict: bool = False
    channels: int | None = None


def text(content: str, encoding: str = "utf-8") -> Callable[[Path], object]:
    return lambda folder: (folder / "responses.csv").write_bytes(content.encode(encoding))


def raw(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(content)


def npz(**arrays: object) -> Callable[[Path], object]:
    return lambda folder: np.savez(folder / "responses.npz", **arrays)  # type: ignore[arg-type]


def h5(fill: Callable[[h5py.File], object]) -> Callable[[Path], object]:
    def make(folder: Path) -> None:
        with h5py.File(folder / "responses.h5", "w") as file:
            fill(file)

    return make


def h5_of(**arrays: object) -> Callable[[Path], object]:
    return h5(lambda file: [file.create_dataset(name, data=values) for name, values in arrays.items()])


def mat(**variables: object) -> Callable[[Path], object]:
    return lambda folder: matlab.savemat(folder / "responses.mat", variables)


def v73(fill: Callable[[h5py.File], object]) -> Callable[[Path], object]:
    def make(folder: Path) -> None:
        with mat73(folder / "responses.mat") as file:
            fill(file)
        with_userblock(folder / "responses.mat")

    return make


def cut(write: Callable[..., Path], share: float) -> Callable[[Path], object]:
    def make(folder: Path) -> None:
        path = write(folder, NAMES, np.arange(6.0).reshape(3, 2), [1, 1, 1])
        data = path.read_bytes()
        path.write_bytes(data[: int(len(data) * share)])

    return make


def damaged(write: Callable[..., Path], at: float) -> Callable[[Path], object]:
    def make(folder: Path) -> None:
        path = write(folder, NAMES, np.arange(6.0).reshape(3, 2), [1, 1, 1])
        data = bytearray(path.read_bytes())
        place = int(len(data) * at)
        data[place : place + 40] = b"\xa5" * 40
        path.write_bytes(data)

    return make


def sparse(folder: Path) -> None:
    with (folder / "responses.npz").open("wb") as file:
        file.truncate((256 << 20) + 1)


def workbook(*members: str) -> Callable[[Path], object]:
    def make(folder: Path) -> None:
        with zipfile.ZipFile(folder / "responses.csv", "w") as archive:
            for name in members:
                archive.writestr(name, "application/vnd.oasis.opendocument.spreadsheet")

    return make


def zipped(**members: bytes) -> Callable[[Path], object]:
    def make(folder: Path) -> None:
        with zipfile.ZipFile(folder / "responses.npz", "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in members.items():
                archive.writestr(f"{name}.npy", data)

    return make


def npy(values: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, values)
    return stream.getvalue()


def bomb(folder: Path) -> None:
    """A file of half a megabyte that says it unpacks to more than 512."""
    with zipfile.ZipFile(folder / "responses.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for i in range(33):
            archive.writestr(f"x{i}.npy", bytes(1 << 24))


def mat_bomb(folder: Path) -> None:
    """A compressed element whose inner tag claims two gigabytes."""
    import zlib

    inner = zlib.compress((14).to_bytes(4, "little") + (2**31).to_bytes(4, "little") + bytes(64))
    header = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"
    element = (15).to_bytes(4, "little") + len(inner).to_bytes(4, "little") + inner
    (folder / "responses.mat").write_bytes(header + element)


def linked(file: h5py.File) -> None:
    file["stimulus"] = np.array([b"a", b"b", b"c"])
    file["responses"] = h5py.ExternalLink("/etc/passwd", "/responses")


def in_a_group(file: h5py.File) -> None:
    file["stimulus"] = np.array([b"a", b"b", b"c"])
    file.create_group("responses")["x"] = ONES


def vast(file: h5py.File) -> None:
    file["stimulus"] = np.array([b"a", b"b", b"c"])
    file.create_dataset("responses", shape=(3, 2**26), dtype="f8", chunks=(1, 2**16))


def string_class(file: h5py.File) -> None:
    file["stimulus"] = np.zeros((1, 6), np.uint32)
    file["stimulus"].attrs["MATLAB_class"] = np.bytes_("string")
    double(file, "responses", ONES)


def cell_of(fill: Callable[[h5py.Group], h5py.Dataset]) -> Callable[[h5py.File], object]:
    """Three cells, of which the second holds what ``fill`` makes."""

    def make(file: h5py.File) -> None:
        refs = file.create_group("#refs#")
        cells = np.empty((1, 3), dtype=h5py.ref_dtype)
        cells[0, :] = [characters(refs, "x", ["a"]).ref, fill(refs).ref, characters(refs, "z", ["c"]).ref]
        file.create_dataset("stimulusID", data=cells, dtype=h5py.ref_dtype).attrs["MATLAB_class"] = np.bytes_("cell")
        double(file, "tEvokedResp", ONES)

    return make


def empty_matrix(file: h5py.File) -> None:
    """MATLAB files the sizes of what is empty instead of nothing."""
    characters(file, "stimulus", NAMES)
    double(file, "responses", np.zeros((2, 1))).attrs["MATLAB_empty"] = np.uint8(1)


def cube_of_characters(file: h5py.File) -> None:
    file["stimulus"] = np.full((1, 3, 2), 97, np.uint16)
    file["stimulus"].attrs["MATLAB_class"] = np.bytes_("char")
    double(file, "responses", ONES)


HEAD = "stimulus,trial,response\n"
STRING = h5py.string_dtype()
CASES = (
    # Files that cannot be read at all.
    Bad("no-file", lambda folder: None, r"responses\.csv cannot be read: there is no such file", StorageError),
    Bad(
        "a-folder",
        lambda folder: (folder / "responses.csv").mkdir(),
        r"responses\.csv cannot be read: it is a folder",
        StorageError,
    ),
    Bad(
        "a-pipe",
        lambda folder: os.mkfifo(folder / "responses.csv"),
        r"responses\.csv cannot be read: it is no regular file",
        StorageError,
    ),
    Bad("empty", text(""), r"responses\.csv is empty; expected responses", StorageError),
    Bad("blank", text(" \n\r\n"), r"responses\.csv is empty", StorageError),
    Bad("empty-npz", raw("responses.npz", b""), r"responses\.npz is empty", StorageError),
    Bad("too-large", sparse, r"responses\.npz is too large: 268435457 bytes came", StorageError),
    Bad(
        "not-what-it-says",
        raw("responses.npz", b"stimulus,response\na,1\n"),
        r"responses\.npz does not begin as a npz file does: b'stimulus'",
        StorageError,
    ),
    Bad(
        "noise-as-mat",
        raw("responses.mat", bytes(range(7, 200))),
        r"responses\.mat does not begin as a MATLAB file does",
        StorageError,
    ),
    Bad(
        "noise-as-h5",
        raw("responses.h5", b"\x89HDX" * 200),
        r"responses\.h5 does not begin as a HDF5 file does",
        StorageError,
    ),
    # Cut off.
    Bad(
        "csv-cut-in-a-row",
        text(HEAD + "a,1,2\nb,1\n"),
        r"responses\.csv, row 3: there are 2 cells under 3 columns \(is it cut off\?\); expected 3 cells",
    ),
    Bad(
        "csv-cut-in-quotes",
        text(HEAD + 'a,1,2\n"b,1,2\n'),
        r"responses\.csv, row 3: the line cannot be read: .*closed quotes",
    ),
    Bad("npz-cut", cut(write_npz, 0.7), r"responses\.npz is a damaged npz file: .*\(is it cut off\?\)", StorageError),
    Bad("npz-cut-early", cut(write_npz, 0.02), r"responses\.npz is a damaged npz file", StorageError),
    Bad("h5-cut", cut(write_h5, 0.8), r"responses\.h5 is a damaged HDF5 file: .*\(is it cut off\?\)", StorageError),
    Bad(
        "mat-cut", cut(write_mat5, 0.8), r"responses\.mat is a damaged MATLAB file: .*\(is it cut off\?\)", StorageError
    ),
    Bad("mat-cut-in-header", cut(write_mat5, 0.3), r"responses\.mat is a damaged MATLAB file", StorageError),
    Bad("mat73-cut", cut(write_mat73, 0.6), r"responses\.mat is a damaged HDF5 file", StorageError),
    # Damaged.
    Bad("npz-damaged", damaged(write_npz, 0.3), r"responses\.npz is a damaged npz file", StorageError),
    Bad("mat-damaged", damaged(write_mat5, 0.6), r"responses\.mat is a damaged MATLAB file", StorageError),
    Bad(
        "npz-header-lies",
        zipped(stimulus=npy(np.array(NAMES)), responses=npy(ONES)[:-8]),
        r"responses\.npz is damaged: its array 'responses' of shape \(3, 1\) holds 16 bytes",
        StorageError,
    ),
    Bad(
        "npz-no-npy",
        zipped(stimulus=b"text", responses=npy(ONES)),
        r"responses\.npz is damaged: its array 'stimulus' has no readable header",
        StorageError,
    ),
    # Text that is no table.
    Bad("utf-16", text(HEAD + "a,1,2\n", "utf-16"), r"responses\.csv, row 1: the text is UTF-16; expected UTF-8"),
    Bad("latin-1", text(HEAD + "a,1,2\né,1,2\n", "latin-1"), r"responses\.csv, row 3: the text is not UTF-8"),
    Bad("zero-byte", text(HEAD + "a,1,2\nb,\0,3\n"), r"responses\.csv, row 3: there is a zero byte"),
    Bad(
        "no-header", text("a,1\nb,2\n"), r"responses\.csv, row 1: no column holds the stimuli; the first line is 'a, 1'"
    ),
    Bad(
        "no-responses",
        text("stimulus,trial\na,1\n"),
        r"responses\.csv, row 1: no column holds responses; expected a column called 'response'",
    ),
    Bad("one-column", text("stimulus\na\n"), r"responses\.csv, row 1: no column holds responses"),
    Bad(
        "column-twice",
        text("stimulus,response,Response\na,1,2\n"),
        r"responses\.csv, row 1: two columns are called 'response'",
    ),
    Bad("header-only", text(HEAD), r"responses\.csv: it holds no responses; expected a row for each trial"),
    Bad(
        "long-line",
        text(HEAD + "a,1," + "2" * (1 << 20) + "\n"),
        r"responses\.csv, row 2: the line has \d+ characters; expected at most 1048576",
    ),
    Bad("spreadsheet", zipped(sheet=npy(ONES)), r"responses\.npz: no array holds the stimulus; there are \['sheet'\]"),
    # Cells.
    Bad(
        "text-for-number",
        text(HEAD + "a,1,2\nb,1,high\n"),
        r"responses\.csv, row 3: response is 'high'; expected a number such as 1\.5",
    ),
    Bad(
        "decimal-comma",
        text("stimulus;response\na;1\nb;1,5\n"),
        r"responses\.csv, row 3: response is '1,5': a decimal comma; expected a number such as 1\.5",
    ),
    Bad(
        "quoted-decimal-comma",
        text('stimulus,response\na,"2,25"\n'),
        r"responses\.csv, row 2: response is '2,25': a decimal comma",
    ),
    Bad(
        "decimal-comma-as-delimiter",
        text("stimulus,response\na,1\nb,1,5\n"),
        r"responses\.csv, row 3: there are 3 cells under 2 columns \(a decimal comma\? write 1\.5, not 1,5\)",
    ),
    Bad("underscores", text("stimulus,response\na,1_000\n"), r"responses\.csv, row 2: response is '1_000'"),
    Bad(
        "infinite",
        text(HEAD + "a,1,2\nb,1,1e999\n"),
        r"responses\.csv, row 3: the response of 'b' is infinite; expected a finite number, or NaN",
    ),
    Bad("inf-word", text(HEAD + "a,1,inf\n"), r"responses\.csv, row 2: response is 'inf'; expected a number"),
    Bad(
        "no-end",
        text(HEAD + "a,1,2\nb,1,12"),
        r"responses\.csv: row 3 has no end: is the file still being written\?; expected a line break",
    ),
    Bad("no-end-of-the-first", text("stimulus,resp"), r"responses\.csv: row 1 has no end"),
    Bad(
        "two-columns",
        text("stimulus,spikes,time_ms\na,3,100\n"),
        r"does not say which of 'spikes', 'time_ms' is the response; expected it to be called response, or response_0",
    ),
    Bad(
        "no-numeric-column",
        text("stimulus,mood,notes\na,good,none\n"),
        r"row 1: it does not say which of 'mood', 'notes' is the response",
    ),
    Bad("excel", workbook("[Content_Types].xml", "xl/workbook.xml"), r"responses\.csv is a workbook", StorageError),
    Bad("open-document", workbook("mimetype"), "is a workbook of a spreadsheet", StorageError),
    Bad("excel-of-old", text("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", encoding="latin-1"), "save it as", StorageError),
    Bad(
        "no-name",
        text(HEAD + "a,1,2\n,1,2\n"),
        r"responses\.csv, row 3: the stimulus is called ''; expected the name of a stimulus",
    ),
    Bad(
        "negative-trial",
        text(HEAD + "a,1,2\nb,-1,2\n"),
        r"responses\.csv, row 3: the trial is -1; expected a whole number from 0",
    ),
    Bad(
        "broken-trial",
        text(HEAD + "a,1.5,2\n"),
        r"responses\.csv, row 2: the trial is 1\.5; expected a whole number from 0",
    ),
    Bad("no-trial", text(HEAD + "a,,2\n"), r"responses\.csv, row 2: the trial is ''; expected a whole number from 0"),
    # Against the block.
    Bad(
        "conflict",
        text(HEAD + "a,1,2\nb,1,3\na,1,2.5\n"),
        r"responses\.csv, row 4: trial 1 of 'a' has the response \(2\.5\); expected \(2\), as row 2 says of the same trial",
    ),
    Bad(
        "conflict-by-case",
        text(HEAD + "a,1,2\nA.png,1,3\n"),
        r"responses\.csv, row 3: trial 1 of 'a' has the response \(3\); expected \(2\), as row 2 says",
    ),
    Bad(
        "conflict-nan",
        text(HEAD + "a,1,2\na,1,\n"),
        r"responses\.csv, row 3: trial 1 of 'a' has the response \(nan\); expected \(2\)",
    ),
    Bad(
        "unknown-strict",
        text(HEAD + "a,1,2\nzebra,1,2\n"),
        r"responses\.csv, row 3: there is no stimulus 'zebra'; expected a stimulus of this block, such as a, b, c",
        strict=True,
    ),
    Bad(
        "nothing-known",
        text(HEAD + "x,1,2\ny,1,2\n"),
        r"responses\.csv, row 2: there is no stimulus 'x'; expected a stimulus of this block",
    ),
    Bad(
        "too-few-channels",
        text("stimulus,ch1,ch2\na,1,2\n"),
        r"responses\.csv: channels is 2, but the responses have 2 channel\(s\); expected numbers from 0 to 1",
        channels=2,
    ),
    # Arrays.
    Bad(
        "npz-pickled",
        npz(stimulus=np.array(NAMES, dtype=object), responses=ONES),
        r"responses\.npz: its array 'stimulus' holds pickled objects; expected plain text",
    ),
    Bad("npz-bomb", bomb, r"responses\.npz: its arrays have 553648128 bytes unpacked; expected at most 536870912"),
    Bad(
        "npz-no-names",
        npz(scores=ONES, when=ONES),
        r"responses\.npz: no array holds the stimulus; there are \['scores', 'when'\]; expected one called 'stimulus'",
    ),
    Bad("npz-no-responses", npz(ids=np.array(NAMES)), r"responses\.npz: no array holds the responses"),
    Bad(
        "npz-numbers-for-names",
        npz(ids=np.arange(3), scores=ONES),
        r"responses\.npz: the stimuli are of type int64; expected text",
    ),
    Bad(
        "npz-table-of-names",
        npz(ids=np.array([NAMES, NAMES]), scores=ONES),
        r"responses\.npz: the stimuli have the shape \(2, 3\); expected a list of names",
    ),
    Bad(
        "npz-text-for-numbers",
        npz(ids=np.array(NAMES), scores=np.array(NAMES)),
        r"responses\.npz: the responses are of type <U1; expected real numbers",
    ),
    Bad(
        "npz-complex",
        npz(ids=np.array(NAMES), scores=ONES + 1j),
        r"responses\.npz: the responses are of type complex128",
    ),
    Bad(
        "npz-short",
        npz(ids=np.array(NAMES), scores=np.ones(2)),
        r"responses\.npz, row 3: the responses have the shape \(2,\) for 3 stimuli; expected \(3,\), or \(3, channels\)",
    ),
    Bad(
        "npz-transposed",
        npz(ids=np.array(NAMES), scores=np.ones((5, 3))),
        r"responses\.npz, row 4: the responses have the shape \(5, 3\) for 3 stimuli",
    ),
    Bad(
        "npz-three-axes",
        npz(ids=np.array(NAMES), scores=np.ones((3, 2, 2))),
        r"responses\.npz: the responses have the shape \(3, 2, 2\)",
    ),
    Bad("npz-no-channels", npz(ids=np.array(NAMES), scores=np.ones((3, 0))), r"responses\.npz: it holds no responses"),
    Bad(
        "npz-trials-short",
        npz(ids=np.array(NAMES), scores=ONES, trial=np.ones(2)),
        r"responses\.npz: the trials have the shape \(2,\) for 3 stimuli",
    ),
    Bad(
        "npz-trials-nan",
        npz(ids=np.array(NAMES), scores=ONES, trial=np.array([1, np.nan, 2])),
        r"responses\.npz, row 2: the trial is nan; expected a whole number from 0",
    ),
    Bad(
        "npz-trials-text",
        npz(ids=np.array(NAMES), scores=ONES, trial=np.array(NAMES)),
        r"responses\.npz: the trials are of type <U1",
    ),
    Bad(
        "npz-inf",
        npz(ids=np.array(NAMES), scores=np.array([1, 2, -np.inf])),
        r"responses\.npz, row 3: the response of 'c' is infinite",
    ),
    Bad(
        "npz-bytes-not-utf-8",
        npz(ids=np.array([b"a", b"\xe9"]), scores=np.ones(2)),
        r"responses\.npz, row 2: the stimulus is called b'\\xe9'; expected text in UTF-8",
    ),
    Bad(
        "npz-conflict",
        npz(ids=np.array(["a", "a"]), scores=np.array([1.0, 2.0]), trial=np.array([3, 3])),
        r"responses\.npz, row 2: trial 3 of 'a' has the response \(2\); expected \(1\), as row 1 says",
    ),
    # HDF5.
    Bad("h5-no-names", h5_of(scores=ONES), r"responses\.h5: no dataset holds the stimulus; there are \['scores'\]"),
    Bad(
        "h5-numbers-for-names",
        h5_of(ids=np.arange(3), scores=ONES),
        r"responses\.h5: the stimuli are of type int64; expected text",
    ),
    Bad(
        "h5-text-for-numbers",
        h5_of(ids=NAMES, scores=np.array([b"x"] * 3)),
        r"responses\.h5: 'scores' is of type \|S1; expected real numbers",
    ),
    Bad("h5-link", h5(linked), r"responses\.h5: 'responses' is no dataset of this file's own"),
    Bad(
        "h5-group",
        h5(in_a_group),
        r"responses\.h5: 'responses' is no dataset of this file's own; expected numbers or text, not a group or a link",
    ),
    Bad("h5-vast", h5(vast), r"responses\.h5: 'responses' holds 1610612736 bytes; expected at most 536870912"),
    Bad(
        "h5-short",
        h5_of(ids=NAMES, scores=np.ones((2, 4))),
        r"responses\.h5, row 3: the responses have the shape \(2, 4\) for 3 stimuli",
    ),
    Bad(
        "h5-table-of-names",
        h5_of(ids=np.array([NAMES, NAMES], dtype=STRING), scores=ONES),
        r"responses\.h5: the stimuli have the shape \(2, 3\)",
    ),
    # MATLAB.
    Bad(
        "mat-no-names",
        mat(scores=ONES),
        r"responses\.mat: no variable holds the stimulus; there are \['scores'\]; expected one called 'stimulus', a cell array",
    ),
    Bad("mat-no-responses", mat(stimulusID="a"), r"responses\.mat: no variable holds the responses"),
    Bad(
        "mat-numbers-for-names",
        mat(stimulusID=np.arange(3.0), tEvokedResp=ONES),
        r"responses\.mat: the stimuli are an array of type float64 and shape \(1, 3\); expected a cell array",
    ),
    Bad(
        "mat-numbers-in-cells",
        mat(stimulusID=np.array(["a", 2, "c"], dtype=object), tEvokedResp=ONES),
        r"responses\.mat, row 2: the cell of the stimulus holds no text",
    ),
    Bad(
        "mat-empty-cell",
        mat(stimulusID=np.array(["a", "", "c"], dtype=object), tEvokedResp=ONES),
        r"responses\.mat, row 2: the cell of the stimulus holds no text",
    ),
    Bad(
        "mat-struct",
        mat(stimulusID="a", responses={"x": 1}),
        r"responses\.mat: the variable 'responses' is no full array",
    ),
    Bad(
        "mat-complex",
        mat(stimulusID="a", responses=np.array([[1j]])),
        r"responses\.mat: the responses are of type complex128",
    ),
    Bad(
        "mat-short",
        mat(stimulusID=np.array(NAMES, dtype=object), responses=np.ones((2, 5))),
        r"responses\.mat, row 3: the responses have the shape \(2, 5\) for 3 stimuli",
    ),
    Bad(
        "mat-inf",
        mat(stimulusID=np.array(NAMES, dtype=object), responses=np.array([[1.0], [np.inf], [1.0]])),
        r"responses\.mat, row 2: the response of 'b' is infinite",
    ),
    Bad("mat-bomb", mat_bomb, r"responses\.mat: its variables have \d+ bytes unpacked; expected at most 536870912"),
    Bad(
        "mat73-string-class",
        v73(string_class),
        r"responses\.mat: 'stimulus' is of MATLAB's class 'string'; expected a cell array of names: stimulusID = cellstr\(names\)",
    ),
    Bad(
        "mat73-empty", v73(empty_matrix), r"responses\.mat, row 1: the responses have the shape \(0, 0\) for 3 stimuli"
    ),
    Bad(
        "mat73-cube",
        v73(cube_of_characters),
        r"responses\.mat: 'stimulus' is no matrix of characters; expected a name in each row",
    ),
    Bad(
        "mat73-numbers-in-cells",
        v73(cell_of(lambda refs: double(refs, "y", np.ones((1, 1))))),
        r"responses\.mat, row 2: the cell of the stimulus holds no text",
    ),
    Bad(
        "mat73-lines-in-cells",
        v73(cell_of(lambda refs: characters(refs, "y", ["b", "bb"]))),
        r"responses\.mat, row 2: the cell of the stimulus holds 2 lines; expected one name",
    ),
)


def contents(folder: Path) -> dict[str, tuple[bytes | None, int]]:
    """Names, contents and times of all that lies in a folder."""
    return {
        str(path.relative_to(folder)): (path.read_bytes() if path.is_file() else None, path.lstat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.stat().st_size < 2**28
    }


def the_file(folder: Path) -> Path:
    return next((path for path in folder.iterdir()), folder / "responses.csv")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_bad_file_is_named_with_its_row_and_stays_as_it_is(tmp_path, case):
    case.make(tmp_path)
    before = contents(tmp_path)
    with pytest.raises(case.error, match=case.message):
        judge(the_file(tmp_path), strict=case.strict, channels=case.channels)
    assert contents(tmp_path) == before


def judge(path: Path, *, strict: bool = False, channels: int | None = None) -> None:
    responses = read_responses(path)
    responses.scores(channels)
    match(responses, NAMES, strict=strict)


def test_all_may_be_lost_of_stimuli_of_the_block_but_not_of_others():
    def lost(*names: str) -> Responses:
        n = len(names)
        return Responses("r.csv", names, (None,) * n, np.full((n, 1), np.nan), tuple(range(2, n + 2)))

    assert all(trial.is_lost for trials in match(lost("a", "b"), NAMES).trials.values() for trial in trials)
    with pytest.raises(ParameterError, match=r"r\.csv: all 2 responses are NaN, and there is no stimulus 'x'"):
        match(lost("a", "x"), NAMES)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("delimiter", [",", ";"])
def test_every_truncation_of_a_table_is_refused_or_short_of_whole_rows(tmp_path, end, delimiter):
    rows = [("stimulus", "trial", "response"), ("a", "1", "128.75"), ('"b"', "10", "-1.5e-10"), ("c", "1", "NaN")]
    path = tmp_path / "responses.csv"
    data = end.join(delimiter.join(row) for row in rows).encode() + end.encode()
    path.write_bytes(data)
    whole = read_responses(path)
    counts = []
    for size in range(len(data)):
        path.write_bytes(data[:size])
        try:
            found = read_responses(path)
        except PhospheneError:
            continue
        n = len(found.stimuli)
        counts.append(n)
        assert (found.stimuli, found.trials) == (whole.stimuli[:n], whole.trials[:n])
        np.testing.assert_array_equal(found.values, whole.values[:n])
    # With CRLF a row is whole from its CR on.
    assert counts == ([1, 1, 2, 2, 3] if end == "\r\n" else [1, 2])


def test_there_are_more_than_thirty_kinds_each_of_its_own_name():
    assert len({case.name for case in CASES}) == len(CASES) > 30


@pytest.fixture
def as_nobody() -> Iterator[None]:
    """What root may read, this process may not."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)


def test_a_file_that_may_not_be_read_is_named(request):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = write_csv(folder, NAMES, ONES)
        folder.chmod(0o755)
        path.chmod(0)
        request.getfixturevalue("as_nobody")
        try:
            with pytest.raises(StorageError, match=r"responses\.csv cannot be read: permission denied"):
                read_responses(path)
        finally:
            os.seteuid(0) if os.getuid() == 0 else None


@pytest.mark.parametrize("write", [write_npz, write_h5, write_mat5, write_mat73], ids=lambda write: write.__name__)
def test_wherever_a_file_is_cut_it_is_refused_or_complete(tmp_path, write):
    """Everything that is needed may stand before the end, but nothing is made up."""
    values = np.arange(6.0).reshape(3, 2)
    path = write(tmp_path, NAMES, values, [1, 2, 3])
    data = path.read_bytes()
    step = max(1, len(data) // 150)
    for n in range(0, len(data), step):
        path.write_bytes(data[:n])
        found = read_or_refused(path)
        if found is not None:
            assert (found.stimuli, found.values.tolist()) == (tuple(NAMES), values.tolist())


@pytest.mark.parametrize(
    "write", [write_csv, write_npz, write_h5, write_mat5, write_mat73], ids=lambda write: write.__name__
)
def test_however_a_file_is_damaged_nothing_but_our_own_errors_come(tmp_path, write):
    data = bytearray(write(tmp_path, NAMES, np.arange(6.0).reshape(3, 2), [1, 2, 3]).read_bytes())
    path = the_file(tmp_path)
    random = np.random.default_rng(0)
    for _ in range(150):
        spoiled = bytearray(data)
        for at in random.integers(0, len(data), 3):
            spoiled[at] = random.integers(256)
        path.write_bytes(spoiled)
        read_or_refused(path)


def read_or_refused(path: Path) -> Responses | None:
    """What the file says; None where it is refused by name."""
    caught: list[PhospheneError] = []
    try:
        return read_responses(path)
    except (StorageError, ParameterError) as error:
        caught.append(error)
    assert str(path) in str(caught[0])
    return None


def test_a_heap_of_texts_without_end_is_refused_where_the_library_would_go_round_for_ever(tmp_path):
    path = write_h5(tmp_path, NAMES, ONES)
    data = bytearray(path.read_bytes())
    heap = data.index(b"GCOL") + 16
    data[heap : heap + 16] = bytes(16)  # entry 0 of size 0
    path.write_bytes(data)
    with pytest.raises(StorageError, match=r"responses\.h5 is a damaged HDF5 file: a heap of texts has no end"):
        read_responses(path)


@pytest.mark.parametrize(
    ("write", "module", "limit", "message"),
    [
        (write_csv, "csv_file", "MAX_ROWS", r"responses\.csv, row 4: there are too many rows; expected at most 2"),
        (
            write_csv,
            "csv_file",
            "MAX_BYTES",
            r"responses\.csv: the table has \d+ bytes; expected at most 2; npz and HDF5 hold more",
        ),
        (
            write_npz,
            "responses",
            "MAX_ROWS",
            r"responses\.npz: it holds 3 rows; expected at most 2, and 67108864 values",
        ),
        (
            write_h5,
            "responses",
            "MAX_VALUES",
            r"responses\.h5: it holds 3 rows; expected at most 1000000, and 2 values",
        ),
        (write_h5, "hdf5_file", "MAX_ROWS", r"responses\.h5: it holds 3 stimuli; expected at most 2"),
    ],
)
def test_more_than_is_read_is_refused(tmp_path, monkeypatch, write, module, limit, message):
    monkeypatch.setattr(f"phosphene.exchange.{module}.{limit}", 2)
    with pytest.raises(ParameterError, match=message):
        read_responses(write(tmp_path, NAMES, ONES, [1, 2, 3]))
