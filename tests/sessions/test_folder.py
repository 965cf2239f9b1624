"""The folder protocol's loop: folders out, files in, bad files waited out, and a kill while it waits."""

from __future__ import annotations

import contextlib
import csv
import errno
import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import rigs
from PIL import Image

from phosphene.errors import ParameterError, StorageError
from phosphene.exchange import Display, read_block
from phosphene.optimizers import CMAES
from phosphene.sessions import Session, Thread, Trial, run_folder, take_in

QUICK = {"poll_s": 0.005, "settle_s": 0.0, "patience_s": 0.0, "timeout_s": 30.0}


def respond(folder: Path) -> list[dict[str, str]]:
    """What the rig saw, from the PNGs alone: a row for each presentation of the manifest."""
    rows = []
    for row in csv.DictReader((folder / "manifest.csv").read_text().splitlines()):
        pixels = np.asarray(Image.open(folder / row["file"]), dtype=np.float64) / 255
        noise = np.sin(hash_of(row["stimulus"], row["trial"]))
        rows.append(
            {
                "stimulus": row["stimulus"],
                "trial": row["trial"],
                "0": str(pixels.mean() + 0.1 * noise),
                "1": str(pixels.std() + 0.1 * noise),
            }
        )
    return rows


def hash_of(*words: str) -> int:
    return sum(ord(c) * (i + 1) for i, c in enumerate(" ".join(words)))


def write(folder: Path, rows: list[dict[str, str]], name: str = "responses.csv") -> None:
    temporary = folder / ".writing"
    with temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["stimulus", "trial", "response_0", "response_1"])
        writer.writeheader()
        for row in rows:
            writer.writerow(
                {"stimulus": row["stimulus"], "trial": row["trial"], "response_0": row["0"], "response_1": row["1"]}
            )
    temporary.replace(folder / name)


class Rig:
    """Answers each folder as it appears, with a function of its rows, from another thread."""

    def __init__(self, blocks: Path, answer=lambda folder, rows: rows) -> None:
        self.blocks, self.answer, self.errors = blocks, answer, []
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self) -> None:
        seen = set()
        while not self.done.is_set():
            for folder in sorted(self.blocks.glob("gen_*")) if self.blocks.exists() else ():
                if folder not in seen:
                    seen.add(folder)
                    try:
                        write(folder, self.answer(folder, respond(folder)))
                    except Exception as error:
                        self.errors.append(error)
            time.sleep(0.005)

    def __enter__(self) -> Rig:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.thread.join(20)
        assert not self.errors


def one(**how):
    return rigs.plan(Thread("a", rigs.SPACE, CMAES(population=4), seed=3), **how)


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "session"


def test_generations_go_out_as_folders_and_come_back_as_files(directory):
    Session.create(directory, rigs.plan(repeats=2), rigs.references(2))
    with Session.open(directory) as session, Rig(directory / "blocks"):
        assert run_folder(session, generations=3, **QUICK) == 3
    with Session.open(directory) as session:
        assert run_folder(session, generations=3, **QUICK) == 3  # it is over
        folders = sorted(p.name for p in (directory / "blocks").iterdir())
        assert folders == ["gen_0000", "gen_0001", "gen_0002"]
        block = read_block(directory / "blocks" / "gen_0001")
        assert (block.metadata["generation"], block.metadata["round"]) == (1, 0)
        assert block.metadata["session"] == session.identity
        rows = [row for row in session.history().trials if row.generation == 1]
        assert {(r.stimulus, r.trial): r.position for r in rows} == {
            (p.stimulus, p.trial): p.position for p in block.presentations
        }
        expected = {(r["stimulus"], int(r["trial"])): float(r["0"]) for r in respond(directory / "blocks" / "gen_0001")}
        assert {(r.stimulus, r.trial): r.response[0] for r in rows} == expected


def test_the_stimuli_stand_as_the_plans_display_says(directory):
    Session.create(directory, one(display=Display(height=10, width=12, background=0.25)), rigs.references())
    with Session.open(directory) as session, Rig(directory / "blocks"):
        run_folder(session, generations=1, **QUICK)
    for path in (directory / "blocks" / "gen_0000").glob("*.png"):
        pixels = np.asarray(Image.open(path))
        assert pixels.shape == (10, 12, 3)
        assert (pixels[0] == 64).all()


