"""A file of responses is taken when it is whole, and asked for again while it is bad."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from response_files import write_csv, write_npz

from phosphene.errors import ParameterError, StorageError
from phosphene.exchange import (
    Block,
    Matched,
    Patience,
    Stimulus,
    find_responses,
    misnamed_responses,
    receive,
    response_files,
    wait_for_responses,
    write_block,
)

QUICK = Patience(poll_s=0.01, settle_s=0.05, timeout_s=20.0)
ONES = np.ones((2, 1))


@pytest.fixture
def block(tmp_path: Path) -> Block:
    return write_block(tmp_path / "gen_0000", [Stimulus(name, torch.zeros(1, 2, 2)) for name in "ab"], seed=0)


@contextmanager
def meanwhile(act: Callable[[], object]) -> Iterator[None]:
    """While the block runs ``act`` runs beside it, to its end."""
    thread = threading.Thread(target=act)
    thread.start()
    try:
        yield
    finally:
        thread.join(30)
        assert not thread.is_alive()


@pytest.mark.parametrize(
    "name",
    [
        "responses.csv",
        "Responses.CSV",
        "responses.tsv",
        "responses.txt",
        "responses.npz",
        "responses.h5",
        "responses.hdf5",
        "RESPONSES.MAT",
    ],
)
def test_responses_are_found_by_their_name(block, name):
    assert find_responses(block.folder) is None
    (block.folder / name).write_bytes(b"x")
    found = find_responses(block.folder)
    assert found is not None
    assert (found.path.name, found.size) == (name, 1)
    assert misnamed_responses(block.folder) == ()


@pytest.mark.parametrize(
    "name", ["response.csv", "responses (1).csv", "responses.xlsx", "responses.csv.txt", "my_scores.mat", "results.csv"]
)
def test_a_file_that_may_be_meant_is_named_when_the_time_is_over(block, name):
    (block.folder / name).write_bytes(b"x")
    (block.folder / ".responses.csv.tmp").write_bytes(b"x")
    assert find_responses(block.folder) is None
    assert misnamed_responses(block.folder) == (name,)
    with pytest.raises(StorageError, match=r"gen_0000: no responses came within 0.05 s \(is '.*' meant\? rename it\)"):
        wait_for_responses(block.folder, patience=Patience(0.01, 0.0, 0.05))


def test_two_files_of_responses_are_an_error(block):
    write_csv(block.folder, ["a", "b"], ONES)
    write_npz(block.folder, ["a", "b"], ONES)
    for look in (find_responses, lambda folder: wait_for_responses(folder, patience=QUICK)):
        with pytest.raises(StorageError, match=r"gen_0000 holds responses\.csv and responses\.npz; expected one file"):
            look(block.folder)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(
        StorageError, match=r"nowhere cannot be read: No such file or directory; expected the folder of a block"
    ):
        wait_for_responses(tmp_path / "nowhere", patience=QUICK)


@pytest.mark.parametrize("arguments", [{"poll_s": 0}, {"poll_s": 1e9}, {"settle_s": -1}, {"timeout_s": -1}])
def test_an_impatience_out_of_range_is_named(arguments):
    with pytest.raises(ParameterError, match=next(iter(arguments))):
        Patience(**arguments)


def test_waiting_ends_when_told_so(block):
    asked = iter([False, False, True])
    assert wait_for_responses(block.folder, patience=QUICK, stop=lambda: next(asked)) is None
    assert receive(block, complain=lambda _: None, patience=QUICK, stop=lambda: True) is None


def test_between_looks_the_process_sleeps(block, monkeypatch):
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    asked = iter([False] * 50 + [True])
    wait_for_responses(block.folder, patience=Patience(poll_s=0.25), stop=lambda: next(asked))
    assert slept == [0.25] * 50


def test_a_file_that_is_written_slowly_is_taken_when_it_is_whole(block, tmp_path):
    (tmp_path / "rig").mkdir()
    data = write_npz(tmp_path / "rig", ["a", "b"], ONES).read_bytes()
    target = block.folder / "responses.npz"

    def write_slowly() -> None:
        time.sleep(0.05)
        with target.open("wb") as file:
            for at in range(0, len(data), 64):
                file.write(data[at : at + 64])
                file.flush()
                time.sleep(0.02)

    complaints: list[str] = []
    with meanwhile(write_slowly):
        found = receive(block, complain=complaints.append, patience=Patience(0.01, 0.4, 20.0))
    assert complaints == []
    assert found is not None
    assert found.missing == ()


def test_a_bad_file_is_complained_about_once_and_asked_for_again(block):
    path = block.folder / "responses.csv"
    path.write_text("stimulus,response\na,1\nb,high\n")
    complaints: list[str] = []
    heard = threading.Event()

    def complain(message: str) -> None:
        complaints.append(message)
        heard.set()

    def correct() -> None:
        heard.wait(10)
        time.sleep(0.15)
        path.write_text("stimulus,response\na,1\nb,2\n")

    with meanwhile(correct):
        found = receive(block, complain=complain, patience=QUICK)
    assert len(complaints) == 1
    assert complaints[0].startswith(f"{path}, row 3: response is 'high'")
    assert found is not None
    assert [trial.values for trial in found.trials["b"]] == [(2.0,)]


def test_of_two_files_the_one_that_stays_is_taken(block):
    good, other = write_csv(block.folder, ["a", "b"], ONES), write_npz(block.folder, ["a"], ONES[:1])
    complaints: list[str] = []

    def complain(message: str) -> None:
        complaints.append(message)
        other.unlink()

    found = receive(block, complain=complain, patience=QUICK)
    assert found is not None
    assert found.source == str(good)
    assert len(complaints) == 1
    assert "expected one file of responses" in complaints[0]


def test_channels_that_are_not_there_are_complained_about(block):
    write_csv(block.folder, ["a", "b"], ONES)
    complaints: list[str] = []
    with pytest.raises(StorageError, match=r"gen_0000: responses\.csv did not settle into something new within 0\.2 s"):
        receive(block, complain=complaints.append, channels=4, patience=Patience(0.01, 0.0, 0.2))
    assert complaints == [
        f"{block.folder / 'responses.csv'}: channels is 4, but the responses have 1 channel(s); expected numbers from 0 to 0"
    ]


def test_a_bad_file_stays_where_it_is(block):
    path = block.folder / "responses.csv"
    path.write_bytes(b"nonsense")
    before = response_files(block.folder)
    with pytest.raises(StorageError, match="did not settle"):
        receive(block, complain=lambda _: None, patience=Patience(0.01, 0.0, 0.1))
    assert response_files(block.folder) == before
    assert path.read_bytes() == b"nonsense"


def test_a_file_that_changes_while_it_is_read_is_read_again(block, monkeypatch):
    from phosphene.exchange import receiving

    path = write_csv(block.folder, ["a", "b"], ONES)
    read = receiving.read_responses
    values = iter([3 * ONES, 5 * ONES])

    def read_and_replace(source: Path):
        found = read(source)
        replacement = next(values, None)
        if replacement is not None:
            path.unlink()
            write_csv(
                block.folder,
                ["a", "b", "b"][: 2 + int(replacement[0, 0] > 3)],
                np.vstack([replacement, replacement])[: 2 + int(replacement[0, 0] > 3)],
            )
        return found

    monkeypatch.setattr(receiving, "read_responses", read_and_replace)
    found = receive(block, complain=lambda _: None, patience=QUICK)
    assert found is not None
    assert [trial.values for trial in found.trials["b"]] == [(5.0,), (5.0,)]


def test_a_wrong_name_is_complained_about_once_when_it_stays(block, monkeypatch):
    from phosphene.exchange import name_watch

    monkeypatch.setattr(name_watch, "MISNAMED_S", 0.1)
    path = block.folder / "response.csv"
    path.write_text("stimulus,response\na,1\n")
    complaints: list[str] = []

    def correct() -> None:
        time.sleep(0.4)
        path.rename(block.folder / "responses.csv")

    with meanwhile(correct):
        found = receive(block, complain=complaints.append, patience=QUICK)
    assert found is not None
    assert found.missing == ("b",)
    assert len(complaints) == 1
    assert complaints[0].startswith(
        f"{path} is not looked at; if it holds the responses, call it responses with one of .csv"
    )


def test_a_name_that_is_there_for_a_moment_only_is_not_complained_about(block):
    path = block.folder / "responses.csv.part"
    path.write_text("stimulus,response\na,1\n")
    complaints: list[str] = []
    with meanwhile(lambda: (time.sleep(0.1), path.rename(block.folder / "responses.csv"))):
        assert receive(block, complain=complaints.append, patience=QUICK) is not None
    assert complaints == []


def test_a_link_to_nothing_is_no_file_and_a_link_to_itself_is_named(block):
    path = block.folder / "responses.csv"
    path.symlink_to(block.folder / "nothing")
    assert find_responses(block.folder) is None
    path.unlink()
    path.symlink_to(path)
    with pytest.raises(StorageError, match=r"responses\.csv cannot be read: Too many levels of symbolic links"):
        find_responses(block.folder)


def test_what_the_caller_refuses_counts_as_a_bad_file(block):
    path = write_csv(block.folder, ["a", "b"], np.ones((2, 2)))
    complaints: list[str] = []

    def accept(matched: Matched) -> None:
        if len(matched.trials["a"][0].values) != 1:
            raise ParameterError(f"{matched.source}: there are two channels; expected one, as before")

    def complain(message: str) -> None:
        complaints.append(message)
        write_csv(block.folder, ["a", "b"], 7 * ONES)

    found = receive(block, complain=complain, accept=accept, patience=QUICK)
    assert found is not None
    assert found.trials["a"][0].values == (7.0,)
    assert complaints == [f"{path}: there are two channels; expected one, as before"]
