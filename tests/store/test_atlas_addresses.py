"""Where an atlas may lie, what is said where none is, and what is done where a store far away fails."""

from __future__ import annotations

import errno
import json
import os
import time
import uuid
from dataclasses import replace
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem
from made_up_atlases import everything, filled, ids, manifest, plan, rows

from phosphene.atlas.finding import find_atlas
from phosphene.errors import StorageError
from phosphene.store import atomic
from phosphene.store.atlas import AtlasFolder, create_atlas, open_atlas, opening, patience
from phosphene.store.atlas.local_place import LocalPlace
from phosphene.store.atlas.patience import Patience, within
from phosphene.store.atlas.remote_place import RemotePlace


def _address() -> str:
    return f"memory://{uuid.uuid4().hex}/atlas"


class _Asked(MemoryFileSystem):
    """Memory in which the first tries of everything fail."""

    protocol = "memory"
    cachable = False

    def __init__(self, fails: int, error: Exception) -> None:
        super().__init__()
        self.fails, self.error = fails, error
        self.left: dict[tuple, int] = {}
        self.n = 0

    def _maybe(self, *call) -> None:
        left = self.left.setdefault(call, self.fails)
        self.n += 1
        if left:
            self.left[call] = left - 1
            raise self.error

    def cat_file(self, path, start=None, end=None, **kwargs):
        self._maybe("cat", path, start, end)
        return super().cat_file(path, start=start, end=end, **kwargs)

    def pipe_file(self, path, value, mode="overwrite", **kwargs):
        self._maybe("pipe", path)
        return super().pipe_file(path, value, mode=mode, **kwargs)

    def put_file(self, lpath, rpath, **kwargs):
        self._maybe("put", rpath)
        return super().put_file(lpath, rpath, **kwargs)

    def find(self, path, **kwargs):
        self._maybe("find", path, len(self.store))
        return super().find(path, **kwargs)

    def rm_file(self, path):
        self._maybe("rm", path)
        return super().rm_file(path)


def _failing(fails: int, error: Exception, attempts: int = 4) -> AtlasFolder:
    place = RemotePlace("far://x", _Asked(fails, error), f"/{uuid.uuid4().hex}", Patience(attempts, 0.0))
    return AtlasFolder(place, manifest())


@pytest.mark.parametrize(
    "error", [OSError(errno.EBUSY, "slow down"), TimeoutError(), ConnectionResetError(), Exception("?")]
)
def test_errors_that_pass_are_waited_out(error):
    folder = _failing(3, error)
    for job, layer, pictures in plan():
        folder.write_part(job, layer, pictures)
    assert set(everything(folder)) == rows()
    folder.compact()
    assert folder.verify(ids()).is_whole


def test_errors_that_stay_are_told_with_the_address():
    folder = _failing(99, OSError(errno.EBUSY, "slow down"))
    job, layer, pictures = plan()[0]
    with pytest.raises(
        StorageError, match=r"far://x/data/blocks\.0/part-.* was not written: OSError: .*slow down; check"
    ):
        folder.write_part(job, layer, pictures)
    assert folder.place.system.n == 4


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (PermissionError("Access Denied"), "permission denied; check the credentials and storage_options"),
        (OSError(errno.ENOSPC, "full"), "the disk is full; free some space or choose another address"),
        (FileNotFoundError("no bucket"), "there is no such file, folder or bucket"),
        (NotImplementedError("read only"), "this kind of address cannot do that"),
    ],
)
def test_what_no_patience_helps_is_told_at_once(error, message):
    folder = _failing(99, error)
    job, layer, pictures = plan()[0]
    with pytest.raises(StorageError, match=message):
        folder.write_part(job, layer, pictures)
    assert folder.place.system.n == 1


def test_each_wait_is_twice_the_one_before(monkeypatch):
    waits: list[float] = []
    monkeypatch.setattr(patience.time, "sleep", waits.append)
    with pytest.raises(TimeoutError):
        Patience(4, 0.5).insist(_raiser(TimeoutError()))
    assert waits == [0.5, 1.0, 2.0]
    with pytest.raises(PermissionError):
        Patience(4, 0.5).insist(_raiser(PermissionError()))
    assert waits == [0.5, 1.0, 2.0]


def _raiser(error: BaseException):
    def call(*_args, **_options) -> None:
        raise error

    return call


def test_a_file_system_whose_files_grow_gets_them_by_a_change_of_name(tmp_path):
    seen: list[str] = []

    class Growing(LocalFileSystem):
        protocol = "sftp"
        cachable = False

        def pipe_file(self, path, value, **kwargs):
            seen.append(Path(path).name)
            return super().pipe_file(path, value, **kwargs)

    folder = AtlasFolder(RemotePlace("sftp://x", Growing(), str(tmp_path / "a")), manifest())
    for job, layer, pictures in plan():
        folder.write_part(job, layer, pictures)
    assert all(name.startswith(".phosphene-") for name in seen)
    folder.compact()
    assert set(everything(folder)) == rows()
    assert folder.verify(ids()).strays == ()
    assert not list((tmp_path / "a").rglob(".phosphene-*"))