def test_asking_by_hand_and_by_folder_show_the_same_in_the_same_order(directory, tmp_path):
    for where in (directory, tmp_path / "other"):
        Session.create(where, rigs.plan(repeats=2), rigs.references(2))
    with Session.open(directory) as session, Session.open(tmp_path / "other") as other, Rig(directory / "blocks"):
        run_folder(session, generations=1, **QUICK)
        block = read_block(directory / "blocks" / "gen_0000")
        shown = [(p.position, p.stimulus, p.trial) for p in block.presentations]
        assert [(s.position, s.stimulus, s.trial) for s in other.ask()] == shown


def test_missing_responses_are_lost_where_the_plan_says_so(directory):
    said = []
    Session.create(directory, one(repeats=2))
    with (
        Session.open(directory) as session,
        Rig(directory / "blocks", lambda f, rows: [r for r in rows if "c001" not in r["stimulus"]]),
    ):
        run_folder(session, generations=2, say=said.append, **QUICK)
        assert [(r.n_scored, r.n_lost) for r in session.history().generations] == [(3, 1), (3, 1)]
        assert session.status().n_lost == 4
    assert any("2 presentations have no response (a_g0000c001); they are lost" in text for text in said)


def test_missing_responses_are_shown_again_where_the_plan_says_so(directory):
    said = []

    def forgetful(folder, rows):
        if "again" in folder.name:
            return rows
        return [r for r in rows if not ("c001" in r["stimulus"] or (r["trial"] == "2" and "c002" in r["stimulus"]))]

    Session.create(directory, one(repeats=2, missing="again"), rigs.references())
    with Session.open(directory) as session, Rig(directory / "blocks", forgetful):
        run_folder(session, generations=2, say=said.append, **QUICK)
        rows = session.history().trials
    assert sorted(p.name for p in (directory / "blocks").iterdir()) == [
        "gen_0000",
        "gen_0000_again1",
        "gen_0001",
        "gen_0001_again1",
    ]
    again = read_block(directory / "blocks" / "gen_0000_again1")
    assert sorted(again.names) == ["a_g0000c001", "a_g0000c002"]
    by_trial = {(r.stimulus, r.trial): r.response for r in rows}
    for trial in (1, 2):
        assert math.isnan(by_trial["a_g0000c001", trial][0])
    expected = {(r["stimulus"], int(r["trial"])): float(r["0"]) for r in respond(again.folder)}
    for name in ("a_g0000c001", "a_g0000c002"):  # the second round's trials are the third and fourth
        assert [by_trial[name, n][0] for n in (3, 4)] == [expected[name, n] for n in (1, 2)]
    assert any("their stimuli are shown again" in text for text in said)


def test_a_stimulus_that_is_lost_in_every_attempt_is_lost_at_last(directory):
    def blind(folder, rows):
        return [row | {"0": "nan", "1": "nan"} if "c000" in row["stimulus"] else row for row in rows]

    Session.create(directory, one(missing="again", attempts=2), rigs.references())
    said: list[str] = []
    with Session.open(directory) as session, Rig(directory / "blocks", blind):
        run_folder(session, generations=2, say=said.append, **QUICK)
        rows = session.history().generations
    assert [(row.n_scored, row.n_lost) for row in rows] == [(3, 1), (3, 1)]
    assert len(list((directory / "blocks").iterdir())) == 4
    assert "generation 0: 3 of 4 candidates of a have a score" in said


@pytest.mark.parametrize("attempts", [1, 3])
def test_a_rig_that_answers_only_nan_ends_the_block_after_all_attempts(directory, attempts):
    Session.create(directory, one(missing="again", attempts=attempts), rigs.references())
    said: list[str] = []
    with (
        Session.open(directory) as session,
        Rig(directory / "blocks", lambda f, rows: [row | {"0": "nan", "1": ""} for row in rows]),
    ):
        assert run_folder(session, generations=1, say=said.append, **QUICK) == 1
        status = session.status()
        assert (status.n_trials, status.n_lost) == (5 * attempts, 5 * attempts)
    assert len(list((directory / "blocks").glob("gen_0000*"))) == attempts
    assert "generation 0: 0 of 4 candidates of a have a score, so that nothing was learned" in said


def test_a_dead_channel_costs_no_score_unless_a_thread_goes_by_it(directory, tmp_path):
    dead = {"0": "2.5", "1": "nan"}
    for where, channels in ((directory, None), (tmp_path / "chosen", 1)):
        said: list[str] = []
        Session.create(where, rigs.plan(Thread("a", rigs.SPACE, CMAES(population=4), channels=channels)))
        with Session.open(where) as session, Rig(where / "blocks", lambda f, rows: [row | dead for row in rows]):
            run_folder(session, generations=1, say=said.append, **QUICK)
            status = session.status()
        assert status.threads[0].evolved == ((2.5,) if channels is None else (None,))
        assert status.n_unscored == (0 if channels is None else 4)
        remarked = [text for text in said if text.startswith("generation 0: 0 of 4")]
        assert len(remarked) == (channels is not None)
        assert all("channel 1 came in no trial" in text for text in remarked)


