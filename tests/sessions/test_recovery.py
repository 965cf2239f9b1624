"""Opening again: from states, from the journal alone, after damage; and the doors that stay shut."""

from __future__ import annotations

import errno
import inspect
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
import rigs
import torch
from PIL import Image

import phosphene.optimizers as optimizers
from phosphene.errors import ArgumentError, ImageError, ParameterError, StorageError, TrustError
from phosphene.optimizers import RandomSearch
from phosphene.optimizers.search_optimizer import SearchOptimizer
from phosphene.parameterizations.generators.custom import CustomGenerator
from phosphene.sessions import Session, Snapshot, Thread, creation, keeping
from phosphene.spaces import as_space
from phosphene.store.states import read_state, write_state


@pytest.fixture
def directory(tmp_path):
    """A session of three generations, and the fourth half told."""
    directory = tmp_path / "session"
    Session.create(directory, rigs.plan(), rigs.references())
    with Session.open(directory) as session:
        rigs.finish(session, 3)
        session.tell(rigs.answered(session.ask()[:5]))
    return directory


@pytest.fixture
def whole(tmp_path):
    """The bits of a session of five generations that nobody interrupted."""
    Session.create(tmp_path / "whole", rigs.plan(), rigs.references())
    with Session.open(tmp_path / "whole") as session:
        rigs.finish(session, 5)
        return rigs.bits(session)


def finished(directory):
    with Session.open(directory) as session:
        rigs.finish(session, 5)
        return rigs.bits(session)


def remove_states(directory):
    shutil.rmtree(directory / "state")


def remove_codes(directory):
    shutil.rmtree(directory / "codes")


def damage_newest(directory):
    for path in (directory / "state").glob("*-0003.safetensors"):
        path.write_bytes(path.read_bytes()[:-5])


def damage_one_of_two(directory):
    path = directory / "state" / "b-0003.safetensors"
    path.write_bytes(b"")


def damage_all(directory):
    for path in (directory / "state").iterdir():
        path.write_bytes(os.urandom(300))


def put_an_older_state_in_place_of_the_newest(directory):
    for name in "ab":
        shutil.copy(directory / "state" / f"{name}-0001.safetensors", directory / "state" / f"{name}-0003.safetensors")


def forge_the_newest(directory):
    path = directory / "state" / "a-0003.safetensors"
    state = read_state(path)
    write_state(path, {**state, "mean": state["mean"] + 1})


def leave_litter(directory):
    for place in ("state", "codes", "."):
        (directory / place / ".phosphene-0123456789abcdef.tmp").write_bytes(b"half")


def nothing(directory):
    pass


DAMAGES = [nothing, remove_states, remove_codes, damage_newest, damage_one_of_two, damage_all]
DAMAGES += [put_an_older_state_in_place_of_the_newest, forge_the_newest, leave_litter]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda f: f.__name__)
def test_whatever_becomes_of_the_states_a_session_goes_on_to_the_same_bits(directory, whole, damage):
    damage(directory)
    assert finished(directory) == whole
    assert not list(directory.rglob(".phosphene-*"))


def test_a_journal_cut_back_makes_the_session_go_on_from_there_whatever_states_there_are(directory, whole):
    path = directory / "journal.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    for n in range(1, len(lines), 4):
        path.write_bytes(b"".join(lines[:n]))
        assert finished(directory) == whole


def test_at_every_byte_of_the_last_lines_a_torn_journal_goes_on_to_the_same_bits(directory, whole):
    path = directory / "journal.jsonl"
    data = path.read_bytes()
    for n in range(len(data) - 300, len(data), 23):
        copy = directory.with_name("copy")
        shutil.copytree(directory, copy, dirs_exist_ok=True)
        (copy / "journal.jsonl").write_bytes(data[:n])
        assert finished(copy) == whole


def test_states_behind_other_trials_of_the_same_plan_are_not_taken(tmp_path):
    """As after a journal was put back from a copy: nothing that follows in the journal would tell."""
    for name, lost in (("one", 0.0), ("two", 0.3)):
        Session.create(tmp_path / name, rigs.plan(), rigs.references())
        with Session.open(tmp_path / name) as session:
            rigs.finish(session, 2, lost=lost)
            expected = rigs.bits(session)
    for path in (tmp_path / "one" / "state").iterdir():
        shutil.copy(path, tmp_path / "two" / "state")
    assert rigs.bits(Session.read(tmp_path / "two")) == expected != rigs.bits(Session.read(tmp_path / "one"))


