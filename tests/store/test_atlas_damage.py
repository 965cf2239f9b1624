"""Damage: no row that is not what was written is given out, everything lost is named, and what is mended can be made again."""

from __future__ import annotations

import os
import pickle
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from made_up_atlases import everything, filled, ids, picture, plan, rows

from phosphene.errors import StorageError
from phosphene.store.atlas import Doubled, Missing, open_atlas
from phosphene.store.atlas.damage import DamagedFileError


def _part(folder, number=0):
    job, layer, pictures = plan()[number]
    return folder.local_path / "data" / folder.slug(layer) / f"part-{job}.parquet", job, layer, pictures


def _harms(data: bytes, rng: random.Random):
    """The bytes of a file, harmed in every way: each kind at many places."""
    for _ in range(90):
        at = rng.randrange(len(data))
        yield data[:at] + bytes([data[at] ^ rng.choice((1, 4, 32, 128, 255))]) + data[at + 1 :]
    for _ in range(20):
        at, n = rng.randrange(len(data)), rng.randrange(1, 200)
        yield data[:at] + bytes(len(data[at : at + n])) + data[at + n :]
        yield data[:at] + rng.randbytes(n) + data[at:]
        yield data[:at]
        yield data[:at] + data[at + n :]
    yield b""
    yield data + data
    yield rng.randbytes(len(data))


def _refused(folder, one) -> bool:
    """Whether reading a row was refused; what is read must be right."""
    try:
        got = folder.picture(one.id)
    except StorageError as error:
        return "damaged" in str(error) or "has no picture" in str(error)
    assert got == one
    return False


@pytest.mark.parametrize("seed", range(4))
def test_no_harm_to_the_bytes_of_a_part_makes_a_wrong_row(tmp_path, seed):
    folder = filled(tmp_path, plan()[:1])
    path, _, layer, pictures = _part(folder)
    whole = path.read_bytes()
    n_refused = 0
    for harmed in list(_harms(whole, random.Random(seed)))[seed::4]:
        path.write_bytes(harmed)
        read = open_atlas(tmp_path)
        refused = [_refused(read, p) for p in pictures]
        units = read.index().layer(layer).unit.tolist()
        assert units in ([], [0, 1, 2, 3])
        assert not (any(refused) and read.verify(ids(plan()[:1])).is_whole)
        n_refused += any(refused)
    assert n_refused > 15
    path.write_bytes(whole)
    assert set(everything(open_atlas(tmp_path))) == set(pictures)


def test_a_damaged_file_is_named_and_the_rest_is_read(tmp_path):
    folder = filled(tmp_path)
    path, job, layer, pictures = _part(folder)
    data = bytearray(path.read_bytes())
    at = bytes(data).index(pictures[0].image)
    data[at + 20] ^= 1  # in the bytes of a picture, which an index does not read
    path.write_bytes(data)
    read = open_atlas(tmp_path)
    assert len(read.index()) == 32
    with pytest.raises(StorageError, match=r"part-.*\.parquet is damaged .*; phosphene atlas verify says what is lost"):
        read.picture(pictures[0].id)
    with pytest.raises(StorageError, match="is damaged"):
        read.unit(layer, 0)
    with pytest.raises(StorageError, match="is damaged"):
        list(read.pictures(layer))
    told: dict[str, StorageError] = {}
    good = list(read.pictures(layer, on_damage=told.__setitem__))
    assert [p.unit for p in good] == [4, 5, 6, 7, 8, 9]
    assert set(told) == {p.id for p in pictures}
    report = read.verify(ids())
    assert [one.path for one in report.damaged] == [f"data/blocks.0/part-{job}.parquet"]
    assert report.missing == (Missing(job, layer, tuple(p.id for p in pictures)),)
    assert (report.n_pictures, report.is_whole) == (28, False)


def test_a_file_that_is_no_part_is_left_out_of_the_index(tmp_path):
    folder = filled(tmp_path)
    path, job, *_ = _part(folder)
    path.write_bytes(b"PAR1 not at all PAR1")
    index = open_atlas(tmp_path).index()
    assert len(index) == 28
    assert [one.path for one in index.damaged] == [f"data/blocks.0/part-{job}.parquet"]
    assert index.damaged[0].reason