class Patiently:
    """A loop in a thread of its own that is patient, with what it says."""

    def __init__(self, session, patience_s=20.0, generations=1):
        self.said: list[str] = []
        how = {**QUICK, "patience_s": patience_s}
        self.thread = threading.Thread(
            target=lambda: run_folder(session, generations=generations, say=self.said.append, **how)
        )

    def wait_for(self, words):
        end = time.monotonic() + 20
        while not any(words in text for text in self.said):
            assert time.monotonic() < end, self.said
            time.sleep(0.005)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.thread.join(30)
        assert not self.thread.is_alive()


def test_a_rig_that_writes_row_by_row_loses_nothing(directory):
    Session.create(directory, one())
    folder = directory / "blocks" / "gen_0000"
    with Session.open(directory) as session:
        with Patiently(session) as loop:
            loop.wait_for("wait for the file")
            rows = respond(folder)
            for n in range(1, 5):
                write(folder, rows[:n])
                time.sleep(0.05)
        assert (session.status().n_trials, session.status().n_lost) == (4, 0)
    waiting = [text for text in loop.said if "presentations are not in it" in text]
    assert len(waiting) == 1
    assert "3 of 4 presentations are not in it" in waiting[0]


def test_a_file_that_stays_short_is_taken_when_the_patience_is_over(directory):
    Session.create(directory, one())
    folder = directory / "blocks" / "gen_0000"
    with Session.open(directory) as session:
        with Patiently(session, patience_s=0.1) as loop:
            loop.wait_for("wait for the file")
            write(folder, respond(folder)[:3])
        assert (session.status().n_trials, session.status().n_lost) == (4, 1)


@pytest.mark.parametrize("missing", ["lost", "again"])
@pytest.mark.parametrize("n_rows", [0, 2])
def test_a_file_called_advance_ends_the_block_with_what_is_in(directory, missing, n_rows):
    Session.create(directory, one(missing=missing))
    folder = directory / "blocks" / "gen_0000"
    with Session.open(directory) as session:
        with Patiently(session) as loop:
            loop.wait_for("wait for the file")
            if n_rows:
                write(folder, respond(folder)[:n_rows])
                loop.wait_for("presentations are not in it")
            (folder / "advance").touch()
        (row,) = session.history().generations
        assert (row.n_scored, row.is_over) == (n_rows, True)


def test_what_comes_for_a_block_that_is_over_is_taken_as_late_and_once(directory):
    Session.create(directory, one())
    folder = directory / "blocks" / "gen_0000"
    said: list[str] = []
    with Session.open(directory) as session:
        run_folder(session, stop=lambda: True, **QUICK)
        rows = respond(folder)
        write(folder, rows[:3])
        run_folder(session, generations=1, **QUICK)
        learned = rigs.bits(session)
        write(folder, rows)
        for _ in range(3):
            run_folder(session, generations=1, say=said.append, **QUICK)
        status = session.status()
        assert (status.n_trials, status.n_lost, status.n_late) == (4, 0, 1)
        assert rigs.bits(session) == learned
    assert [text.split(": ")[1] for text in said] == [
        "took in 1 trials that were missing, 1 of them too late to be learned from"
    ]
    assert Session.read(directory).status().n_late == 1


def test_a_late_file_of_another_session_or_a_bad_one_is_spoken_of_and_ignored(directory):
    said: list[str] = []
    Session.create(directory, one())
    folder = directory / "blocks" / "gen_0000"
    with Session.open(directory) as session:
        run_folder(session, stop=lambda: True, **QUICK)
        session.advance()
        (folder / "responses.csv").write_text("stimulus,response\na_g0000c000,1\na_g0000c001,fast\n")
        assert take_in(session, said.append) == 0
        (folder / "responses.csv").write_text("stimulus,trial,response\na_g0000c000,1,1\n")
        session.tell([Trial("a_g0000c001", (1.0, 2.0), 1)])
        assert take_in(session, said.append) == 0
        manifest = folder / "manifest.json"
        manifest.write_text(manifest.read_text().replace(session.identity, "0" * 32))
        assert take_in(session, said.append) == 0
        assert session.status().n_trials == 1
    assert ["row 3" in said[0], "expected 2 channels" in said[1], "is another session's block" in said[2]] == [True] * 3