SEARCHES = [cls for cls in vars(optimizers).values() if inspect.isclass(cls) and issubclass(cls, SearchOptimizer)]


@pytest.mark.parametrize("cls", [cls for cls in SEARCHES if not inspect.isabstract(cls)], ids=lambda cls: cls.__name__)
def test_with_every_optimizer_a_session_comes_back_from_states_and_from_the_journal(tmp_path, cls):
    plan = rigs.plan(Thread("a", rigs.SPACE, cls(population=6, share=0.8)))
    Session.create(tmp_path / "whole", plan)
    with Session.open(tmp_path / "whole") as session:
        rigs.finish(session, 4)
        expected = rigs.bits(session)
    Session.create(tmp_path / "s", plan)
    for generation in range(4):
        with Session.open(tmp_path / "s") as session:
            session.tell(rigs.answered(session.ask()[:3]))
        if generation == 2:
            remove_states(tmp_path / "s")
        with Session.open(tmp_path / "s") as session:
            session.tell(rigs.answered(session.ask()))
    assert rigs.bits(Session.read(tmp_path / "s")) == expected
    remove_states(tmp_path / "s")
    assert rigs.bits(Session.read(tmp_path / "s")) == expected


def test_a_session_does_not_depend_on_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Session.create("s", rigs.plan())
    with Session.open("s") as session:
        monkeypatch.chdir("/")
        rigs.finish(session, 1)
        assert session.directory == tmp_path / "s"


def test_damage_within_the_journal_is_named_and_nothing_is_changed(directory):
    path = directory / "journal.jsonl"
    data = path.read_bytes()
    at = data.index(b'"trial":1')
    path.write_bytes(data[:at] + b'"trial":2' + data[at + 9 :])
    changed = {p: p.read_bytes() for p in directory.rglob("*") if p.is_file() and p.name not in ("lock", "lock.pid")}
    for door in (lambda: Session.open(directory).__enter__(), lambda: Session.read(directory)):
        with pytest.raises(StorageError, match=r"journal.jsonl, line 3: the journal is damaged"):
            door()
    assert {p: p.read_bytes() for p in changed} == changed


def rewritten(directory, change):
    """The journal with events changed, and checksums that fit them."""
    from phosphene.sessions.lines import framed, read_journal

    path = directory / "journal.jsonl"
    data, before = b"", None
    for line in read_journal(path).lines:
        event = json.loads(json.dumps(dict(line.event)))
        change(line.number, event)
        piece, lines = framed([event], before=before, at=line.at)
        data, before = data + piece, lines[-1]
    path.write_bytes(data)


@pytest.mark.parametrize(
    "change",
    [
        lambda n, event: event.update(stimulus="nobody") if n == 2 else None,
        lambda n, event: event.update(event="party") if n == 2 else None,
        lambda n, event: event.update(response=[1.0]) if n == 2 else None,
        lambda n, event: event.update(response=[]) if n == 2 else None,
        lambda n, event: event.update(response="x") if n == 2 else None,
        lambda n, event: event.update(block=7) if n == 1 else None,
        lambda n, event: event.update(order=[99]) if n == 1 else None,
        lambda n, event: event.pop("threads") if n == 1 else None,
        lambda n, event: event.update(stimuli=3) if n == 1 else None,
    ],
)
def test_a_journal_that_tells_of_what_cannot_be_names_the_line(directory, change):
    rewritten(directory, change)
    with pytest.raises(StorageError, match="line [23]: the journal says something that does not fit"):
        Session.read(directory)


def test_where_the_searches_come_to_something_else_than_the_journal_says_nobody_goes_on(directory):
    remove_states(directory)
    rewritten(directory, lambda n, event: event.update(response=[9.0, 9.0]) if n == 2 else None)
    with pytest.raises(StorageError, match="the searches do not come to the states that the journal recorded .*torch"):
        Session.read(directory)


