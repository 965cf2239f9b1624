"""What is wrong with an atlas that was begun, and with who works on it: the next build makes it right."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from atlas_rigs import ALL, Interrupted, Losing, awkward_net, made, manifest_of, rows_of
from networks import conv_net

from phosphene.atlas import queueing
from phosphene.atlas.backends import Done, LocalBackend, Lost, Work
from phosphene.atlas.jobs import Job, jobs
from phosphene.atlas.progress import Meter, Progressed
from phosphene.atlas.repairing import drop_unreadable_parts, mend_damaged
from phosphene.atlas.state import verify
from phosphene.atlas.working import RenderWork, digest_of
from phosphene.errors import StorageError
from phosphene.store.atlas import AtlasFolder, create_atlas, open_atlas
from phosphene.store.atlas.parts import RowsFile
from phosphene.store.atlas.places import TEMPORARY


def copied(where: Path | str, to: Path) -> list[Path]:
    """A copy of an atlas; its files of rows."""
    shutil.copytree(where, to)
    return sorted((to / "data" / "conv2").iterdir())


def spoil(file: Path) -> None:
    """Change a byte of a picture, which nobody sees who does not read the rows."""
    data = bytearray(file.read_bytes())
    data[data.index(b"WEBP") + 40] ^= 0xFF
    file.write_bytes(bytes(data))


@pytest.mark.parametrize("packed", [False, True])
def test_damaged_rows_are_found_at_the_end_and_made_again(
    parts: Path, undisturbed: str, tmp_path: Path, packed: bool
) -> None:
    spoil(copied(undisturbed if packed else parts, tmp_path / "a")[0])
    told: list[Progressed] = []
    report = made(conv_net(), tmp_path / "a", progress=told.append, **ALL)
    assert report.n_damaged == 1
    assert 0 < report.n_rendered <= 4  # of the pack, too, what was right is kept
    assert rows_of(str(tmp_path / "a")) == rows_of(undisturbed)
    stages = [
        one.stage for one, before in zip(told, [None, *told], strict=False) if not before or before.stage != one.stage
    ]
    once = ["rendering", "packing"]
    assert stages == ["checking", *once, "verifying", *once, "joining"]


def test_what_is_damaged_again_and_again_is_made_again_once(
    parts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that spoils what is written does not keep a build for ever."""
    copied(parts, tmp_path / "a")[0].unlink()
    real = AtlasFolder.write_part
    written: list[str] = []

    def spoiled(self: AtlasFolder, job_id: str, layer: str, pictures: Any) -> int:
        size = real(self, job_id, layer, pictures)
        written.append(job_id)
        spoil(tmp_path / "a" / "data" / "conv2" / f"part-{job_id}.parquet")
        return size

    monkeypatch.setattr(AtlasFolder, "write_part", spoiled)
    report = made(conv_net(), tmp_path / "a", compact=False, **ALL)
    assert (len(written), len(set(written)), report.n_damaged) == (2, 1, 1)


def test_a_damaged_pack_is_made_again(undisturbed: str, tmp_path: Path) -> None:
    (pack,) = copied(undisturbed, tmp_path / "a")
    pack.write_bytes(pack.read_bytes()[:-100])
    report = made(conv_net(), tmp_path / "a", **ALL)
    assert (report.n_rendered, report.n_damaged) == (12, 1)
    assert rows_of(str(tmp_path / "a")) == rows_of(undisturbed)