def test_the_same_plan_opens_the_atlas_that_is_there(tmp_path):
    for uri in (tmp_path / "a", _address()):
        first = filled(uri)
        again = create_atlas(uri, replace(manifest(), created="2030-01-01T00:00:00Z", phosphene="9.9"))
        assert again.manifest == first.manifest == manifest()
        assert set(everything(again)) == rows()
        assert b"What drives the units of tiny" in again.read_bytes("README.md")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"negative": False}, r"an atlas of another plan: negative is true there and false here; build into another"),
        ({"job_size": 8, "seeds": (1, 2)}, r"job_size is 4 there and 8 here; seeds is \[0\] there and \[1, 2\] here"),
        ({"network": replace(manifest().network, digest="0" * 64)}, r"an atlas of another network: network\.digest is"),
    ],
)
def test_another_plan_is_refused_with_what_differs(tmp_path, change, message):
    for uri in (tmp_path / "a", _address()):
        filled(uri)
        with pytest.raises(StorageError, match=message):
            create_atlas(uri, replace(manifest(), **change))
        assert open_atlas(uri).manifest == manifest()


def test_many_differences_are_counted(tmp_path):
    filled(tmp_path)
    other = replace(manifest(), negative=False, diversity=2, diversity_weight=1.0, job_size=9, seeds=(1,), recipes={})
    with pytest.raises(StorageError, match="and 2 more"):
        create_atlas(tmp_path, other)


def test_of_two_that_make_an_atlas_at_once_one_is_first(tmp_path):
    place = LocalPlace(tmp_path)
    assert place.create("atlas.json", b"first")
    assert not place.create("atlas.json", b"second")
    assert place.read("atlas.json") == b"first"
    assert [path.name for path in tmp_path.iterdir()] == ["atlas.json"]


def test_of_two_that_make_an_atlas_in_a_store_at_once_one_is_first():
    """The other one comes between the look whether there is one and the writing."""

    class Raced(MemoryFileSystem):
        cachable = False

        def pipe_file(self, path, value, mode="overwrite", **kwargs):
            super().pipe_file(path, b"first", mode="overwrite")
            super().pipe_file(path, value, mode=mode, **kwargs)

    place = RemotePlace("memory://x", Raced(), f"/{uuid.uuid4().hex}", Patience(1, 0.0))
    assert not place.create("atlas.json", b"second")
    assert place.read("atlas.json") == b"first"


def test_where_files_cannot_be_linked_an_atlas_is_made_too(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "link", _raiser(OSError(errno.EPERM, "no links")))
    place = LocalPlace(tmp_path)
    assert place.create("atlas.json", b"first")
    assert not place.create("atlas.json", b"second")
    assert place.read("atlas.json") == b"first"


def _no_folder(path):
    return path / "nowhere"


def _a_file(path):
    (path / "file").write_text("x")
    return path / "file"


def _other_files(path):
    (path / "photo.jpg").write_bytes(b"x")
    return path


def _manifest_of(**changes):
    def make(path):
        (path / "atlas.json").write_text(json.dumps(manifest().to_json() | changes))
        return path

    return make


def _bytes(data):
    def make(path):
        (path / "atlas.json").write_bytes(data)
        return path

    return make


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_no_folder, "there is no atlas at .*nowhere: there is no such folder; check the path, or build one with"),
        (_a_file, "is not an atlas: it is a file; give the atlas's folder"),
        (
            lambda path: path,
            "there is no atlas at .*: the folder is empty; build one with: phosphene atlas build NET --out",
        ),
        (_other_files, r"is not an atlas: it has no atlas\.json; check the address"),
        (_bytes(b""), r"atlas\.json: the document is not JSON.*it is damaged, or no manifest of an atlas"),
        (_bytes(b"\xff\xfe{"), "it is damaged, or no manifest"),
        (_bytes(b"[1]"), "the document is a JSON list; expected an object"),
        (_bytes(b"[" * 100_000), "it is damaged, or no manifest"),
        (_bytes(b"{}"), "not the manifest of an atlas: its format is None; expected 1"),
        (_manifest_of(format=2), "the atlas has format 2, and this phosphene reads up to format 1; .*newer phosphene"),
        (_manifest_of(format="1"), "its format is '1'"),
        (_manifest_of(seeds="none"), r"atlas\.json\.seeds: expected a list, got 'none'"),
        (_manifest_of(extra=1), r"atlas\.json\.extra: the key is unknown"),
        (_manifest_of(layers=[{}]), r"layers\[0\]\.\w+: the key is missing"),
        (_manifest_of(negative=1), "negative: expected a value of type bool, got 1"),
        (_manifest_of(recipes=[]), "recipes: expected an object with named keys"),
    ],
)
def test_what_is_no_atlas_is_told_in_one_message(tmp_path, make, message):
    with pytest.raises(StorageError, match=message):
        open_atlas(make(tmp_path))


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("", "'' is no address of an atlas"),
        ("a\0b", "is no address of an atlas"),
        ("nosuch://host/x", "nosuch://host/x cannot be reached: .*nosuch"),
    ],
)
def test_addresses_that_name_nothing_are_refused(uri, message):
    with pytest.raises(StorageError, match=message):
        open_atlas(uri)