def test_where_it_shows_other_candidates_than_the_searches_ask_for_nobody_goes_on(directory):
    def change(n, event):
        if event["event"] == "ask" and event["block"] == 0:
            event["stimuli"][0][2] = "g0000c009"

    rewritten(directory, change)
    with pytest.raises(StorageError, match="generation 0"):
        Session.read(directory)


@pytest.mark.parametrize("name", ["session.json", "journal.jsonl"])
def test_a_plan_and_a_journal_of_different_sessions_are_refused(directory, tmp_path, name):
    Session.create(tmp_path / "other", rigs.plan(order_seed=5), rigs.references())
    shutil.copy(tmp_path / "other" / name, directory / name)
    with pytest.raises(StorageError, match="is not the plan with which"), Session.open(directory):
        pass


def test_reading_needs_no_lock_and_writes_nothing(directory):
    with Session.open(directory) as session:
        before = {p: p.read_bytes() for p in directory.rglob("*") if p.is_file()}
        snapshot = Session.read(directory)
        assert snapshot.status() == session.status()
        assert snapshot.history() == session.history()
        assert torch.equal(snapshot.best("b").image, session.best("b").image)
        assert torch.equal(snapshot.recommended().image, session.recommended().image)
        assert {p: p.read_bytes() for p in directory.rglob("*") if p.is_file()} == before
        assert set(snapshot.versions) == {"phosphene", "python", "torch", "numpy"}
    assert type(snapshot) is Snapshot


def test_reading_leaves_out_what_is_being_written_and_leaves_it_there(directory):
    path = directory / "journal.jsonl"
    n = Session.read(directory).status().n_trials
    with path.open("ab") as file:
        file.write(b'{"n":99,"left":0,"at":"now","event":"tri')
    size = path.stat().st_size
    assert Session.read(directory).status().n_trials == n
    assert path.stat().st_size == size


def test_the_second_who_opens_a_session_is_refused_with_the_number_of_the_first(directory):
    code = f"""
import sys, time
from phosphene.sessions import Session
with Session.open({str(directory)!r}):
    print("open", flush=True)
    time.sleep(60)
"""
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "open\n"
        with (
            pytest.raises(StorageError, match=f"open in another process .number {holder.pid}."),
            Session.open(directory),
        ):
            pass
        assert Session.read(directory).status().generation == 3
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait(20)
        with Session.open(directory) as session:  # the system has released the lock
            assert session.n_finished == 3
    finally:
        holder.kill()
        holder.wait(20)
        holder.stdout.close()


def test_a_session_is_open_once_within_a_process_too(directory):
    with Session.open(directory):
        with pytest.raises(StorageError, match=f"number {os.getpid()}"), Session.open(directory):
            pass
        (directory / "lock.pid").write_bytes(b"\xff rubbish")
        with pytest.raises(StorageError, match="number unknown"), Session.open(directory):
            pass
    with Session.open(directory):
        pass


def test_a_session_that_is_closed_is_not_written_to(directory):
    with Session.open(directory) as session:
        asked = session.ask()
    with pytest.raises(StorageError, match="is closed"):
        session.tell(rigs.answered(asked))


def test_a_directory_that_cannot_be_locked_says_so(directory):
    (directory / "lock").unlink()
    (directory / "lock").mkdir()
    with pytest.raises(StorageError, match="cannot be locked"), Session.open(directory):
        pass


