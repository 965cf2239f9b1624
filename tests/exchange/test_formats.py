"""What a rig writes, in whatever format, is what is read."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from response_files import TEXT_73, WRITERS, write_h5, write_mat5, write_mat73, write_npz
from scipy import io as matlab

from phosphene.errors import MissingExtraError, ParameterError
from phosphene.exchange import match, read_responses, select_channels

NAMES = ["c_002", "c_000", "r_001", "c_000"]
TRIALS = [1, 1, 7, 2]
TWO = np.array([[1.5, -2.0], [0.1, 3e-7], [np.nan, 4.0], [12.0, 1e300]])


@pytest.mark.parametrize("values", [TWO, TWO[:, :1]], ids=["two-channels", "one-channel"])
@pytest.mark.parametrize("trials", [None, TRIALS], ids=["no-trials", "trials"])
@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
def test_what_is_written_is_read(tmp_path, write, trials, values):
    found = read_responses(write(tmp_path, NAMES, values, trials))
    assert found.stimuli == tuple(NAMES)
    assert found.trials == (tuple(trials) if trials else (None,) * 4)
    assert found.values.dtype == np.float64
    assert found.n_channels == values.shape[1]
    np.testing.assert_array_equal(found.values, values)
    first = 2 if found.source.endswith(".csv") else 1
    assert found.rows == tuple(range(first, first + 4))


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
@pytest.mark.parametrize("n", [1, 2, 5])
def test_as_many_channels_as_trials_are_not_turned(tmp_path, write, n):
    values = np.arange(n * n, dtype=float).reshape(n, n)
    names = [f"s{i}" for i in range(n)]
    np.testing.assert_array_equal(read_responses(write(tmp_path, names, values, None)).values, values)


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
def test_the_content_tells_the_kind_whatever_the_suffix(tmp_path, write):
    path = write(tmp_path, NAMES, TWO, TRIALS)
    renamed = path.rename(path.with_suffix(".txt"))
    np.testing.assert_array_equal(read_responses(renamed).values, TWO)


def test_a_matlab_file_of_version_7_3_begins_with_a_block_of_512_bytes(tmp_path):
    data = write_mat73(tmp_path, NAMES, TWO, None).read_bytes()
    assert data.startswith(TEXT_73)
    assert data[512:520] == b"\x89HDF\r\n\x1a\n"


TABLES = {
    "plain": "stimulus,response\na,1\nb,2\n",
    "blanks-at-the-end": "stimulus,response\na,1\nb,2\n  ",
    "excels-first-line": "sep=;\nstimulus;response\na;1\nb;2\n",
    "excels-first-line-with-a-comma": "\ufeffsep=,\r\nstimulus,response\r\na,1\r\nb,2\r\n",
    "one-column-of-numbers": "stimulus,spikes,notes\na,1,well\nb,2,\n",
    "crlf": "stimulus,response\r\na,1\r\nb,2\r\n",
    "old-mac": "stimulus,response\ra,1\rb,2\r",
    "bom": "\ufeffstimulus,response\na,1\nb,2\n",
    "semicolons": "stimulus;response\na;1\nb;2\n",
    "tabs": "stimulus\tresponse\na\t1\nb\t2\n",
    "quotes": '"stimulus","response"\n"a","1"\n"b","2"\n',
    "blanks": " Stimulus , RESPONSE \n a , 1 \n b , 2.0 \n",
    "blank-lines": "\nstimulus,response\n\na,1\n\n,\nb,2\n\n",
    "trailing-commas": "stimulus,response,,\na,1,,\nb,2,,\n",
    "exponents": "id,score\na,1e0\nb,+.2E+1\n",
    "name": "name,response\na,1\nb,2\n",
    "file": "response,file\n1,a\n2,b\n",
    "matlab": "stimulusID,tEvokedResp\na,1\nb,2\n",
    "any-column": "stimulus,spikes per s\na,1\nb,2\n",
    "others-beside-response": "stimulus,comment,response\na,fine,1\nb,tired,2\n",
    "manifest": "position,trial,stimulus,file,candidate,is_reference,response\n1,1,a,a.png,x,0,1\n2,1,b,b.png,,1,2\n",
    "manifest-any-column": "position,trial,stimulus,file,candidate,is_reference,V4 site\n1,1,a,a.png,x,0,1\n2,1,b,b.png,,1,2\n",
}


@pytest.mark.parametrize("text", TABLES.values(), ids=TABLES)
def test_tables_as_people_write_them(tmp_path, text):
    path = tmp_path / "responses.csv"
    path.write_text(text, encoding="utf-8", newline="")
    found = read_responses(path)
    assert found.stimuli == ("a", "b")
    assert found.values.tolist() == [[1.0], [2.0]]


@pytest.mark.parametrize("cell", ["", " ", "NaN", "nan", "NA", "n/a"])
def test_an_empty_cell_is_a_lost_trial(tmp_path, cell):
    path = tmp_path / "responses.csv"
    path.write_text(f"stimulus,ch1,ch2\na,{cell},2\nb,3,4\n")
    np.testing.assert_array_equal(read_responses(path).values, [[np.nan, 2.0], [3.0, 4.0]])


def test_the_row_is_the_line_of_the_file(tmp_path):
    path = tmp_path / "responses.csv"
    path.write_text("\nstimulus,response\n\na,1\n\n\nb,2\n")
    assert read_responses(path).rows == (4, 7)


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int8, np.uint16, np.int64, np.bool_, ">f8"])
def test_numbers_of_any_real_type_are_taken(tmp_path, dtype):
    values = np.array([[0, 1], [1, 1]]).astype(dtype)
    for write in (write_npz, write_h5, write_mat5):
        found = read_responses(write(tmp_path, ["a", "b"], values, None))
        assert found.values.tolist() == [[0.0, 1.0], [1.0, 1.0]]


@pytest.mark.parametrize("shape", [(3,), (3, 1), (1, 3)])
def test_a_list_of_responses_may_lie_or_stand(tmp_path, shape):
    values = np.array([1.0, 2.0, 3.0]).reshape(shape)
    np.savez(tmp_path / "responses.npz", ids=np.array([b"a", b"b", b"c"]), scores=values)
    assert read_responses(tmp_path / "responses.npz").values.tolist() == [[1.0], [2.0], [3.0]]
    with h5py.File(tmp_path / "responses.h5", "w") as file:  # MATLAB's h5write turns every array
        file["stimulus"] = np.array([["a", "b", "c"]], dtype=h5py.string_dtype())
        file["responses"] = values
    assert read_responses(tmp_path / "responses.h5").values.tolist() == [[1.0], [2.0], [3.0]]


def test_arrays_in_fortran_order_and_of_no_axes_are_read(tmp_path):
    np.savez(tmp_path / "a.npz", stimulus=np.array(["a", "b"]), responses=np.asfortranarray([[1.0, 2.0], [3.0, 4.0]]))
    assert read_responses(tmp_path / "a.npz").values.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    np.savez(tmp_path / "b.npz", stimulus=np.array("a"), responses=np.array(1.5), trial=np.array(2))
    found = read_responses(tmp_path / "b.npz")
    assert (found.stimuli, found.trials, found.values.tolist()) == (("a",), (2,), [[1.5]])


def test_names_beyond_ascii_are_read_from_every_format(tmp_path):
    for write in WRITERS:
        if write.__name__ != "write_h5_bytes":
            assert read_responses(write(tmp_path, ["é∞", "b"], TWO[:2], None)).stimuli == ("é∞", "b")


def test_big_endian_matlab_files_are_read(tmp_path):
    """An uncompressed file of one cell array and one matrix, written element by element as the format's sheet says."""

    def element(kind: int, body: bytes) -> bytes:
        return kind.to_bytes(4, "big") + len(body).to_bytes(4, "big") + body.ljust(-(-len(body) // 8) * 8, b"\0")

    def matrix(cls: int, shape: tuple[int, int], name: bytes, *parts: bytes) -> bytes:
        flags, sizes = bytes([0, 0, 0, cls, 0, 0, 0, 0]), b"".join(n.to_bytes(4, "big") for n in shape)
        return element(14, element(6, flags) + element(5, sizes) + element(1, name) + b"".join(parts))

    letters = [matrix(4, (1, 1), b"", element(4, ord(c).to_bytes(2, "big"))) for c in "ab"]
    numbers = matrix(6, (2, 1), b"scores", element(9, np.array([1.5, 2.5], ">f8").tobytes()))
    header = b"MATLAB 5.0 MAT-file, Platform: SOL2".ljust(124) + b"\x01\x00MI"
    (tmp_path / "responses.mat").write_bytes(header + matrix(1, (2, 1), b"ids", *letters) + numbers)
    found = read_responses(tmp_path / "responses.mat")
    assert (found.stimuli, found.values.tolist()) == (("a", "b"), [[1.5], [2.5]])


def test_values_cannot_be_written_to(tmp_path):
    found = read_responses(WRITERS[0](tmp_path, NAMES, TWO, None))
    with pytest.raises(ValueError, match="read-only"):
        found.values[0, 0] = 1


def test_channels_are_chosen_or_averaged(tmp_path):
    found = read_responses(WRITERS[2](tmp_path, NAMES[:2], np.array([[1.0, 2.0, 6.0], [0.0, np.nan, 3.0]]), None))
    np.testing.assert_array_equal(found.scores(), [3.0, np.nan])
    np.testing.assert_array_equal(found.scores(2), [6.0, 3.0])
    np.testing.assert_array_equal(found.scores((0, 2)), [3.5, 1.5])
    trial = match(found, NAMES[:2]).trials["c_002"][0]
    assert (trial.score(), trial.score(1), trial.score((0, 1))) == (3.0, 2.0, 1.5)
    assert not trial.is_lost
    assert match(found, NAMES[:2]).trials["c_000"][0].is_lost


@pytest.mark.parametrize("channels", [3, -1, (), (0, 3)])
def test_a_channel_that_is_not_there_is_refused(channels):
    with pytest.raises(
        ParameterError, match=r"channels is .*the responses have 3 channel\(s\); expected numbers from 0 to 2"
    ):
        select_channels(np.zeros((2, 3)), channels)


@pytest.mark.parametrize(("write", "module"), [(write_h5, "h5py"), (write_mat73, "h5py"), (write_mat5, "scipy")])
def test_a_missing_extra_is_named(tmp_path, monkeypatch, write, module):
    path = write(tmp_path, NAMES, TWO, None)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'phosphene\[lab\]'"):
        read_responses(path)


def test_what_scipy_writes_without_compression_is_read(tmp_path):
    stream = io.BytesIO()
    matlab.savemat(stream, {"ids": np.array(["a", "bb"], dtype=object), "Scores": np.array([[1.0, 2.0]]), "other": "x"})
    path = Path(tmp_path / "responses.mat")
    path.write_bytes(stream.getvalue())
    assert read_responses(path).values.tolist() == [[1.0], [2.0]]