@pytest.mark.parametrize("number", [1, 3])
def test_a_part_under_another_name_or_in_another_folder_is_damage(tmp_path, number):
    folder = filled(tmp_path)
    source, *_ = _part(folder)
    target, *_ = _part(folder, number)
    other = target.parent.parent / ("Blocks.0-2" if number == 3 else "blocks.0") / target.name
    other.write_bytes(source.read_bytes())
    read = open_atlas(tmp_path)
    assert [one.path.rpartition("/")[2] for one in read.index().damaged] == [other.name]
    assert "its name says" in read.index().damaged[0].reason


def test_mended_and_built_again_an_atlas_is_whole(tmp_path):
    folder = filled(tmp_path)
    path, job, layer, pictures = _part(folder)
    path.write_bytes(path.read_bytes()[:-9])
    _part(folder, 1)[0].unlink()
    (path.parent / ".phosphene-0011.tmp").write_bytes(b"half")
    (path.parent / "notes.txt").write_text("mine")
    report = folder.verify(ids())
    assert {lost.job for lost in report.missing} == {job, plan()[1][0]}
    assert report.strays == ("data/blocks.0/.phosphene-0011.tmp", "data/blocks.0/notes.txt")
    assert folder.mend(report) == 2
    assert folder.mend(report) == 0  # what is gone already
    assert (path.parent / "notes.txt").exists()  # not ours
    lost = [one for one in plan() if one[0] not in folder.finished_jobs()]
    assert {one[0] for one in lost} == {job, plan()[1][0]}
    for job, layer, pictures in lost:
        folder.write_part(job, layer, pictures)
    assert folder.verify(ids()).is_whole
    folder.refresh()
    assert set(everything(folder)) == rows()


def test_a_job_that_lacks_a_row_is_made_again(tmp_path):
    folder = filled(tmp_path)
    path, job, layer, pictures = _part(folder)
    folder.write_part(job, layer, pictures[:3])
    report = folder.verify(ids())
    assert report.missing == (Missing(job, layer, (pictures[3].id,)),)
    folder.mend(report)
    assert not path.exists()
    assert job not in folder.finished_jobs()


def test_the_only_file_that_there_is_is_named_when_it_is_damaged(tmp_path):
    folder = filled(tmp_path, plan()[:1])
    reader = open_atlas(tmp_path)
    assert len(reader.index()) == 4
    _part(folder)[0].write_bytes(b"PAR1 not at all PAR1")
    assert len(reader.refresh()) == 0
    for index in (reader.index(), open_atlas(tmp_path).index()):
        assert [one.path.rpartition("/")[2] for one in index.damaged] == [_part(folder)[0].name]


@pytest.mark.parametrize("packed", [False, True])
def test_every_harm_to_a_footer_is_noticed_and_mended_without_making_a_row_again(tmp_path, packed):
    folder = filled(tmp_path, plan()[:2])
    if packed:
        folder.compact()
    path = sorted((tmp_path / "data").glob("*/*"))[0]
    whole, rng = path.read_bytes(), random.Random(0)
    start = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    for at in [0, *rng.sample(range(start, len(whole)), 30), len(whole) - 1]:
        path.write_bytes(whole[:at] + bytes([whole[at] ^ rng.choice((1, 16, 32, 255))]) + whole[at + 1 :])
        assert [one.path for one in folder.verify().damaged] == [str(path.relative_to(tmp_path))]
    at = whole.index(b"parquet-cpp-arrow")  # text that this package does not need, and others cannot read
    path.write_bytes(whole[:at] + b"\xff" + whole[at + 1 :])
    report = folder.verify(ids(plan()[:2]))
    assert report.missing == ()
    assert "what stands around them is not what was written" in report.damaged[0].reason
    assert folder.mend(report) == 1
    assert folder.verify(ids(plan()[:2])).is_whole
    assert set(everything(open_atlas(tmp_path))) == rows(plan()[:2])