def fail(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("call", ["write", "fsync", "open", "replace"])
def test_on_a_full_disk_a_session_says_so_and_goes_on_when_there_is_space(directory, whole, monkeypatch, call):
    """``write`` and ``fsync`` hit the journal; ``open`` and ``replace`` states and codes."""
    with Session.open(directory) as session:
        while session.n_finished < 5:
            with monkeypatch.context() as patched:
                patched.setattr(os, call, fail)
                with pytest.raises(StorageError, match="the disk is full"):  # noqa: PT012 - either of them
                    session.tell(rigs.answered(session.ask()[:2]))
                    if call in ("open", "replace") and session.status().problem == "":
                        raise StorageError("the disk is full: not for the journal")
                    session.ask()
            if session.n_finished == 5:
                break
            before = session.status().n_trials
            trials = rigs.answered(session.ask()[:3])
            assert session.tell(trials).n_new == len(trials)
            assert session.status().n_trials == before + len(trials)
            assert session.status().problem == ""
        assert rigs.bits(session) == whole
    assert rigs.bits(Session.read(directory)) == whole


@pytest.mark.parametrize("call", ["open", "replace", "write", "fsync"])
def test_a_generation_that_could_not_begin_begins_later_as_if_nothing_had_been(directory, whole, monkeypatch, call):
    with Session.open(directory) as session:
        session.tell(rigs.answered(session.ask()))
        for _ in range(2):
            with monkeypatch.context() as patched:
                patched.setattr(os, call, fail)
                with pytest.raises(StorageError, match="the disk is full"):
                    session.ask()
        session.ask()
    assert finished(directory) == whole
    remove_states(directory)
    assert rigs.bits(Session.read(directory)) == whole


def test_trials_that_are_on_record_count_even_where_the_states_cannot_be_written(directory, monkeypatch):
    with Session.open(directory) as session:
        asked = session.ask()
        with monkeypatch.context() as patched:
            patched.setattr(os, "replace", fail)
            assert session.tell(rigs.answered(asked)).updated == ("a", "b")
            assert "the disk is full" in session.status().problem
            with pytest.raises(StorageError, match="the disk is full"):
                session.ask()
        expected = rigs.bits(session)
    assert rigs.bits(Session.read(directory)) == expected
    with Session.open(directory) as session:
        session.ask()
        assert session.status().problem == ""


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="mounts a small disk")
def test_on_a_disk_that_is_really_full_nothing_is_lost(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip("this machine mounts nothing")
    try:
        Session.create(disk / "s", rigs.plan(), rigs.references())
        with Session.open(disk / "s") as session:
            with pytest.raises(StorageError, match="the disk is full"):
                rigs.finish(session, 1000)
            n = session.status().n_trials
            assert n == len(rigs.told(disk / "s")) > 20
            shutil.copytree(disk / "s", tmp_path / "copy")
            for path in sorted((disk / "s" / "state").iterdir())[:10]:
                path.unlink()
            more = session.n_finished + 1
            rigs.finish(session, more)
            expected = rigs.bits(session)
        with Session.open(tmp_path / "copy") as session:
            assert session.status().n_trials == n
            rigs.finish(session, more)
            assert rigs.bits(session) == expected
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("where", ["append", "apply", "learn", "save"])
def test_after_an_interrupt_at_any_place_a_session_goes_on_from_the_disk(directory, whole, monkeypatch, where):
    from phosphene.sessions.journal import Journal
    from phosphene.sessions.record import Record
    from phosphene.sessions.searches import Searches

    cls = {"append": Journal, "apply": Record}.get(where, Searches)
    plain = getattr(cls, where)

    def interrupt(*arguments, **how):
        plain(*arguments, **how)
        raise KeyboardInterrupt

    with Session.open(directory) as session:
        with monkeypatch.context() as patched:
            patched.setattr(cls, where, interrupt)
            with pytest.raises(KeyboardInterrupt):
                session.tell(rigs.answered(session.ask()))
        rigs.finish(session, 5)
        assert rigs.bits(session) == whole
    assert rigs.bits(Session.read(directory)) == whole


def test_another_version_puts_itself_on_record(directory, monkeypatch):
    changed = creation.versions() | {"torch": "9.9"}
    for module in (creation, keeping):
        monkeypatch.setattr(module, "versions", lambda: changed)
    with Session.open(directory) as session:
        assert session.versions["torch"] == torch.__version__
        session.tell(rigs.answered(session.ask()))
    assert Session.read(directory).versions["torch"] == "9.9"


def test_time_plays_no_part(directory, whole, monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert finished(directory) == whole


def test_creating_where_something_is_already_is_refused_and_changes_nothing(directory, tmp_path):
    before = (directory / "journal.jsonl").read_bytes()
    with pytest.raises(StorageError, match="holds a session already"):
        Session.create(directory, rigs.plan())
    assert (directory / "journal.jsonl").read_bytes() == before
    (directory / "session.json").unlink()
    with pytest.raises(StorageError, match="choose a folder that is new or empty"):
        Session.create(directory, rigs.plan())
    assert (directory / "journal.jsonl").read_bytes() == before
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    with pytest.raises(StorageError, match=r"holds thesis\.txt"):
        Session.create(tmp_path / "full", rigs.plan())
    with pytest.raises(StorageError, match="cannot be made"):
        Session.create(tmp_path / "full" / "thesis.txt", rigs.plan())


@pytest.mark.parametrize("name", ["replace", "fsync"])
def test_a_creation_that_failed_anywhere_can_be_done_again(tmp_path, monkeypatch, name):
    plain = getattr(os, name)
    for k in range(2, 30):  # the first writes who holds the lock, which nobody depends on
        calls = []

        def call(*arguments, calls=calls, k=k):
            calls.append(1)
            return fail() if len(calls) == k else plain(*arguments)

        with monkeypatch.context() as patched:
            patched.setattr(os, name, call)
            try:
                Session.create(tmp_path / str(k), rigs.plan(), rigs.references(2))
                assert len(calls) < k or name == "fsync"  # the last brings the name to the disk, where it can
                break
            except StorageError:
                pass
        with pytest.raises(StorageError, match="holds no session"):
            Session.read(tmp_path / str(k))
        Session.create(tmp_path / str(k), rigs.plan(), rigs.references(1))
        snapshot = Session.read(tmp_path / str(k))
        assert (
            sorted(snapshot.references)
            == sorted(p.stem for p in (tmp_path / str(k) / "references").glob("*.png"))
            == ["01"]
        )
    assert k > 5


def test_reference_images_may_be_a_folder_of_pictures(tmp_path):
    (tmp_path / "pictures").mkdir()
    for name, size in (("Cat.png", (5, 7)), ("dog one.jpg", (4, 4))):
        Image.new("RGB", size, (255, 0, 0)).save(tmp_path / "pictures" / name)
    (tmp_path / "pictures" / "notes.txt").write_text("no picture")
    Session.create(tmp_path / "s", rigs.plan(), tmp_path / "pictures")
    with Session.open(tmp_path / "s") as session:
        assert {name: tuple(image.shape) for name, image in session.references.items()} == {
            "Cat": (3, 7, 5),
            "dog-one": (3, 4, 4),
        }
        shown = {s.stimulus: s.image for s in session.ask() if s.is_reference}
        assert set(shown) == {"reference_g0000_Cat", "reference_g0000_dog-one"}
        assert torch.equal(shown["reference_g0000_Cat"][:, 0, 0], torch.tensor([1.0, 0, 0]))


@pytest.mark.parametrize(
    ("references", "error", "match"),
    [
        ([torch.zeros(2, 4, 4)], ImageError, "expected numbers in"),
        ([torch.zeros(4, 4)], ImageError, "expected numbers in"),
        ([torch.full((3, 4, 4), 1.5)], ImageError, "expected numbers in"),
        ([torch.full((3, 4, 4), float("nan"))], ImageError, "expected numbers in"),
        ([torch.zeros(3, 4, 4, dtype=torch.uint8)], ImageError, "uint8"),
        ([torch.zeros(1, 1, 2**14 + 1)], ParameterError, "at most 16384"),
        ([[0.5]], ArgumentError, "a reference image is a list"),
        ("nowhere", StorageError, "nowhere is no folder"),
    ],
)
def test_reference_images_that_are_none_are_refused_before_anything_is_made(tmp_path, references, error, match):
    with pytest.raises(error, match=match):
        Session.create(tmp_path / "s", rigs.plan(), references)
    assert not (tmp_path / "s" / "session.json").exists()


def test_hidden_files_are_no_reference_images(tmp_path):
    (tmp_path / "pictures").mkdir()
    Image.new("RGB", (4, 4)).save(tmp_path / "pictures" / "a.png")
    (tmp_path / "pictures" / "._a.png").write_bytes(b"Mac OS X")
    Session.create(tmp_path / "session", rigs.plan(), tmp_path / "pictures")
    assert list(Session.read(tmp_path / "session").references) == ["a"]


def test_a_journal_that_was_cut_short_is_spoken_of_and_its_tail_is_kept(directory):
    journal = directory / "journal.jsonl"
    whole = journal.read_bytes()
    assert Session.read(directory).status().problem == ""
    cut = whole[: len(whole) // 2]
    journal.write_bytes(cut)
    kept = cut.rfind(b"\n") + 1
    assert kept < len(cut)
    assert "but the session was in generation 3 before" in Session.read(directory).status().problem
    assert not list(directory.glob("journal.jsonl.torn-*"))
    with Session.open(directory) as session:
        assert "it was cut off, or is an older one" in session.status().problem
        session.ask()
        session.tell(rigs.answered(session.ask()))
    (torn,) = directory.glob("journal.jsonl.torn-*")
    assert cut.endswith(torn.read_bytes())
    assert len(torn.read_bytes()) >= len(cut) - kept


def test_reference_images_are_read_when_they_are_asked_for(directory):
    path = next((directory / "references").iterdir())
    path.write_bytes(b"no picture")
    snapshot = Session.read(directory)
    assert snapshot.status().n_trials
    with pytest.raises(KeyError):
        snapshot.references["nobody"]
    with pytest.raises((ImageError, StorageError), match=path.name):
        snapshot.references[path.stem]
    path.unlink()
    with pytest.raises(StorageError, match=path.name):
        Session.read(directory)


def test_a_folder_without_pictures_is_refused(tmp_path):
    with pytest.raises(StorageError, match="holds no reference images"):
        Session.create(tmp_path / "s", rigs.plan(), tmp_path)


def test_an_origin_that_does_not_fit_is_refused_before_anything_is_made(tmp_path):
    with pytest.raises(ParameterError, match="a code of 48 numbers"):
        Session.create(tmp_path / "s", rigs.plan(Thread("a", rigs.SPACE, RandomSearch(), origin=torch.zeros(3))))
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda d: d.update(format="phosphene session 9"), "its format is 'phosphene session 9'"),
        (lambda d: d.pop("plan"), "expected a table of a Plan"),
        (lambda d: d["plan"].update(repeats=0), "repeats"),
        (lambda d: d["plan"].update(surprise=1), "has no such key"),
        (lambda d: d.update(references="x"), "expected a list of names"),
        (lambda d: d.update(references=["../../etc/passwd"]), "expected a file's name"),
        (lambda d: d.update(references=[".."]), "expected a file's name"),
        (lambda d: d.update(references=[3]), "expected a file's name"),
    ],
)
def test_a_plan_that_is_none_is_refused_with_what_is_wrong(directory, change, match):
    document = json.loads((directory / "session.json").read_text())
    change(document)
    (directory / "session.json").write_text(json.dumps(document))
    with pytest.raises(StorageError, match=match):
        Session.read(directory)


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"\xff\xfe", b"[" * 100000, b'{"format": NaN}'])
def test_a_plan_that_is_no_json_is_refused(directory, data):
    (directory / "session.json").write_bytes(data)
    with pytest.raises(StorageError, match="is no plan of a session, or is damaged"):
        Session.read(directory)