def test_before_the_first_job_of_a_restart_no_picture_is_read(
    parts: Path, undisturbed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part that cannot be read is noticed all the same, and rendered among the others."""
    files = copied(parts, tmp_path / "a")
    files[0].write_bytes(files[0].read_bytes()[:-30])
    files[1].unlink()
    read: list[str] = []
    whole = RowsFile.table

    def noted(self: RowsFile, *group: Any) -> Any:
        read.append(self.entry.path)
        return whole(self, *group)

    monkeypatch.setattr(RowsFile, "table", noted)

    class Looking(Interrupted):
        def run(self, jobs: Iterator[Job], work: Any) -> Iterator[Any]:
            for result in super().run(jobs, work):
                assert not read
                yield result

    report = made(conv_net(), tmp_path / "a", backend=Looking(0), device="cpu", **ALL)
    assert (report.n_damaged, 2 < report.n_rendered <= 4) == (1, True)
    assert read  # at the end
    monkeypatch.undo()
    assert rows_of(str(tmp_path / "a")) == rows_of(undisturbed)


def test_a_part_that_another_builder_wrote_again_meanwhile_is_kept(
    parts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = copied(parts, tmp_path / "a")[0]
    whole, real = part.read_bytes(), AtlasFolder.refresh
    part.write_bytes(whole[:-30])

    def overtaken(self: AtlasFolder) -> Any:
        index = real(self)
        part.write_bytes(whole)
        return index

    monkeypatch.setattr(AtlasFolder, "refresh", overtaken)
    drop_unreadable_parts(open_atlas(str(tmp_path / "a")), Meter(False))
    assert part.exists()


def test_what_another_builder_is_about_to_end_is_kept(parts: Path, undisturbed: str, tmp_path: Path) -> None:
    """A file that is being written, and a pack whose parts are not removed yet."""
    begun = copied(parts, tmp_path / "a")
    for pack in (Path(undisturbed) / "data" / "conv2").iterdir():
        begun.append(Path(shutil.copy(pack, begun[0].parent)))
    begun.append(begun[0].parent / f"{TEMPORARY}0123456789abcdef.tmp")
    begun[-1].write_bytes(b"half of")
    report = verify(open_atlas(str(tmp_path / "a")))
    assert {drop.entry.path for drop in report.drops} == {f"data/conv2/{file.name}" for file in begun[-2:]}
    assert mend_damaged(open_atlas(str(tmp_path / "a")), Meter(False)) == frozenset()
    assert sorted(begun[0].parent.iterdir()) == sorted(begun)


def test_rows_need_not_be_read_at_the_end(parts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(copied(parts, tmp_path / "a")[0])
    monkeypatch.setattr(AtlasFolder, "verify", lambda *_, **__: pytest.fail("every row was read"))
    report = made(conv_net(), tmp_path / "a", compact=False, verify=False, **ALL)
    assert (report.n_rendered, report.n_damaged) == (0, 0)
    with pytest.raises(StorageError, match="is damaged"):
        rows_of(str(tmp_path / "a"))


def is_whole(where: Path) -> bool:
    folder = open_atlas(str(where))
    return folder.verify((one.id, one.layer, [p.id for p in one.pictures]) for one in jobs(folder.manifest)).is_whole


@pytest.mark.parametrize("compact", [False, True])
def test_a_row_that_a_file_lacks_is_made_again(parts: Path, undisturbed: str, tmp_path: Path, compact: bool) -> None:
    copied(parts, tmp_path / "a")
    folder = open_atlas(str(tmp_path / "a"))
    job = next(jobs(folder.manifest))
    folder.write_part(job.id, job.layer, [folder.picture(job.pictures[0].id)])
    report = made(conv_net(), tmp_path / "a", compact=compact, **ALL)
    assert (report.n_rendered, report.n_damaged, report.status.n_missing) == (len(job.pictures), 1, 0)
    assert rows_of(str(tmp_path / "a")) == rows_of(undisturbed)
    assert is_whole(tmp_path / "a")


def test_what_another_builder_packed_meanwhile_is_not_rendered_again(
    undisturbed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queueing, "LOOK_EVERY_S", 0.0)
    monkeypatch.setattr(queueing, "_SHARE", 0)

    class Met(LocalBackend):
        def run(self, jobs: Iterator[Job], work: Work) -> Iterator[Done | Lost]:
            for number, result in enumerate(super().run(jobs, work)):
                yield result
                if number == 0:
                    made(conv_net(), tmp_path / "a", **ALL)

    report = made(conv_net(), tmp_path / "a", backend=Met(), device="cpu", **ALL)
    assert report.n_rendered == 2
    assert rows_of(str(tmp_path / "a")) == rows_of(undisturbed)
    assert is_whole(tmp_path / "a")


def test_how_often_others_are_looked_for_depends_on_what_a_look_costs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = create_atlas(str(tmp_path / "a"), manifest_of(conv_net(), layers=["conv2"], batch_size=1, seeds=20))
    clock, looks = [0.0], list[float]()

    def look(self: AtlasFolder) -> frozenset[str]:
        looks.append(clock[0])
        clock[0] += 2.0
        return frozenset()

    monkeypatch.setattr(queueing, "monotonic", lambda: clock[0])
    monkeypatch.setattr(AtlasFolder, "finished_jobs", look)
    for _ in queueing.unfinished(folder, jobs(folder.manifest), lambda job: None):
        clock[0] += 3.0  # of a job
    assert looks == [30.0, 134.0, 238.0, 342.0]


def test_what_takes_its_workers_down_again_when_it_is_tried_again_is_counted(tmp_path: Path) -> None:
    how: dict[str, Any] = {"layers": ["conv2"], "steps": 1, "device": "cpu"}
    made(conv_net(), tmp_path / "a", backend=Losing("conv2", 5), **how)
    told: list[Progressed] = []
    backend = Losing("conv2", 5)
    report = made(conv_net(), tmp_path / "a", backend=backend, retry_failed=True, progress=told.append, **how)
    assert (report.n_lost, report.status.by_status["failed"]) == (1, 1)
    last = [one for one in told if one.stage == "rendering"][-1]
    assert (last.n_done, last.n) == (2, 2)


def test_what_fails_in_this_very_build_is_not_tried_again_by_it(tmp_path: Path) -> None:
    report = made(awkward_net(), tmp_path / "a", layers=["unit"], retry_failed=True)
    assert (report.n_rendered, report.n_failed) == (6, 3)
    losing = Losing("conv2", 5)
    report = made(
        conv_net(), tmp_path / "b", layers=["conv2"], retry_failed=True, backend=losing, steps=1, device="cpu"
    )
    assert (report.n_lost, report.n_failed) == (1, 1)
    assert sum(any(picture.unit == 5 for picture in job.pictures) for job in losing.seen) == 3


def test_pictures_that_were_tried_alone_and_then_together_are_there_once(tmp_path: Path) -> None:
    how: dict[str, Any] = {"layers": ["conv2"], "steps": 1, "device": "cpu", "compact": False}
    made(conv_net(), tmp_path / "a", backend=Losing("conv2", 5), **how)
    report = made(conv_net(), tmp_path / "a", retry_failed=True, **how)
    assert (report.n_rendered, report.n_damaged, report.status.by_status["ok"]) == (2, 0, 6)
    assert is_whole(tmp_path / "a")


def test_a_relative_folder_is_found_by_workers_that_stand_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    class Elsewhere(LocalBackend):
        def run(self, jobs: Iterator[Job], work: Work) -> Iterator[Done | Lost]:
            with monkeypatch.context() as patch:
                patch.chdir(tmp_path / "there")
                worker = work.open()
            yield from map(worker.do, jobs)
            worker.close()

    report = made(conv_net(), "a", layers=["conv1"], steps=1, backend=Elsewhere(), device="cpu")
    assert report.status.n_missing == 0
    assert (tmp_path / "here" / "a" / "atlas.json").exists()


def test_a_worker_that_sees_another_atlas_there_refuses(tmp_path: Path) -> None:
    create_atlas(str(tmp_path / "a"), manifest_of(conv_net(), layers=["conv1"]))
    digest = digest_of(manifest_of(conv_net(), layers=["conv2"]))
    with pytest.raises(StorageError, match="sees it is another atlas than the one that is built; every node must see"):
        RenderWork(conv_net(), str(tmp_path / "a"), digest=digest).open()
    own = digest_of(open_atlas(str(tmp_path / "a")).manifest)
    RenderWork(conv_net(), str(tmp_path / "a"), digest=own).open().close()


def test_an_address_that_is_not_answered_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from phosphene.atlas import finding

    asked: list[str] = []

    def silent(uri: str, **_: Any) -> AtlasFolder:
        asked.append(uri)
        raise StorageError(f"{uri} does not answer")

    monkeypatch.setattr(finding, "open_atlas", silent)
    with pytest.raises(StorageError, match="does not answer"):
        made(conv_net(), tmp_path / "a", layers=["conv1"])
    assert (asked, (tmp_path / "a").exists()) == ([str(tmp_path / "a")], False)