def test_take_in_reads_what_lies_there_without_waiting(directory):
    said: list[str] = []
    Session.create(directory, one())
    folder = directory / "blocks" / "gen_0000"
    with Session.open(directory) as session:
        assert take_in(session) == 0
        run_folder(session, stop=lambda: True, **QUICK)
        assert take_in(session) == 0
        (folder / "responses.csv").write_text("stimulus,response\na_g0000c000,1")
        assert take_in(session, said.append) == 0
        write(folder, respond(folder)[:2])
        assert [take_in(session, said.append) for _ in range(2)] == [2, 0]
        assert session.status().n_waiting == 2
        session.advance()
        write(folder, respond(folder))
        assert [take_in(session, said.append) for _ in range(2)] == [2, 0]
        assert session.status().n_late == 2
    assert "row 2 has no end" in said[0]


def test_a_file_that_contradicts_the_record_is_spoken_of(directory):
    said: list[str] = []
    Session.create(directory, one())
    folder = directory / "blocks" / "gen_0000"
    with Session.open(directory) as session:
        run_folder(session, stop=lambda: True, **QUICK)
        session.tell([Trial("a_g0000c000", (7.0, 8.0), 1)])
        write(folder, [row | {"0": "1", "1": "2"} for row in respond(folder)])
        run_folder(session, generations=1, say=said.append, **QUICK)
    assert any("trial 1 of a_g0000c000 is on record as (7, 8); (1, 2) is left out" in text for text in said)


def test_another_sessions_blocks_are_refused_even_with_the_same_names_and_order(directory, tmp_path):
    for where in (directory, tmp_path / "other"):
        Session.create(where, one())
        time.sleep(0.002)  # the time at which they began is in thousandths of a second
    with Session.open(tmp_path / "other") as other:
        run_folder(other, stop=lambda: True, **QUICK)
    (tmp_path / "other" / "blocks").rename(directory / "blocks")
    with Session.open(directory) as session:
        with pytest.raises(StorageError, match="is another session's block"):
            run_folder(session, generations=1, **QUICK)
        (directory / "blocks").rename(tmp_path / "moved")
        run_folder(session, stop=lambda: True, **QUICK)
        manifest = directory / "blocks" / "gen_0000" / "manifest.json"
        codes = session.present().codes
        manifest.write_text(manifest.read_text().replace(codes, "0" * len(codes)))
        with pytest.raises(StorageError, match="is not the folder that this session wrote"):
            run_folder(session, generations=1, **QUICK)


def test_pictures_that_were_deleted_are_written_again(directory):
    said: list[str] = []
    Session.create(directory, one(), rigs.references())
    with Session.open(directory) as session:
        run_folder(session, stop=lambda: True, **QUICK)
        before = {path: path.read_bytes() for path in (directory / "blocks" / "gen_0000").iterdir()}
        gone, empty = [path for path in before if path.suffix == ".png"][:2]
        gone.unlink()
        empty.write_bytes(b"")
        run_folder(session, stop=lambda: True, say=said.append, **QUICK)
    assert {path: path.read_bytes() for path in before} == before
    assert sum("had been deleted, and is written again" in text for text in said) == 1


def test_a_file_beside_the_block_is_spoken_of(directory, monkeypatch):
    from phosphene.exchange import name_watch

    monkeypatch.setattr(name_watch, "MISNAMED_S", 0.0)
    said: list[str] = []
    Session.create(directory, one())
    with Session.open(directory) as session:
        for folder in (directory, directory / "blocks"):
            folder.mkdir(exist_ok=True)
            (folder / "responses.csv").write_text("")
        looks = iter([False] * 3)
        run_folder(session, say=said.append, stop=lambda: next(looks, True), **QUICK)
    found = [text for text in said if "lies beside the block" in text]
    assert len(found) == 2
    assert all(f"move it into {directory / 'blocks' / 'gen_0000'}" in text for text in found)


def test_what_another_thread_tells_ends_the_waiting(directory):
    Session.create(directory, one())
    with Session.open(directory) as session:

        def rig():
            for _ in range(2):
                session.tell(rigs.answered(session.ask()))
                time.sleep(0.05)

        thread = threading.Thread(target=rig)
        thread.start()
        assert run_folder(session, generations=2, **QUICK) == 2
        thread.join(20)


