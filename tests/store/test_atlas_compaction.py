"""Packing: fewer files, the same rows, at every moment, whoever is killed and whoever reads meanwhile."""

from __future__ import annotations

import shutil
import threading
from contextlib import contextmanager
from dataclasses import replace

import pyarrow.parquet as pq
import pytest
from made_up_atlases import DyingPlace, Killed, everything, filled, ids, picture, plan, rows

from phosphene.errors import StorageError
from phosphene.store.atlas import AtlasFolder, Picture, open_atlas
from phosphene.store.atlas import index as index_module
from phosphene.store.atlas.packing import Chunk, Piece, pack
from phosphene.store.atlas.parts import part_path


def _rows_per_file(path) -> list[int]:
    file = pq.ParquetFile(path)
    return [file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups)]


def test_a_pack_holds_the_rows_of_its_parts_one_group_a_job(tmp_path):
    folder = filled(tmp_path)
    told: list[tuple[int, int]] = []
    done = folder.compact(progress=lambda n, all_: told.append((n, all_)))
    assert (done.n_before, done.n_after, len(done.packs)) == (10, 2, 2)
    assert told == [(0, 2), (1, 2), (2, 2)]
    files = sorted((tmp_path / "data").glob("*/*"))
    assert [str(file.relative_to(tmp_path)) for file in files] == sorted(done.packs)
    assert done.bytes == sum(file.stat().st_size for file in files)
    assert [_rows_per_file(file) for file in files] == [[4, 2, 4, 2], [4, 4, 2, 4, 4, 2]]
    assert set(everything(open_atlas(tmp_path))) == rows()
    assert [p.unit for p in open_atlas(tmp_path).pictures("blocks.0")] == list(range(10))
    assert folder.finished_jobs() == open_atlas(tmp_path).finished_jobs() == {job for job, _, _ in plan()}
    assert folder.has_part(*plan()[0][:2])
    assert folder.verify(ids()).is_whole


def test_packing_again_changes_nothing(tmp_path):
    folder = filled(tmp_path)
    folder.compact()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "data").rglob("*")}
    again = folder.compact()
    assert (again.n_before, again.n_after, again.packs, again.bytes) == (2, 2, (), 0)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "data").rglob("*")} == before


def test_packs_are_about_as_large_as_asked(tmp_path):
    folder = filled(tmp_path)
    parts = [path.stat().st_size for path in (tmp_path / "data" / "blocks.0").glob("*")]
    done = folder.compact(target_bytes=2 * max(parts) + 100)
    assert sum(path.startswith("data/blocks.0/") for path in done.packs) == 3
    assert set(everything(folder)) == rows()


def test_parts_that_come_later_are_packed_with_small_packs(tmp_path):
    folder = filled(tmp_path, plan()[:3])
    folder.compact()
    for job, layer, pictures in plan()[3:]:
        folder.write_part(job, layer, pictures)
    folder.compact()
    assert len(list((tmp_path / "data" / "blocks.0").iterdir())) == 1
    assert set(everything(open_atlas(tmp_path))) == rows()


def test_a_job_made_again_after_packing_wins_and_is_packed_in_its_place(tmp_path):
    folder = filled(tmp_path)
    folder.compact()
    job, layer, pictures = plan()[0]
    better = (*pictures[:3], picture(job, layer, 3))
    folder.write_part(job, layer, better)
    assert open_atlas(tmp_path).picture(better[3].id) == better[3]
    folder.compact(target_bytes=10_000)
    assert open_atlas(tmp_path).picture(better[3].id) == better[3]
    assert open_atlas(tmp_path).index().n_doubled == 0
    assert not folder.exists(part_path(folder.slug(layer), job))
    assert folder.verify(ids()).is_whole


def test_a_damaged_part_is_left_where_it_is(tmp_path):
    folder = filled(tmp_path)
    job, layer, pictures = plan()[0]
    path = tmp_path / part_path(folder.slug(layer), job)
    data = bytearray(path.read_bytes())
    data[bytes(data).index(pictures[1].image) + 15] ^= 2
    path.write_bytes(data)
    folder.compact()
    assert path.exists()
    report = folder.verify(ids())
    assert [lost.job for lost in report.missing] == [job]
    assert report.n_pictures == 28


_FEW = plan()[:4]  # of one layer


def _start(where, *, repeated: bool) -> set[Picture]:
    """An atlas to be packed, and what it holds: parts; or small packs, and a job that was made again."""
    folder = filled(where, _FEW)
    if not repeated:
        return rows(_FEW)
    folder.compact(target_bytes=20_000)
    job, layer, pictures = _FEW[0]
    again = (*pictures[:3], picture(job, layer, 3))
    folder.write_part(job, layer, again)
    return (rows(_FEW) - set(pictures)) | set(again)