def test_an_empty_address_far_away_is_told():
    with pytest.raises(StorageError, match=r"memory://.* is not an atlas: it has no atlas\.json; check the address"):
        open_atlas(_address())


def test_the_package_of_an_address_is_named(monkeypatch):
    monkeypatch.setattr(fsspec.core, "url_to_fs", _raiser(ImportError("Please install s3fs")))
    with pytest.raises(StorageError, match=r"s3:// needs a package of its own: pip install s3fs"):
        open_atlas("s3://bucket/atlas")
    with pytest.raises(StorageError, match=r"pip install gcsfs"):
        open_atlas("gs://bucket/atlas")


def test_a_forbidden_folder_is_told(tmp_path, monkeypatch):
    filled(tmp_path)
    monkeypatch.setattr(Path, "read_bytes", _raiser(PermissionError(errno.EACCES, "denied")))
    with pytest.raises(StorageError, match="permission denied; check who owns it"):
        open_atlas(tmp_path)


def test_an_address_that_never_answers_is_given_up():
    started = time.monotonic()
    with pytest.raises(
        StorageError, match="s3://far did not answer within 0.05 seconds; check the address, the network"
    ):
        within(0.05, lambda: time.sleep(3), "s3://far")
    assert time.monotonic() - started < 2
    assert within(5, lambda: 7, "x") == 7
    with pytest.raises(ValueError, match="own"):
        within(5, _raiser(ValueError("own")), "x")


def test_an_address_that_hangs_when_it_is_opened_is_given_up(monkeypatch):
    monkeypatch.setattr(opening, "_LIMIT_S", 0.05)
    monkeypatch.setattr(MemoryFileSystem, "cat_file", lambda *_, **__: time.sleep(1))
    with pytest.raises(StorageError, match="did not answer within"):
        open_atlas(_address())


def test_whether_an_atlas_is_there_is_told(tmp_path):
    for uri in (str(tmp_path / "a"), _address()):
        assert find_atlas(uri) is None
        filled(uri, [])
        assert find_atlas(uri) is not None
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(StorageError, match="file is not an atlas: it is a file"):
        find_atlas(str(tmp_path / "file"))
    with pytest.raises(StorageError, match="nosuch"):
        find_atlas("nosuch://host/x")


def test_the_weights_and_names_of_a_network_may_lie_elsewhere(tmp_path):
    first = filled(tmp_path)
    moved = replace(manifest().network, source={"weights": "/elsewhere"}, name="another", labels=())
    assert create_atlas(tmp_path, replace(manifest(), network=moved)).manifest == first.manifest


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.EFBIG])
def test_a_full_or_forbidden_disk_is_told_at_once_and_leaves_nothing(tmp_path, monkeypatch, code):
    folder = filled(tmp_path, plan()[:1])
    monkeypatch.setattr(patience.time, "sleep", _raiser(AssertionError("waited")))
    with monkeypatch.context() as patched:
        patched.setattr(atomic.os, "fsync", _raiser(OSError(code, "no")))
        job, layer, pictures = plan()[1]
        with pytest.raises(StorageError, match="was not written"):
            folder.write_part(job, layer, pictures)
        with pytest.raises(StorageError, match="was not written"):
            folder.compact(target_bytes=1) and folder.write_facts(layer, [])
    assert folder.verify().strays == ()
    assert set(everything(folder)) == rows(plan()[:1])


def test_a_disk_that_is_busy_for_a_moment_is_waited_for(tmp_path, monkeypatch):
    folder = filled(tmp_path, [])
    real, failed, waits = os.fsync, [], []
    monkeypatch.setattr(patience.time, "sleep", waits.append)

    def fsync(descriptor):
        if len(failed) < 2:
            failed.append(descriptor)
            raise OSError(errno.EIO, "moment")
        real(descriptor)

    monkeypatch.setattr(atomic.os, "fsync", fsync)
    job, layer, pictures = plan()[0]
    folder.write_part(job, layer, pictures)
    assert waits == [0.2, 0.4]
    assert set(everything(folder)) == set(pictures)


def test_a_disk_that_stays_broken_is_told(tmp_path, monkeypatch):
    folder = filled(tmp_path, [])
    monkeypatch.setattr(patience.time, "sleep", lambda _: None)
    monkeypatch.setattr(atomic.os, "fsync", _raiser(OSError(errno.EIO, "broken")))
    with pytest.raises(StorageError, match="broken"):
        folder.write_part(plan()[0][0], "blocks.0", plan()[0][2])