@pytest.mark.parametrize("how", ["numbers", "none", "from_zero"])
def test_trials_are_numbered_by_the_manifest_by_appearance_or_from_zero(directory, how):
    Session.create(directory, one(repeats=3))

    def answer(folder, rows):
        if how == "from_zero":
            return [row | {"trial": str(int(row["trial"]) - 1)} for row in rows]
        return rows

    with Session.open(directory) as session:
        if how == "none":
            present = session.present()
            blocks = directory / "blocks"
            stop = iter([False, True])
            run_folder(session, stop=lambda: next(stop, True), **QUICK)
            rows = respond(blocks / "gen_0000")
            text = "stimulus,response_0,response_1\n" + "".join(f"{r['stimulus']},{r['0']},{r['1']}\n" for r in rows)
            (blocks / "gen_0000" / "responses.csv").write_text(text)
            run_folder(session, generations=1, **QUICK)
            assert present.repeats == 3
        else:
            with Rig(directory / "blocks", answer):
                run_folder(session, generations=1, **QUICK)
        found = sorted((r.stimulus, r.trial) for r in session.history().trials)
        assert found == sorted((f"a_g0000c{i:03d}", t) for i in range(4) for t in (1, 2, 3))


def test_a_bad_file_is_told_and_waited_out_and_nothing_of_it_counts(directory):
    Session.create(directory, one())
    said: list[str] = []
    bad = [
        b"",
        b"\x00\x01",
        b"stimulus,trial,response\na_g0000c000,1,fast\n",
        b"stimulus,trial,response\nnobody,1,2.0\n",
        b"stimulus,trial,response\na_g0000c000,1,2.0\na_g0000c000,1,3.0\n",
        b"stimulus,trial,response\na_g0000c000,1,inf\n",
    ]

    def rig():
        folder = directory / "blocks" / "gen_0000"
        for i, data in enumerate(bad):
            while len([text for text in said if "responses.csv" in text]) < i or not folder.exists():
                time.sleep(0.005)
            (folder / ".w").write_bytes(data)
            (folder / ".w").replace(folder / "responses.csv")
        while len([text for text in said if "responses.csv" in text]) < len(bad):
            time.sleep(0.005)
        write(folder, respond(folder))

    thread = threading.Thread(target=rig, daemon=True)
    with Session.open(directory) as session:
        thread.start()
        run_folder(session, generations=1, say=said.append, **QUICK)
        thread.join(20)
        *told, last = [text for text in said if "responses.csv" in text]
        assert len(told) == len(bad)
        assert last.endswith("the responses are its columns response_0, response_1")
        assert session.status().n_trials == 4
        assert any("row" in text or "line" in text for text in told)


def test_a_file_with_other_channels_than_before_is_a_bad_file(directory):
    Session.create(directory, one())
    said: list[str] = []
    with Session.open(directory) as session:
        with Rig(directory / "blocks"):
            run_folder(session, generations=1, **QUICK)

        def rig():
            folder = directory / "blocks" / "gen_0001"
            while not folder.exists():
                time.sleep(0.005)
            rows = respond(folder)
            text = "stimulus,response\n" + "".join(f"{r['stimulus']},{r['0']}\n" for r in rows)
            (folder / "responses.csv").write_text(text)
            while not any("expected 2 channels" in text for text in said):
                time.sleep(0.005)
            write(folder, rows)

        thread = threading.Thread(target=rig, daemon=True)
        thread.start()
        run_folder(session, generations=2, say=said.append, **QUICK)
        thread.join(20)
        assert session.status().n_trials == 8
    assert sum("expected 2 channels" in text for text in said) == 1


def test_names_that_are_no_stimuli_are_told_and_ignored(directory):
    said: list[str] = []
    Session.create(directory, one())
    extra = {"stimulus": "somebody", "trial": "1", "0": "1", "1": "2"}
    with Session.open(directory) as session, Rig(directory / "blocks", lambda f, rows: [*rows, extra]):
        run_folder(session, generations=1, say=said.append, **QUICK)
        assert session.status().n_trials == 4
    assert any("ignored somebody" in text for text in said)


def test_without_a_file_it_ends_in_time_or_when_told_and_the_session_is_as_it_was(directory):
    Session.create(directory, one())
    with Session.open(directory) as session:
        with pytest.raises(StorageError, match=r"no responses came within 0\.05 s"):
            run_folder(session, **{**QUICK, "timeout_s": 0.05})
        looks = iter([False] * 3)
        assert run_folder(session, stop=lambda: next(looks, True), **QUICK) == 0
        with Rig(directory / "blocks"):
            assert run_folder(session, generations=1, **QUICK) == 1