def _dying(folder: AtlasFolder, at: int, *, after: bool) -> tuple[AtlasFolder, DyingPlace]:
    place = DyingPlace(folder.place, at, after=after)
    return AtlasFolder(place, folder.manifest), place


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("repeated", [False, True])
def test_killed_at_any_step_no_row_is_lost_and_what_is_doubled_is_mended(tmp_path, after, repeated):
    expected = _start(tmp_path / "first", repeated=repeated)
    shutil.copytree(tmp_path / "first", tmp_path / "whole")
    undisturbed, counting = _dying(open_atlas(tmp_path / "whole"), 1000, after=False)
    undisturbed.compact()
    n_changes = 1000 - counting.left
    assert n_changes == (4 if repeated else 5)
    for at in range(n_changes):
        work = tmp_path / f"work-{at}"
        shutil.copytree(tmp_path / "first", work)
        folder = open_atlas(work)
        with pytest.raises(Killed):
            _dying(folder, at, after=after)[0].compact()
        assert set(everything(open_atlas(work))) == expected
        report = folder.verify(ids(_FEW))
        assert report.missing == report.damaged == ()
        assert report.n_pictures == len(expected)
        folder.mend(report)
        assert folder.verify(ids(_FEW)).is_whole
        assert set(everything(open_atlas(work))) == expected
        folder.compact()
        assert set(everything(open_atlas(work))) == expected
        assert open_atlas(work).index().n_doubled == 0


def test_a_reader_sees_every_row_while_packs_are_made(tmp_path):
    folder = filled(tmp_path)
    stop = threading.Event()
    failures: list[BaseException] = []

    def pack() -> None:
        try:
            for _ in range(6):
                folder.compact()
                for job, layer, pictures in plan():
                    folder.write_part(job, layer, pictures)
        except BaseException as error:
            failures.append(error)
        finally:
            stop.set()

    packing = threading.Thread(target=pack)
    packing.start()
    kept = open_atlas(tmp_path)  # one that stays open, and others that open anew
    wanted = sorted(rows(), key=lambda p: p.id)
    n = 0
    while not stop.is_set():
        reader = kept if n % 2 else open_atlas(tmp_path)
        assert len(reader.refresh() if n % 4 == 1 else reader.index()) == 32
        for one in wanted[n % 5 :: 5]:
            assert reader.picture(one.id) == one
        n += 1
    packing.join()
    assert failures == []
    assert n > 3


def test_a_listing_that_a_packing_overtakes_is_made_again(tmp_path, monkeypatch):
    folder = filled(tmp_path)
    real, first = index_module.read_rows, []

    def overtaken(place, entry, layer):
        if not first:
            first.append(entry)
            folder.compact()
        return real(place, entry, layer)

    monkeypatch.setattr(index_module, "read_rows", overtaken)
    assert len(open_atlas(tmp_path).index()) == 32


def test_a_reader_sees_an_atlas_grow(tmp_path):
    folder = filled(tmp_path, [])
    reader = open_atlas(tmp_path)
    assert len(reader.index()) == 0
    seen = 0
    for job, layer, pictures in plan():
        folder.write_part(job, layer, pictures)
        index = reader.refresh()
        seen += len(pictures)
        assert len(index) == seen
        assert reader.picture(pictures[0].id) == pictures[0]
        assert index.refreshed() is index
    assert set(everything(reader)) == rows()


def test_a_refreshed_index_reads_new_files_only(tmp_path, monkeypatch):
    folder = filled(tmp_path, plan()[:9])
    reader = open_atlas(tmp_path)
    reader.index()
    real, read = index_module.read_rows, []

    def counted(place, entry, layer):
        read.append(entry.path)
        return real(place, entry, layer)

    monkeypatch.setattr(index_module, "read_rows", counted)
    job, layer, pictures = plan()[9]
    folder.write_part(job, layer, pictures)
    (other,) = {"blocks.0", "Blocks.0"} - {layer}
    kept = reader.index().layer(other)
    assert len(reader.refresh()) == 32
    assert reader.index().layer(other) is kept
    assert reader.index().layer(other).unit.base is not None  # the array of all rows, of which there is no other copy
    assert read == [part_path(folder.slug(layer), job)]