def test_where_there_is_no_session_it_says_so(tmp_path):
    for door in (Session.read, lambda d: Session.open(d).__enter__()):
        with pytest.raises(StorageError, match="holds no session"):
            door(tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_without_its_journal_a_session_is_not_begun_anew(directory):
    (directory / "journal.jsonl").unlink()
    with pytest.raises(StorageError, match="no such file"), Session.open(directory):
        pass
    (directory / "journal.jsonl").write_bytes(b"")
    with pytest.raises(StorageError, match="is not the plan with which"), Session.open(directory):
        pass


def test_a_reference_image_that_is_gone_is_named(directory):
    (directory / "references" / "01.png").unlink()
    with pytest.raises(StorageError, match=r"01\.png"):
        Session.read(directory)


def test_a_plan_that_would_read_a_strangers_weights_needs_trust(directory):
    document = json.loads((directory / "session.json").read_text())
    document["plan"]["threads"][0]["space"] = as_space(CustomGenerator(_decoder, (6,))).to_json()
    (directory / "session.json").write_text(json.dumps(document))
    with pytest.raises(TrustError, match=r"plan\.threads\[0\]\.space\.parameterization.*would import"):
        Session.read(directory)


def _decoder(codes):
    return codes.sigmoid()[:, :3, None, None].expand(-1, 3, 4, 4)