@pytest.mark.parametrize(
    ("name", "value"), [("generations", 0), ("poll_s", 0), ("settle_s", -1), ("timeout_s", -1), ("patience_s", -1)]
)
def test_arguments_out_of_range_are_refused(directory, name, value):
    Session.create(directory, one())
    with Session.open(directory) as session, pytest.raises(ParameterError, match=name):
        run_folder(session, **{name: value})


def test_a_folder_that_is_not_the_sessions_is_not_waited_in(directory, tmp_path):
    for where, seed in ((directory, 0), (tmp_path / "other", 1)):
        Session.create(where, one(order_seed=seed))
    with Session.open(tmp_path / "other") as other:
        run_folder(other, stop=lambda: True, **QUICK)
    (tmp_path / "other" / "blocks").rename(directory / "blocks")
    with (
        Session.open(directory) as session,
        pytest.raises(StorageError, match="is another session's block"),
    ):
        run_folder(session, generations=1, **QUICK)


def test_on_a_full_disk_the_file_is_read_again_later_and_counts_once(directory, monkeypatch):
    Session.create(directory, one())
    with Session.open(directory) as session:
        run_folder(session, stop=lambda: True, **QUICK)
        folder = directory / "blocks" / "gen_0000"
        write(folder, respond(folder))

        def fail(*_):
            raise OSError(errno.ENOSPC, "full")

        with monkeypatch.context() as patched:
            patched.setattr(os, "write", fail)
            with pytest.raises(StorageError, match="the disk is full"):
                run_folder(session, generations=1, **QUICK)
        assert session.status().n_trials == 0
        assert run_folder(session, generations=1, **QUICK) == 1
        assert session.status().n_trials == 4


@pytest.mark.parametrize("missing", ["lost", "again"])
def test_stopped_after_every_write_of_a_trial_it_goes_on_to_the_same_bits(directory, tmp_path, monkeypatch, missing):
    """An interrupt between what the file said and what is lost, in which every presentation must count once."""
    from phosphene.sessions.keeping import Keeper

    def rig(where):
        return Rig(
            where / "blocks", lambda f, rows: [r for r in rows if "c001" not in r["stimulus"] or "again" in f.name]
        )

    ends = []
    for where, interrupted in ((tmp_path / "whole", False), (directory, True)):
        Session.create(where, one(missing=missing, repeats=2), rigs.references())
        with rig(where):
            while True:
                with Session.open(where) as session, monkeypatch.context() as patched:
                    if session.n_finished == 3:
                        break
                    if interrupted:
                        plain = Keeper._write

                        def write_once(self, events, plain=plain):
                            plain(self, events)
                            raise KeyboardInterrupt

                        patched.setattr(Keeper, "_write", write_once)
                    with contextlib.suppress(KeyboardInterrupt):
                        run_folder(session, generations=3, **QUICK)
        snapshot = Session.read(where)
        ends.append((rigs.bits(snapshot), sorted(map(repr, rigs.told(where)))))
    assert ends[0] == ends[1]


def test_killed_while_it_waits_it_goes_on_waiting_in_the_same_folder(directory):
    Session.create(directory, one(), rigs.references())
    code = f"""
import sys
from phosphene.sessions import Session, run_folder
with Session.open({str(directory)!r}) as session:
    run_folder(session, generations=2, poll_s=0.005, settle_s=0.0, patience_s=0.0, timeout_s=60, say=lambda text: print(text, flush=True))
"""
    for generation in range(2):
        runner = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        try:
            assert f"gen_{generation:04d}" in runner.stdout.readline()
            folder = directory / "blocks" / f"gen_{generation:04d}"
            before = {p.name: p.stat().st_mtime_ns for p in folder.iterdir()}
            os.kill(runner.pid, signal.SIGKILL)
            runner.wait(20)
        finally:
            runner.kill()
            runner.stdout.close()
        write(folder, respond(folder))
        with Session.open(directory) as session:
            assert run_folder(session, generations=generation + 1, **QUICK) == generation + 1
            assert {name: (folder / name).stat().st_mtime_ns for name in before} == before
    with Session.open(directory) as session:
        assert session.status().n_trials == 10
        assert [json.loads(line)["n"] for line in (directory / "journal.jsonl").read_text().splitlines()] == list(
            range(13)
        )
        assert session.tell([Trial("a_g0000c000", (0.0, 0.0), 1)]).n_ignored == 1