def test_two_that_pack_at_once_lose_nothing(tmp_path):
    folder = filled(tmp_path)
    failures: list[BaseException] = []

    def pack(target_bytes: int) -> None:
        try:
            for _ in range(4):
                open_atlas(tmp_path).compact(target_bytes=target_bytes)
        except StorageError as error:
            failures.append(error)

    threads = [threading.Thread(target=pack, args=(size,)) for size in (12_000, 10**8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert set(everything(open_atlas(tmp_path))) == rows()
    assert folder.verify(ids()).missing == ()


def test_a_part_written_while_it_is_packed_is_not_removed(tmp_path):
    folder = filled(tmp_path)
    job, layer, pictures = plan()[0]
    better = tuple(replace(p, seconds=3.0) for p in pictures)

    class Racing:
        def __getattr__(self, name):
            return getattr(folder.place, name)

        @contextmanager
        def replacing(self, path):
            with folder.place.replacing(path) as file:
                yield file
            folder.write_part(job, layer, better)

    AtlasFolder(Racing(), folder.manifest).compact()
    assert folder.exists(part_path(folder.slug(layer), job))
    assert set(open_atlas(tmp_path).pictures(layer, stop=4)) == set(better)
    folder.compact()
    assert set(open_atlas(tmp_path).pictures(layer, stop=4)) == set(better)
    assert open_atlas(tmp_path).index().n_doubled == 0


def test_a_part_written_while_others_are_removed_is_not_removed(tmp_path):
    folder = filled(tmp_path)
    better = [(job, layer, tuple(replace(p, seconds=3.0) for p in pictures)) for job, layer, pictures in plan()]
    written: list[str] = []

    class Racing:
        def __getattr__(self, name):
            return getattr(folder.place, name)

        def remove(self, path):
            folder.place.remove(path)
            if not written:
                for job, layer, pictures in better:
                    folder.write_part(job, layer, pictures)
                    written.append(job)

    AtlasFolder(Racing(), folder.manifest).compact()
    assert len(written) == len(better)
    assert folder.finished_jobs() == {job for job, _, _ in better}
    assert set(everything(open_atlas(tmp_path))) == rows(better)


def _packs_that_overlap(where) -> tuple[AtlasFolder, bytes]:
    """A pack of jobs 0 to 3, beside it an older one of jobs 2 and 3, and a part of job 0."""
    folder = filled(where, _FEW[2:])
    folder.compact()
    (older,) = (where / "data" / "blocks.0").glob("pack-*")
    kept = older.read_bytes()
    filled(where, _FEW)
    folder.compact()
    older.write_bytes(kept)
    job, layer, pictures = _FEW[0]
    folder.write_part(job, layer, pictures)
    return open_atlas(where), kept


def test_a_mended_pack_does_not_go_with_one_of_the_same_name(tmp_path):
    folder, _ = _packs_that_overlap(tmp_path)
    for _ in range(2):
        folder.mend(folder.verify(ids(_FEW)))
        assert set(everything(open_atlas(tmp_path))) == rows(_FEW)
    assert folder.verify(ids(_FEW)).is_whole


def test_an_older_pack_does_not_come_back_by_packing(tmp_path):
    filled(tmp_path, _FEW[:2]).compact()
    (older,) = (tmp_path / "data" / "blocks.0").glob("pack-*")
    kept = older.read_bytes()
    job, layer, pictures = _FEW[0]
    better = tuple(replace(p, seconds=3.0) for p in pictures)
    folder = filled(tmp_path, _FEW[1:])
    folder.write_part(job, layer, better)
    folder.compact()  # a later pack of all
    older.write_bytes(kept)
    for target_bytes in (len(kept) + 1, 10**8):
        open_atlas(tmp_path).compact(target_bytes=target_bytes)
        assert set(open_atlas(tmp_path).pictures(layer, stop=4)) == set(better)
    assert open_atlas(tmp_path).index().n_doubled == 0


def _made_again(where) -> tuple[AtlasFolder, list[Picture]]:
    """A pack in which the last picture of a job failed, a part of the job in which the first did; and what is right."""
    job, layer, (first, second, third, _) = _FEW[1]
    failed = [replace(p, status="failed", reason="out of memory", image=None) for p in (first, third)]
    filled(where, [_FEW[0], (job, layer, (first, second, failed[1]))]).compact()
    folder = open_atlas(where)
    folder.write_part(job, layer, (failed[0], second, third))
    return open_atlas(where), [first, second, third]


def test_what_readers_see_as_right_stays_so_whichever_file_of_a_job_it_is_in(tmp_path):
    folder, right = _made_again(tmp_path)
    layer = right[0].layer
    assert [p for p in folder.pictures(layer) if p.unit >= 4] == right
    done = folder.compact()
    assert (done.n_before, done.n_after) == (2, 1)
    read = open_atlas(tmp_path)
    assert [p for p in read.pictures(layer) if p.unit >= 4] == right
    assert read.index().n_doubled == 0
    assert read.finished_jobs() == {job for job, _, _ in _FEW[:2]}
    assert folder.verify().is_whole
    assert folder.verify().by_status == {"ok": 6, "dead": 1}


def _alone(one: Picture, number: int, **changes) -> tuple[str, str, tuple[Picture, ...]]:
    job = f"{number:032x}"
    return job, one.layer, (replace(one, job=job, seconds=9.0, **changes),)


@pytest.mark.parametrize("packed", [False, True])
def test_pictures_alone_that_a_job_replaces_are_left_out_of_a_pack(tmp_path, packed):
    folder = filled(tmp_path, [_alone(one, number) for number, one in enumerate(_FEW[1][2])])
    if packed:
        folder.compact()
    folder.write_part(*_FEW[1])
    folder.compact()
    assert set(everything(open_atlas(tmp_path))) == rows(_FEW[1:2])
    assert open_atlas(tmp_path).finished_jobs() == {_FEW[1][0]}
    assert folder.verify(ids(_FEW[1:2])).is_whole


def test_a_job_that_pictures_alone_replace_is_left_out_as_far_as_they_do(tmp_path):
    job, layer, pictures = _FEW[1]
    lost = tuple(replace(p, status="failed", reason="lost", image=None) for p in pictures[:2])
    alone = [_alone(one, number) for number, one in enumerate(pictures[:2])]
    folder = filled(tmp_path, [(job, layer, (*lost, *pictures[2:])), *alone])
    before = everything(folder)
    assert {p.status for p in before} == {"ok"}
    folder.compact()
    assert everything(open_atlas(tmp_path)) == before
    assert open_atlas(tmp_path).index().n_doubled == 0
    assert folder.verify(ids(_FEW[1:2])).is_whole


def _doubled_in_one_pack(where) -> AtlasFolder:
    """A pack of a job and of its pictures alone."""
    alone = [_alone(one, number) for number, one in enumerate(_FEW[1][2])]
    folder = filled(where, [_FEW[1], *alone])
    slug = folder.slug(_FEW[1][1])
    parts = [folder.place.entry(part_path(slug, job)) for job, *_ in (_FEW[1], *alone)]
    chunks = [Chunk(job, (Piece(part, 0),)) for (job, *_), part in zip((_FEW[1], *alone), parts, strict=True)]
    pack(folder.place, slug, chunks, 1)
    for part in parts:
        folder.place.remove(part.path)
    return open_atlas(where)


@pytest.mark.parametrize("mended", [False, True])
def test_rows_doubled_inside_a_pack_are_taken_out_by_packing_and_by_mending(tmp_path, mended):
    folder = _doubled_in_one_pack(tmp_path)
    report = folder.verify(ids(_FEW[1:2]))
    assert len(report.doubled) == 4
    assert not report.is_whole
    if mended:
        folder.mend(report)
    else:
        assert folder.compact().n_after == 1
    assert folder.verify(ids(_FEW[1:2])).is_whole
    assert set(everything(open_atlas(tmp_path))) == rows(_FEW[1:2])
    assert folder.compact().packs == ()


def test_pictures_alone_beside_the_part_of_their_job_are_removed_by_mending(tmp_path):
    folder = filled(tmp_path, [_FEW[1], *(_alone(one, number) for number, one in enumerate(_FEW[1][2]))])
    report = folder.verify(ids(_FEW[1:2]))
    assert len(report.doubled) == 4
    assert folder.mend(report) == 4
    assert folder.verify(ids(_FEW[1:2])).is_whole
    assert set(everything(open_atlas(tmp_path))) == rows(_FEW[1:2])


def test_a_part_written_in_another_order_while_it_is_packed_is_left_where_it_is(tmp_path):
    folder = filled(tmp_path)
    job, layer, pictures = plan()[0]
    path = part_path(folder.slug(layer), job)
    asked: list[str] = []

    class Racing:
        def __getattr__(self, name):
            return getattr(folder.place, name)

        def entry(self, at):
            if at == path and not asked:
                asked.append(at)
                folder.write_part(job, layer, pictures[::-1])
            return folder.place.entry(at)

    AtlasFolder(Racing(), folder.manifest).compact()
    assert asked
    assert folder.exists(path)
    assert set(everything(open_atlas(tmp_path))) == rows()
