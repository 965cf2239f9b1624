"""A write happens wholly or not at all, and says why it did not."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from phosphene.errors import StorageError
from phosphene.store import write_bytes, write_text

NOBODY = 65534


@pytest.fixture
def read_only_folder() -> Iterator[Path]:
    """A folder that this process cannot write into, even when the tests run as root."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        folder = Path(name) / "locked"
        folder.mkdir()
        folder.chmod(0o555)
        user = os.geteuid()
        if user == 0:
            os.seteuid(NOBODY)
        try:
            yield folder
        finally:
            os.seteuid(user)
            folder.chmod(0o755)


@contextlib.contextmanager
def small_files(limit: int) -> Iterator[None]:
    """While the block lasts, no file of this process may grow beyond ``limit`` bytes, a log that pytest writes included."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_write_replaces_the_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.txt"
    assert write_text(path, "first") == path
    write_text(path, "second é")
    assert path.read_text(encoding="utf-8") == "second é"
    assert [entry.name for entry in path.parent.iterdir()] == ["a.txt"]


def test_a_file_gets_the_permissions_that_the_umask_asks_for(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        path = write_bytes(tmp_path / "a", b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_write_that_fails_midway_keeps_the_old_file_and_removes_the_part(tmp_path: Path) -> None:
    path = write_bytes(tmp_path / "a", b"old")
    with small_files(4096), pytest.raises(StorageError, match="larger than this system allows"):
        write_bytes(path, bytes(4097))
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupt_keeps_the_old_file_and_removes_the_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_bytes(tmp_path / "a", b"old")

    def interrupt(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def full(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="the disk is full; free some space"):
        write_bytes(tmp_path / "a", b"new")
    assert list(tmp_path.iterdir()) == []


def test_a_really_full_disk_is_named(tmp_path: Path) -> None:
    code = (
        "from phosphene.store import write_bytes\n"
        f"kept = write_bytes({str(tmp_path)!r} + '/kept', bytes(8192))\n"
        "try:\n"
        f"    write_bytes({str(tmp_path)!r} + '/lost', bytes(1 << 20))\n"
        "except OSError as error:\n"
        "    print(error, [p.name for p in kept.parent.iterdir()])\n"
    )
    mount = f'mount -t tmpfs -o size=64k none {tmp_path} && exec "$@"'
    command = ["unshare", "--mount", "--map-root-user", "sh", "-c", mount, "sh", sys.executable, "-c", code]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except FileNotFoundError:
        pytest.skip("needs unshare, to mount a small disk")
    if "mount:" in done.stderr or "unshare:" in done.stderr:
        pytest.skip("this system lets nobody mount a small disk")
    assert "the disk is full; free some space or choose another folder ['kept']" in done.stdout, done.stderr


def test_an_unwritable_folder_is_named(read_only_folder: Path) -> None:
    with pytest.raises(StorageError, match=r"the folder .*locked is not writable; choose another folder"):
        write_bytes(read_only_folder / "a", b"new")
    with pytest.raises(StorageError, match=r"is not writable"):
        write_bytes(read_only_folder / "deeper" / "a", b"new")


def test_an_unreadable_file_is_named(tmp_path: Path, read_only_folder: Path) -> None:
    from phosphene.store import read_recipe_file

    with pytest.raises(StorageError, match="permission denied"):
        read_recipe_file(tmp_path / "a.json" if os.geteuid() == NOBODY else _locked(tmp_path))


def _locked(folder: Path) -> Path:
    path = folder / "a.json"
    path.write_text("{}")
    path.chmod(0)
    return path


def test_a_file_where_a_folder_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"file is a file, not a folder"):
        write_bytes(tmp_path / "file" / "a", b"")


def test_a_folder_where_a_file_should_be_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="it is a folder; give the path of a file"):
        write_bytes(tmp_path, b"")


def test_a_name_that_the_system_refuses_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="was not written: File name too long; choose another path"):
        write_bytes(tmp_path / ("a" * 300), b"")