def test_a_harmed_byte_of_a_part_is_noticed_or_changes_nothing(tmp_path):
    """Whatever `verify` lets pass (headers of pages) gives the same rows and the same index."""
    folder = filled(tmp_path, plan()[:1])
    path, _, layer, pictures = _part(folder)
    whole, good, n_passed = path.read_bytes(), _values(folder.index().layer(layer)), 0
    start = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    for at in range(0, start, 11):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :])
        read = open_atlas(tmp_path)
        assert read.index().damaged or _values(read.index().layer(layer)) == good
        if read.verify(ids(plan()[:1])).is_whole:
            n_passed += 1
            assert set(everything(read)) == set(pictures)
            assert _values(read.index().layer(layer)) == good
    assert n_passed < 10


def _values(layer) -> list[list[object]]:
    names = ("id", "unit", "variant", "member", "seed", "status", "seconds", "group", "row", "job")
    scores = [np.nan_to_num(getattr(layer, name), nan=-9.0).tolist() for name in ("score", "robust_score")]
    return [*(getattr(layer, name).tolist() for name in names), *scores]


def test_good_jobs_of_a_damaged_pack_are_kept(tmp_path):
    folder = filled(tmp_path)
    folder.compact()
    pack = next((tmp_path / "data" / "blocks.0").glob("pack-*.parquet"))
    data = bytearray(pack.read_bytes())
    _, job, layer, pictures = _part(folder, 1)
    data[bytes(data).index(pictures[0].image) + 20] ^= 1
    pack.write_bytes(data)
    report = folder.verify(ids())
    assert report.missing == (Missing(job, layer, tuple(p.id for p in pictures)),)
    assert folder.mend(report) == 1
    assert not pack.exists()
    assert folder.finished_jobs() == {job for job, _, _ in plan()} - {job}
    assert len(everything(open_atlas(tmp_path))) == 28
    folder.write_part(job, layer, pictures)
    assert folder.verify(ids()).is_whole


def test_a_file_that_changed_since_it_was_looked_at_is_not_mended_away(tmp_path):
    folder = filled(tmp_path)
    path, job, layer, pictures = _part(folder)
    path.write_bytes(b"")
    report = folder.verify(ids())
    folder.write_part(job, layer, pictures)
    assert folder.mend(report) == 0
    assert folder.verify(ids()).is_whole


def test_rows_of_one_picture_in_two_files_are_read_once(tmp_path):
    folder = filled(tmp_path)
    _, layer, pictures = plan()[0]
    lone = replace(pictures[0], job="alone", seconds=7.0)
    folder.write_part("alone", layer, [lone])
    read = open_atlas(tmp_path)
    assert read.index().n_doubled == 1
    assert read.picture(lone.id) == pictures[0]  # the job of many goes before
    report = read.verify(ids())
    assert report.doubled == (Doubled("data/blocks.0/part-alone.parquet", "alone"),)
    assert read.mend(report) == 1
    assert open_atlas(tmp_path).index().n_doubled == 0


def test_a_picture_that_came_out_is_taken_before_one_that_did_not(tmp_path):
    folder = filled(tmp_path)
    _, layer, pictures = plan()[0]
    better = picture("alone", layer, 3)
    assert better.id == pictures[3].id
    folder.write_part("alone", layer, [better])
    read = open_atlas(tmp_path)
    assert read.picture(better.id) == better
    assert read.verify(ids()).is_whole


def test_a_report_says_what_belongs_to_nobody(tmp_path):
    folder = filled(tmp_path)
    stranger = tmp_path / "data" / "unknown" / "part-1.parquet"
    stranger.parent.mkdir()
    stranger.write_bytes(b"")
    (tmp_path / ".phosphene-1.tmp").write_bytes(b"")
    report = folder.verify(ids())
    assert report.strays == (".phosphene-1.tmp", "data/unknown/part-1.parquet")
    assert report.is_whole


def test_two_writers_of_one_part_do_no_harm(tmp_path):
    folder = filled(tmp_path, plan()[:2])
    job, layer, pictures = plan()[0]
    failures: list[BaseException] = []

    def write() -> None:
        try:
            for _ in range(10):
                folder.write_part(job, layer, pictures)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=write) for _ in range(3)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        read = open_atlas(tmp_path)
        assert read.index().damaged == ()
        assert set(everything(read)) == rows(plan()[:2])
    assert failures == []
    assert folder.verify(ids(plan()[:2])).strays == ()


