"""The journal: what is on record stays, what was cut off goes, and damage is named by its line."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from phosphene.errors import StorageError
from phosphene.sessions.journal import Journal
from phosphene.sessions.lines import read_journal

EVENTS = [{"event": "a", "x": [1, 2.5, None]}, {"event": "b", "text": 'quote " and ü'}, {"event": "c"}]


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b"")
    return path


@pytest.fixture
def journal(path):
    journal = Journal(path)
    yield journal
    journal.close()


def events(path: Path) -> list[dict]:
    return [dict(line.event) for line in read_journal(path).lines]


def test_what_was_appended_is_read_again_in_its_order(journal, path):
    journal.append(EVENTS[:1])
    journal.append(EVENTS[1:])
    assert events(path) == EVENTS
    assert [line.number for line in read_journal(path).lines] == [0, 1, 2]
    assert [line.left for line in read_journal(path).lines] == [0, 1, 0]
    assert [line.seal for line in journal.lines] == [line.seal for line in read_journal(path).lines]


def test_each_line_is_json_with_a_crc32_chained_to_the_line_before(journal, path):
    journal.append(EVENTS)
    seal = 0
    for raw in path.read_bytes().splitlines():
        body, found = raw.rsplit(b',"crc":"', 1)
        seal = zlib.crc32(body, seal)
        assert json.loads(raw)["crc"] == f"{seal:08x}" == found[:8].decode()


def test_cut_off_at_any_byte_it_holds_the_appends_that_are_whole_and_goes_on(journal, path):
    journal.append(EVENTS[:1])
    first = path.stat().st_size
    journal.append(EVENTS[1:])
    journal.close()
    whole = path.read_bytes()
    for n_bytes in range(len(whole) + 1):
        path.write_bytes(whole[:n_bytes])
        # A line that lacks nothing but its end mark is whole.
        n = 0 if n_bytes < first - 1 else 1 if n_bytes < len(whole) - 1 else 3
        assert events(path) == EVENTS[:n], n_bytes
        again = Journal(path)
        again.append([{"event": "d"}])
        again.close()
        assert events(path) == [*EVENTS[:n], {"event": "d"}]
        assert path.read_bytes().endswith(b"\n")


def test_zeros_at_the_end_as_a_power_cut_leaves_them_are_dropped(journal, path):
    journal.append(EVENTS)
    with path.open("ab") as file:
        file.write(bytes(4096))
    assert events(path) == EVENTS
    again = Journal(path)
    again.append(EVENTS[:1])
    again.close()
    assert events(path) == [*EVENTS, EVENTS[0]]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_damage_in_a_line_is_an_error_that_names_the_line(journal, path, number):
    journal.append(EVENTS[:1])
    journal.append(EVENTS[1:2])
    journal.append(EVENTS[2:])
    lines = path.read_bytes().splitlines(keepends=True)
    for at in range(len(lines[number - 1]) - 1):
        damaged = bytearray(lines[number - 1])
        damaged[at] ^= 1
        data = b"".join([*lines[: number - 1], bytes(damaged), *lines[number:]])
        if damaged.count(b"\n") > 1:
            continue
        path.write_bytes(data)
        with pytest.raises(StorageError, match=rf"line {number}: the journal is damaged"):
            read_journal(path)
        assert path.read_bytes() == data


@pytest.mark.parametrize("change", ["drop", "swap", "double", "insert"])
def test_lines_that_are_dropped_swapped_doubled_or_put_in_are_noticed(journal, path, change):
    for event in EVENTS:
        journal.append([event])
    a, b, c = path.read_bytes().splitlines(keepends=True)
    other = a.replace(b'"n":0', b'"n":1')
    path.write_bytes({"drop": a + c, "swap": a + c + b, "double": a + b + b + c, "insert": a + other + b + c}[change])
    with pytest.raises(StorageError, match="line [23]: the journal is damaged"):
        read_journal(path)


def test_a_line_that_fits_its_checksum_but_is_no_event_is_damage(path):
    body = b'{"n":0,"left":0,"at":"now"'
    path.write_bytes(body + f',"crc":"{zlib.crc32(body):08x}"}}\n'.encode())
    with pytest.raises(StorageError, match="line 1: the journal is damaged"):
        read_journal(path)


def test_a_journal_that_is_not_there_or_is_a_folder_cannot_be_read(tmp_path):
    with pytest.raises(StorageError, match="no such file"):
        read_journal(tmp_path / "none")
    with pytest.raises(StorageError, match="cannot be read"):
        read_journal(tmp_path)


def test_a_line_without_end_is_refused_before_it_fills_the_memory(path):
    with path.open("wb") as file:
        file.truncate((64 << 20) + 2)
    with pytest.raises(StorageError, match="a line of more than"):
        read_journal(path)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
@pytest.mark.parametrize("where", ["write", "part", "fsync"])
def test_after_a_write_that_failed_nothing_counts_and_a_later_one_succeeds(journal, path, monkeypatch, code, where):
    journal.append(EVENTS[:1])
    before = path.read_bytes()
    plain = os.write

    def fail(*arguments):
        if where == "part":
            plain(arguments[0], bytes(arguments[1])[:9])
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync" if where == "fsync" else "write", fail)
        reason = "the disk is full" if code in (errno.ENOSPC, errno.EDQUOT) else "Input/output error"
        for _ in range(2):
            with pytest.raises(StorageError, match=reason):
                journal.append(EVENTS[1:])
    journal.append(EVENTS[2:])
    assert events(path) == [EVENTS[0], EVENTS[2]]
    assert path.read_bytes().startswith(before)


def test_where_not_even_the_failed_write_could_be_taken_back_it_is_before_the_next(journal, path, monkeypatch):
    journal.append(EVENTS[:1])
    plain = os.write

    def fail(*arguments):
        plain(arguments[0], bytes(arguments[1]))
        raise OSError(errno.EIO, "broken")

    def refuse(*_):
        raise OSError(errno.EIO, "broken too")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", fail)
        patched.setattr(os, "ftruncate", refuse)
        for _ in range(2):
            with pytest.raises(StorageError, match="broken"):
                journal.append(EVENTS[1:])
    journal.append(EVENTS[2:])
    assert events(path) == [EVENTS[0], EVENTS[2]]


def test_a_write_that_the_system_does_by_portions_is_whole(journal, path, monkeypatch):
    plain = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: plain(descriptor, bytes(data)[:7]))
    journal.append(EVENTS)
    assert events(path) == EVENTS


def test_beyond_the_largest_file_that_the_system_allows_nothing_counts(tmp_path):
    code = f"""
