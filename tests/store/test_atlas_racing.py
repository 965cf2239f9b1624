"""Reading while others pack, mend and write again: what lies elsewhere by now is found, what is lost is told."""

from __future__ import annotations

import io
import threading
import time
import uuid
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from made_up_atlases import everything, filled, ids, plan, rows

from phosphene.errors import StorageError
from phosphene.store.atlas import AtlasFolder, UnitFacts, open_atlas
from phosphene.store.atlas import checking as checking_module
from phosphene.store.atlas import fact_columns as columns_module
from phosphene.store.atlas import facts as facts_module
from phosphene.store.atlas import mending as mending_module
from phosphene.store.atlas import packing as packing_module
from phosphene.store.atlas import reading as reading_module
from phosphene.store.atlas import vectors as vectors_module
from phosphene.store.atlas.damage import DamagedFileError
from phosphene.store.atlas.moving import LOOKS
from phosphene.store.atlas.parts import part_path
from phosphene.store.atlas.report import Missing


@pytest.fixture(params=["local", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path):
    return filled(tmp_path if request.param == "local" else f"memory://{uuid.uuid4().hex}")


def _before(monkeypatch, module, name, do, *, after=0, times=1):
    """Have ``do`` done before calls of a function: of those after the first ``after`` so many."""
    real, calls = getattr(module, name), []

    def hooked(*args, **options):
        calls.append(name)
        if after < len(calls) <= after + times:
            do()
        return real(*args, **options)

    monkeypatch.setattr(module, name, hooked)
    return calls


def _pack(folder: AtlasFolder) -> None:
    open_atlas(folder.uri).compact()


def _pack_again(folder: AtlasFolder) -> None:
    """Write every part again, and pack them: packs of the same names and other rows come."""
    for job, layer, pictures in plan():
        folder.write_part(job, layer, [replace(one, seconds=one.seconds + 1) for one in pictures])
    _pack(folder)


class _Overtaken:
    """A place of which one listing shows neither what was packed while it was made nor the packs."""

    def __init__(self, place, pack, at: int) -> None:
        self._place, self._pack, self._left = place, pack, at

    def __getattr__(self, name):
        return getattr(self._place, name)

    def entries(self, folder):
        before = self._place.entries(folder)
        self._left -= 1
        if self._left:
            return before
        self._pack()
        after = self._place.entries(folder)
        return [entry for entry in before if entry in after]


def _is_right(report) -> bool:
    return report.is_whole and (report.n_pictures, report.strays, report.drops) == (32, (), ())


@pytest.mark.parametrize("step", ["_look", "_hold", "check_seal"])
@pytest.mark.parametrize("after", [0, 4, 9])
@pytest.mark.parametrize("pack", [_pack, _pack_again])
def test_what_is_packed_while_it_is_verified_is_neither_missing_nor_damaged(folder, monkeypatch, step, after, pack):
    _before(monkeypatch, checking_module, step, lambda: pack(folder), after=after)
    assert _is_right(folder.verify(ids()))


@pytest.mark.parametrize("step", ["_look", "_hold", "check_seal"])
def test_a_pack_that_is_written_again_while_it_is_verified_is_not_damaged(folder, monkeypatch, step):
    _pack(folder)
    _before(monkeypatch, checking_module, step, lambda: _pack_again(folder))
    assert _is_right(folder.verify(ids()))


@pytest.mark.parametrize("at", [1, 2])
def test_a_listing_that_a_packing_overtakes_loses_no_row_to_verify(folder, at):
    reader = AtlasFolder(_Overtaken(folder.place, lambda: _pack(folder), at), folder.manifest)
    assert _is_right(reader.verify(ids()))


def test_a_part_that_is_written_and_packed_between_two_looks_is_not_missing(tmp_path, monkeypatch):
    folder = filled(tmp_path, plan()[1:])
    _before(monkeypatch, checking_module, "check_seal", lambda: folder.write_part(*plan()[0]), after=8)
    calls = _before(monkeypatch, checking_module, "_look", lambda: _pack(folder), after=9)
    assert _is_right(folder.verify(ids()))
    assert len(calls) == 12


class _Restless:
    """A place of which each listing but the first has lost a part and shows one that is gone when it is opened, and the
    last one shows another part as it never was.
    """

    def __init__(self, place, lost: str, odd: str) -> None:
        self._place, self._lost, self._odd = place, lost, odd
        self.n = 0

    def __getattr__(self, name):
        return getattr(self._place, name)

    def entries(self, folder):
        found = self._place.entries(folder)
        if folder:
            return found
        self.n += 1
        if self.n == 1:
            return found
        gone = [replace(one, path=f"{one.path[:-8]}-{self.n}.parquet") for one in found if one.path == self._lost]
        kept = [one for one in found if one.path != self._lost]
        odd = [replace(one, size=one.size - 100) if one.path == self._odd else one for one in kept]
        return gone + (odd if self.n == LOOKS else kept)


def test_where_files_move_each_time_what_was_seen_is_not_missing_and_what_is_harmed_or_lost_is_told(folder):
    lost, odd, harmed, removed = (part_path(folder.slug(layer), job) for job, layer, _ in plan()[:4])
    folder.write_bytes(harmed, folder.read_bytes(harmed)[:-9])
    folder.place.remove(removed)
    place = _Restless(folder.place, lost, odd)
    report = AtlasFolder(place, folder.manifest).verify(ids())
    assert place.n == LOOKS
    assert {one.job for one in report.missing} == {plan()[2][0], plan()[3][0]}
    assert [one.path for one in report.damaged] == [harmed]


def test_a_part_that_is_removed_while_it_is_verified_is_missing(folder, monkeypatch):
    job, layer, pictures = plan()[-1]
    path = part_path(folder.slug(layer), job)
    _before(monkeypatch, checking_module, "_look", lambda: folder.place.remove(path))
    report = folder.verify(ids())
    assert report.missing == (Missing(job, layer, tuple(one.id for one in pictures)),)
    assert (report.n_pictures, report.damaged) == (32 - len(pictures), ())


def test_a_part_that_is_damaged_is_told_whoever_packs_the_others(folder, monkeypatch):
    job, layer, pictures = plan()[0]
    path = part_path(folder.slug(layer), job)
    folder.write_bytes(path, folder.read_bytes(path)[:-9])
    _before(monkeypatch, checking_module, "check_seal", lambda: _pack(folder))
    report = folder.verify(ids())
    assert [one.path for one in report.damaged] == [path]
    assert report.missing == (Missing(job, layer, tuple(one.id for one in pictures)),)


def test_progress_of_a_verify_that_a_packing_overtakes_never_goes_back(folder, monkeypatch):
    _before(monkeypatch, checking_module, "check_seal", lambda: _pack(folder), after=4)
    told: list[tuple[int, int]] = []
    folder.verify(ids(), progress=lambda *call: told.append(call))
    assert told == sorted(told)
    assert told[-1][0] == told[-1][1] > 10


@pytest.mark.parametrize("after", [0, 2])
@pytest.mark.parametrize("pack", [_pack, _pack_again])
@pytest.mark.parametrize("packed", [False, True])
def test_embeddings_that_are_packed_while_they_are_read_are_all_found(folder, monkeypatch, after, pack, packed):
    if packed:
        _pack(folder)
    units, vectors = folder.embeddings("blocks.0")
    _before(monkeypatch, vectors_module, "_of_file", lambda: pack(folder), after=0 if packed else after)
    found = folder.embeddings("blocks.0")
    assert found[0].tolist() == units.tolist() == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    assert np.array_equal(found[1], vectors)


def test_embeddings_of_a_pack_whose_rows_are_in_another_order_by_now_are_those_of_their_units(tmp_path, monkeypatch):
    folder = filled(tmp_path)
    folder.refresh()
    expected = folder.embeddings("blocks.0")
    job, layer, pictures = plan()[0]
    turned = tuple(reversed(pictures))
    _before(monkeypatch, vectors_module, "_of_file", lambda: folder.write_part(job, layer, turned))
    found = folder.embeddings("blocks.0")
    assert found[0].tolist() == expected[0].tolist()
    assert np.array_equal(found[1], expected[1])


def test_embeddings_of_a_part_that_is_removed_while_they_are_read_are_left_out(folder, monkeypatch):
    job, layer, _ = plan()[0]
    path = part_path(folder.slug(layer), job)
    _before(monkeypatch, vectors_module, "_of_file", lambda: folder.place.remove(path))
    assert folder.embeddings(layer)[0].tolist() == [4, 5, 6, 7, 8, 9]


def test_embeddings_of_a_damaged_part_are_left_out_whoever_packs_the_others(folder, monkeypatch):
    job, layer, _ = plan()[0]
    path = part_path(folder.slug(layer), job)

    def harm() -> None:
        folder.write_bytes(path, folder.read_bytes(path)[:-9])
        _pack(folder)

    _before(monkeypatch, vectors_module, "_of_file", harm)
    assert folder.embeddings(layer)[0].tolist() == [4, 5, 6, 7, 8, 9]


def test_embeddings_that_are_packed_each_time_are_not_told_as_none(folder, monkeypatch):
    def gone(*_args):
        raise StorageError("gone") from FileNotFoundError()

    monkeypatch.setattr(vectors_module, "_of_file", gone)
    with pytest.raises(StorageError, match="is packed by others each time it is read; try again when they are done"):
        folder.embeddings("blocks.0")


def test_embeddings_that_cannot_be_reached_are_told(folder, monkeypatch):
    def refused(*_args):
        raise StorageError("no credentials")

    monkeypatch.setattr(vectors_module, "_of_file", refused)
    with pytest.raises(StorageError, match="no credentials"):
        folder.embeddings("blocks.0")


def test_verify_of_an_atlas_that_cannot_be_reached_is_told(folder, monkeypatch):
    def refused(*_args):
        raise StorageError("no credentials")

    monkeypatch.setattr(checking_module, "RowsFile", refused)
    with pytest.raises(StorageError, match="no credentials"):
        folder.verify(ids())


@pytest.mark.parametrize("times", [1, 3])
def test_rows_that_are_packed_again_and_again_while_they_are_read_are_found(folder, monkeypatch, times):
    reader = open_atlas(folder.uri)
    reader.index()
    _before(monkeypatch, reading_module, "_read", lambda: _pack_again(folder), times=times)
    found = list(reader.pictures("blocks.0", None))
    assert {one.id for one in found} == {one.id for one in rows() if one.layer == "blocks.0"}


def test_rows_that_are_packed_while_those_beside_damaged_ones_are_read_are_not_told(folder, monkeypatch):
    job, layer, pictures = plan()[0]
    path = part_path(folder.slug(layer), job)
    reader = open_atlas(folder.uri)
    reader.index()
    folder.write_bytes(path, folder.read_bytes(path)[:-9])
    _before(monkeypatch, reading_module, "_each", lambda: _pack(folder))
    told: dict[str, StorageError] = {}
    found = list(reader.pictures(layer, None, on_damage=told.__setitem__))
    assert set(told) == {one.id for one in pictures}
    assert {one.id for one in found} == {one.id for one in rows() if one.layer == layer} - set(told)


def test_rows_that_lie_elsewhere_each_time_they_are_read_are_looked_for_so_many_times(folder, monkeypatch):
    reader, n = open_atlas(folder.uri), [0]
    reader.index()

    def gone(*_args):
        n[0] += 1
        _pack(folder) if n[0] % 2 else folder.write_part(*plan()[0])
        raise StorageError("gone") from FileNotFoundError()

    monkeypatch.setattr(reading_module, "_read", gone)
    with pytest.raises(StorageError, match="gone"):
        reader.unit("blocks.0", 0)
    assert n == [LOOKS]


def _facts(n: int, label: str = "") -> list[UnitFacts]:
    return [UnitFacts("blocks.0", unit, label) for unit in range(n)]


@pytest.fixture
def known(folder, monkeypatch):
    """An atlas with facts of 16 units, 4 in a row group."""
    monkeypatch.setattr(facts_module, "_GROUP", 4)
    folder.write_facts("blocks.0", _facts(16, "old"))
    return folder


def test_facts_that_are_removed_before_they_are_opened_are_none(known, monkeypatch):
    _before(monkeypatch, facts_module, "open_facts", lambda: known.place.remove("facts/blocks.0.parquet"))
    assert list(known.facts("blocks.0")) == []


def test_facts_that_are_removed_while_they_are_verified_are_not_damaged(known, monkeypatch):
    _before(monkeypatch, facts_module, "open_facts", lambda: known.place.remove("facts/blocks.0.parquet"))
    report = known.verify(ids())
    assert (report.is_whole, report.drops) == (True, ())


@pytest.mark.parametrize("n", [3, 4, 9])
def test_facts_that_are_written_again_while_they_are_read_have_every_unit_once(known, n):
    read = known.facts("blocks.0")
    found = [next(read) for _ in range(n)]
    known.write_facts("blocks.0", _facts(16, "another label, longer than the other one"))
    found += read
    assert [one.unit for one in found] == list(range(16))


def test_facts_that_are_written_again_while_they_are_verified_are_not_damaged(known, monkeypatch):
    _before(monkeypatch, facts_module, "_stretch", lambda: known.write_facts("blocks.0", _facts(12, "new" * 9)))
    report = known.verify(ids())
    assert (report.is_whole, report.drops) == (True, ())


def test_labels_of_facts_that_are_written_again_while_they_are_opened_are_the_new_ones(known, monkeypatch):
    _before(monkeypatch, columns_module, "open_facts", lambda: known.write_facts("blocks.0", _facts(12, "new" * 9)))
    assert known.labels("blocks.0") == dict.fromkeys(range(12), "new" * 9)


def test_facts_that_are_damaged_are_told_once_and_those_before_them_are_read(known):
    path = "facts/blocks.0.parquet"
    data = bytearray(known.read_bytes(path))
    columns = pq.ParquetFile(io.BytesIO(data)).metadata.row_group(2)
    checksums = columns.column(columns.num_columns - 1)
    data[checksums.data_page_offset + 40] ^= 255
    known.write_bytes(path, bytes(data))
    found: list[int] = []
    with pytest.raises(DamagedFileError, match="is damaged"):
        found.extend(one.unit for one in known.facts("blocks.0"))
    assert found == list(range(8))
    assert [one.path for one in known.verify(ids()).damaged] == [path]


def _harmed(folder: AtlasFolder) -> str:
    """An atlas whose pack of a layer has a damaged row; the path of the pack."""
    _pack(folder)
    (path,) = (one for one in folder.files("data") if "/blocks.0/pack-" in one)
    data = bytearray(folder.read_bytes(path))
    data[bytes(data).index(plan()[0][2][0].image or b"") + 20] ^= 1
    folder.write_bytes(path, bytes(data))
    return path


def test_two_that_mend_one_pack_at_once_lose_nothing_and_go_on(folder, monkeypatch):
    _harmed(folder)
    report = folder.verify(ids())
    real, done = mending_module.pack, []

    def overtaken(*args):
        if not done:
            done.append(0)
            done[0] = open_atlas(folder.uri).mend(report)
        return real(*args)

    monkeypatch.setattr(mending_module, "pack", overtaken)
    assert (folder.mend(report), done) == (0, [1])
    assert {lost.job for lost in folder.verify(ids()).missing} == {plan()[0][0]}


def test_a_pack_that_is_written_again_while_it_is_mended_stays(folder, monkeypatch):
    path = _harmed(folder)
    report = folder.verify(ids())
    better = filled(f"memory://{uuid.uuid4().hex}")
    better.compact()
    _before(monkeypatch, mending_module, "pack", lambda: folder.write_bytes(path, better.read_bytes(path)[:-9]))
    assert folder.mend(report) == 0
    assert folder.exists(path)


def test_a_pack_that_is_damaged_while_it_is_mended_is_told(folder, monkeypatch):
    path = _harmed(folder)
    report = folder.verify(ids())

    def damaged(*_args):
        raise DamagedFileError(path, "another row")

    monkeypatch.setattr(mending_module, "pack", damaged)
    with pytest.raises(StorageError, match="is being damaged while it is mended: another row"):
        folder.mend(report)


def test_a_pack_that_cannot_be_written_while_it_is_mended_is_told(folder, monkeypatch):
    _harmed(folder)
    report = folder.verify(ids())

    def full(*_args):
        raise StorageError("the disk is full")

    monkeypatch.setattr(mending_module, "pack", full)
    with pytest.raises(StorageError, match="the disk is full"):
        folder.mend(report)


@contextmanager
def _packed_all_the_while(folder: AtlasFolder, seconds: float):
    """Another thread that packs, and writes every part again, until the time is over; an event that tells so."""
    over, failures = threading.Event(), []

    def pack() -> None:
        end = time.monotonic() + seconds
        try:
            while time.monotonic() < end:
                _pack_again(folder)
        except BaseException as error:
            failures.append(error)
        finally:
            over.set()

    packing = threading.Thread(target=pack)
    packing.start()
    try:
        yield over
    finally:
        packing.join()
    assert failures == []


def test_verify_and_embeddings_are_right_while_an_atlas_is_packed_all_the_time(tmp_path):
    folder = filled(tmp_path)
    reader, n_looks = open_atlas(tmp_path), 0
    with _packed_all_the_while(folder, 1.5) as over:
        while not over.is_set():
            report = open_atlas(tmp_path).verify(ids())
            assert (report.missing, report.damaged) == ((), ())
            assert [len(reader.embeddings(layer)[0]) for layer in ("blocks.0", "Blocks.0")] == [9, 5]
            n_looks += 1
    assert n_looks > 1
    assert len(everything(reader)) == 32


def test_a_pack_that_is_packed_away_before_it_was_looked_at_ends_no_packing(tmp_path, monkeypatch):
    late = plan()[5]
    folder = filled(tmp_path / "a", [one for one in plan() if one is not late])

    def pack_away() -> None:
        other = open_atlas(folder.uri)
        other.write_part(*late)
        other.compact()

    _before(monkeypatch, packing_module, "_check", pack_away)
    assert folder.compact().n_after >= 2
    assert set(everything(open_atlas(folder.uri))) == rows()
    assert _is_right(folder.verify(ids()))