def test_a_writer_whose_temporary_file_is_mended_away_tries_again(tmp_path, monkeypatch):
    folder = filled(tmp_path, [])
    job, layer, pictures = plan()[0]
    real, removed = type(tmp_path).replace, []

    def replace_(self, target):
        if not removed and self.suffix == ".tmp":
            removed.append(self)
            self.unlink()
        return real(self, target)

    monkeypatch.setattr(type(tmp_path), "replace", replace_)
    folder.write_part(job, layer, pictures)
    assert len(removed) == 1
    assert set(everything(folder)) == set(pictures)


_WRITER = """
import sys
from made_up_atlases import filled, plan
print("ready", flush=True)
while True:
    filled(sys.argv[1])
"""


@pytest.mark.parametrize("delay_s", [0.003, 0.02, 0.05])
def test_a_writer_that_is_killed_leaves_no_half_row(tmp_path, delay_s):
    folder = filled(tmp_path, [])
    environment = {"PYTHONPATH": ":".join(path for path in sys.path if path)}
    writer = subprocess.Popen([sys.executable, "-c", _WRITER, str(tmp_path)], stdout=subprocess.PIPE, env=environment)
    try:
        assert writer.stdout.readline() == b"ready\n"
        time.sleep(delay_s)
    finally:
        writer.send_signal(signal.SIGKILL)
        writer.wait(30)
        writer.stdout.close()
    report = folder.verify(ids())
    assert report.damaged == report.doubled == ()
    assert all(path.rpartition("/")[2].startswith(".phosphene-") for path in report.strays)
    folder.mend(report)
    assert folder.verify().strays == ()
    assert set(everything(filled(tmp_path))) == rows()


def test_an_error_of_damage_survives_the_way_between_processes():
    error = pickle.loads(pickle.dumps(DamagedFileError("data/x", "because")))
    assert (error.path, error.reason) == ("data/x", "because")
    assert "data/x is damaged" in str(error)


_FULL = """
import sys
from pathlib import Path
from made_up_atlases import everything, filled, ids, manifest, plan, rows
from phosphene.errors import StorageError
from phosphene.store.atlas import FactExample, UnitFacts, create_atlas, open_atlas

def refused(call):
    try:
        call()
    except StorageError as error:
        assert "the disk is full; free some space" in str(error), error
        return True
    return False

folder = create_atlas(sys.argv[1], manifest())
written = []
for job, layer, pictures in plan():
    if refused(lambda: folder.write_part(job, layer, pictures)):
        break
    written.append((job, layer, pictures))
assert 2 < len(written) < 10
example = FactExample("top", 0, 1.0, "x.jpg", (0, 0, 1, 1), bytes(range(256)) * 400)
facts = [UnitFacts("blocks.0", unit, examples=(example,) * 3) for unit in range(200)]
assert refused(lambda: folder.write_facts("blocks.0", facts)), "facts"
assert refused(folder.compact), "compact"
report = folder.verify(ids(written))
assert report.is_whole and report.strays == (), report
assert set(everything(open_atlas(sys.argv[1]))) == rows(written)
print("held", len(written))
"""


def test_a_disk_that_is_really_full_is_told_and_loses_nothing(tmp_path):
    program = tmp_path / "full.py"
    program.write_text(_FULL)
    (tmp_path / "disk").mkdir()
    mount = 'mount -t tmpfs -o size=64k tmpfs "$1" || exit 77; shift; exec "$@"'
    command = ["unshare", "-m", "sh", "-c", mount, "sh", str(tmp_path / "disk"), sys.executable, str(program)]
    environment = os.environ | {"PYTHONPATH": ":".join(path for path in sys.path if path)}
    if shutil.which("unshare") is None:
        pytest.skip("this system has no unshare, so no small disk can be made")
    done = subprocess.run(
        [*command, str(tmp_path / "disk")], env=environment, capture_output=True, text=True, timeout=60
    )
    if done.returncode in {1, 77} and ("permitted" in done.stderr or "denied" in done.stderr):
        pytest.skip(f"no small disk can be made here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr[-1500:]
    assert done.stdout.startswith("held")