import resource, signal
from pathlib import Path
from phosphene.errors import StorageError
from phosphene.sessions.journal import Journal
from phosphene.sessions.lines import read_journal
path = Path({str(tmp_path / "j")!r}); path.write_bytes(b"")
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, resource.RLIM_INFINITY))
journal, n = Journal(path), 0
try:
    while True:
        journal.append([{{"event": "x", "text": "y" * 100}}]); n += 1
except StorageError as error:
    print(error)
assert len(read_journal(path).lines) == n > 5
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
journal.append([{{"event": "z"}}])
assert [line.event["event"] for line in read_journal(path).lines] == ["x"] * n + ["z"]
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "larger than this system allows" in done.stdout


def test_what_another_program_writes_is_noticed_before_anything_else_is_written(journal, path):
    journal.append(EVENTS[:1])
    for data in (path.read_bytes() + b"x", path.read_bytes()[:-3]):
        path.write_bytes(data)
        with pytest.raises(StorageError, match="changed by another program"):
            journal.append(EVENTS[1:])
        assert path.read_bytes() == data


def test_a_journal_that_was_replaced_or_removed_is_not_written_to(journal, path):
    journal.append(EVENTS[:1])
    other = path.with_suffix(".other")
    other.write_bytes(path.read_bytes())
    other.replace(path)
    with pytest.raises(StorageError, match="changed by another program"):
        journal.append(EVENTS[1:])
    path.unlink()
    with pytest.raises(StorageError, match="was not written"):
        journal.append(EVENTS[1:])


def test_a_journal_that_is_closed_says_so(journal):
    journal.close()
    with pytest.raises(StorageError, match="is closed"):
        journal.append(EVENTS)
