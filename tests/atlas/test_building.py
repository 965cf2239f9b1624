"""Building: whatever happened before, the same manifest ends with the same rows."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from time import sleep
from typing import Any

import pytest
import torch
from atlas_rigs import ALL, Interrupted, Losing, awkward_net, made, manifest_of, rows_of
from networks import conv_net

import phosphene as ph
from phosphene.atlas import working
from phosphene.atlas.jobs import Job, jobs
from phosphene.atlas.progress import Progressed
from phosphene.atlas.queueing import left_over, unfinished
from phosphene.atlas.working import RenderWork
from phosphene.errors import NetworkError, ParameterError, StorageError
from phosphene.store.atlas import AtlasFolder, PictureFormat, create_atlas, open_atlas


@pytest.mark.parametrize("after", [1, 3, 6])
def test_interrupted_anywhere_it_ends_with_the_same_rows(undisturbed: str, tmp_path: Path, after: int) -> None:
    with pytest.raises(KeyboardInterrupt):
        made(conv_net(), tmp_path / "a", backend=Interrupted(after), device="cpu", **ALL)
    begun = rows_of(str(tmp_path / "a"))
    assert 0 < len(begun) < 12
    report = made(conv_net(), tmp_path / "a", **ALL)
    assert report.n_rendered == 12 - len(begun)
    assert rows_of(str(tmp_path / "a")) == rows_of(undisturbed)


def test_a_finished_atlas_is_not_rendered_again(undisturbed: str) -> None:
    was = rows_of(undisturbed)
    told: list[Progressed] = []
    report = made(conv_net(), undisturbed, progress=told.append, **ALL)
    assert report.n_rendered == 0
    assert rows_of(undisturbed) == was
    assert [(one.n_done, one.n) for one in told if one.stage == "rendering"] == [(12, 12)]


def test_an_atlas_that_was_begun_keeps_its_batches(undisturbed: str) -> None:
    assert made(conv_net(), undisturbed, **{**ALL, "batch_size": None}).n_rendered == 0
    with pytest.raises(StorageError, match="job_size is 2 there and 3 here"):
        made(conv_net(), undisturbed, **{**ALL, "batch_size": 3})


def test_changed_weights_are_refused(undisturbed: str) -> None:
    net = conv_net()
    with torch.no_grad():
        next(net.module.parameters())[0] += 1e-3
    with pytest.raises(NetworkError, match="the weights of Sequential have changed"):
        made(net, undisturbed, **ALL)
    with pytest.raises(NetworkError, match="the weights of Sequential have changed"):
        RenderWork(net, undisturbed).open()


def test_another_way_of_showing_images_is_refused(undisturbed: str) -> None:
    net = ph.wrap(conv_net().module, mean=0.5, std=1, input_size=(12, 10), labels=conv_net().labels)
    with pytest.raises(NetworkError, match="shown images otherwise: its preprocessing is"):
        made(net, undisturbed, **ALL)


def test_another_plan_is_refused(undisturbed: str) -> None:
    with pytest.raises(StorageError, match="another plan"):
        made(conv_net(), undisturbed, **{**ALL, "diversity": 3})


def test_bad_wishes_and_devices_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="diversity is 1"):
        made(conv_net(), tmp_path / "a", diversity=1)
    assert not (tmp_path / "a").exists()
    with pytest.raises(ParameterError, match="cannot be used here"):
        made(conv_net(), tmp_path / "a", device="cuda:77", layers=["conv1"])


def test_what_cannot_be_rendered_is_recorded_and_not_tried_again(tmp_path: Path) -> None:
    where = tmp_path / "a"
    report = made(awkward_net(), where, layers=["unit"])
    assert report.n_failed == 3
    assert report.status.by_status == {"ok": 3, "dead": 1, "not_finite": 1, "failed": 1}
    was = rows_of(str(where))
    again = made(awkward_net(), where, layers=["unit"])
    assert (again.n_rendered, again.status.n_missing) == (0, 0)
    assert rows_of(str(where)) == was
    tried = made(awkward_net(), where, layers=["unit"], retry_failed=True)
    assert (tried.n_rendered, tried.n_failed) == (4, 3)  # the batch that it stands in
    assert rows_of(str(where)) == was


def test_what_failed_for_a_passing_reason_can_be_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from phosphene.atlas import rendering

    def full(*_: object, **__: object) -> Any:
        raise MemoryError("no room today")

    with monkeypatch.context() as patch:
        patch.setattr(rendering, "run_batch", full)
        assert made(conv_net(), tmp_path / "a", layers=["conv1"]).n_failed == 4
    assert {row.reason for row in rows_of(str(tmp_path / "a")).values()} == {"MemoryError: no room today"}
    assert made(conv_net(), tmp_path / "a", layers=["conv1"]).n_rendered == 0
    report = made(conv_net(), tmp_path / "a", layers=["conv1"], retry_failed=True)
    assert (report.n_rendered, report.n_failed, report.status.by_status["ok"]) == (4, 0, 4)
    made(conv_net(), tmp_path / "b", layers=["conv1"])
    assert rows_of(str(tmp_path / "a")) == rows_of(str(tmp_path / "b"))


def test_a_picture_that_kills_its_workers_is_found_and_recorded(tmp_path: Path) -> None:
    backend = Losing("conv2", 5)
    report = made(conv_net(), tmp_path / "a", layers=["conv1", "conv2"], backend=backend, device="cpu")
    assert (report.n_lost, report.n_failed, report.status.n_missing) == (1, 1, 0)
    rows = rows_of(str(tmp_path / "a"))
    (lost,) = [row for row in rows.values() if row.status != "ok"]
    assert (lost.layer, lost.unit, lost.status) == ("conv2", 5, "failed")
    assert lost.reason == "its worker was lost again and again: killed by signal 9, 3 times"
    # Whole, whole once more, and then one by one.
    assert [len(job.pictures) for job in backend.seen if any(p.unit == 5 for p in job.pictures)] == [2, 2, 1]
    assert made(conv_net(), tmp_path / "a", layers=["conv1", "conv2"]).n_rendered == 0
    assert rows_of(str(tmp_path / "a")) == rows
    mended = made(conv_net(), tmp_path / "a", layers=["conv1", "conv2"], retry_failed=True)
    assert mended.status.by_status["ok"] == 10


def folder_of(where: Path, **wishes: Any) -> AtlasFolder:
    return create_atlas(str(where), manifest_of(conv_net(), **wishes))


def test_jobs_that_another_builder_did_are_not_done_again(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "a", layers=["conv2"], batch_size=1, seeds=4)
    left = left_over(folder, jobs(folder.manifest))
    other = RenderWork(conv_net(), folder.uri).open()
    found: list[Job] = []
    given: list[Job] = []
    for job in unfinished(folder, left, found.append):
        given.append(job)
        if len(given) == 3:  # somebody comes and does what is next in the row
            for stolen in left[3:9]:
                other.do(stolen)
    other.close()
    assert {job.id for job in found} == {job.id for job in left[3:9]}
    assert sorted(job.id for job in (*given, *found)) == sorted(job.id for job in left)
    # The rest is gone on with elsewhere, in an order that depends on what was found only.
    assert [left.index(job) for job in given][:3] == [0, 1, 2]
    assert [left.index(job) for job in given] != sorted(left.index(job) for job in given)


def test_a_second_builder_at_once_loses_and_doubles_nothing(undisturbed: str, tmp_path: Path) -> None:
    """The second one runs inside the first, between two of its jobs."""
    where = tmp_path / "a"

    class Visited(Interrupted):
        def run(self, jobs: Iterator[Job], work: Any) -> Iterator[Any]:
            for number, result in enumerate(super().run(jobs, work)):
                if number == 1:
                    with pytest.raises(KeyboardInterrupt):
                        made(conv_net(), where, backend=Interrupted(3), device="cpu", **ALL)
                yield result

    report = made(conv_net(), where, backend=Visited(after=0), device="cpu", **ALL)
    assert report.n_rendered < 12
    assert report.status.n_missing == 0
    assert rows_of(str(where)) == rows_of(undisturbed)
    planned = [(j.id, j.layer, [p.id for p in j.pictures]) for j in jobs(open_atlas(str(where)).manifest)]
    assert open_atlas(str(where)).verify(planned).is_whole


def test_progress_counts_pictures_of_this_build_and_before(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        made(awkward_net(), tmp_path / "a", layers=["unit"], batch_size=1, backend=Interrupted(2), device="cpu")
    told: list[Progressed] = []
    made(awkward_net(), tmp_path / "a", layers=["unit"], batch_size=1, progress=told.append)
    rendering = [one for one in told if one.stage == "rendering"]
    assert [(one.n_done, one.n, one.n_failed) for one in rendering] == [
        (2, 6, 0),
        (3, 6, 1),
        (4, 6, 2),
        (5, 6, 2),
        (6, 6, 2),
    ]
    assert rendering[0].per_second is None
    assert rendering[-1].per_second is not None
    assert rendering[-1].remaining_s == 0
    assert rendering[1].remaining_s == pytest.approx(3 / rendering[1].per_second)  # type: ignore[operator]
    assert list(dict.fromkeys(one.stage for one in told)) == [
        "checking",
        "rendering",
        "packing",
        "verifying",
        "joining",
    ]


def test_a_bar_can_be_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made(awkward_net(), tmp_path / "a", layers=["unit"], progress=True)
    said = capsys.readouterr()
    assert said.out == ""
    assert "rendering" in said.err
    assert "3 failed" in said.err


def test_an_atlas_may_be_in_memory_and_pictures_small(tmp_path: Path) -> None:
    where = f"memory://{tmp_path.name}/atlas"
    report = made(conv_net(), where, layers=["conv1"], pictures=PictureFormat(quality=40))
    assert report.status.n_done == 4
    made(conv_net(), tmp_path / "b", layers=["conv1"])
    small, whole = rows_of(where), rows_of(str(tmp_path / "b"))
    assert {k: replace(row, image=None) for k, row in small.items()} == {
        k: replace(row, image=None) for k, row in whole.items()
    }
    assert all(small[key].image != whole[key].image for key in small)


def test_work_travels_as_bytes_with_its_network_or_by_its_source(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "a", layers=["conv1"])
    work: RenderWork = pickle.loads(pickle.dumps(RenderWork(conv_net(), folder.uri, None, "auto")))
    worker = work.open()
    done = worker.do(next(jobs(folder.manifest)))
    worker.close()
    assert (len(done.job.pictures), done.n_failed) == (4, 0)
    assert pickle.loads(pickle.dumps(done)) == done
    with pytest.raises(NetworkError, match="cannot be loaded by name"):
        RenderWork(dict(folder.manifest.network.source), folder.uri).open()


def test_pictures_are_encoded_at_once_and_written_before_a_job_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the threads that rendered them, or more where an accelerator waits; rows and errors are those of one thread."""
    folder = folder_of(tmp_path / "a", layers=["conv2"], batch_size=6)
    (job,) = jobs(folder.manifest)
    monkeypatch.setattr(working, "_n_encoders", lambda device: 1)
    RenderWork(conv_net(), folder.uri).open().do(job)
    alone = rows_of(folder.uri)
    folder.place.remove(f"data/conv2/part-{job.id}.parquet")
    meeting, real = threading.Barrier(3, timeout=20), working.encode_webp

    def together(pixels: Any, **how: Any) -> bytes:
        meeting.wait()  # passes only where three are at it at the same time
        sleep(0.05 * float(pixels[0, 0, 0] % 2))  # so that they end in another order
        return real(pixels, **how)

    monkeypatch.setattr(working, "encode_webp", together)
    monkeypatch.setattr(working, "_n_encoders", lambda device: 3)
    worker = RenderWork(conv_net(), folder.uri).open()
    worker.do(job)
    assert folder.has_part(job.id, job.layer)
    assert rows_of(folder.uri) == alone

    def full(*_: Any, **__: Any) -> bytes:
        raise MemoryError("no room")

    monkeypatch.setattr(working, "encode_webp", full)
    with pytest.raises(MemoryError, match="no room"):
        worker.do(job)
    worker.close()


def test_an_accelerator_does_not_wait_for_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    for n_cores, wanted in ((1, 2), (4, 4), (64, 8), (None, 2)):
        monkeypatch.setattr(working.os, "cpu_count", lambda n=n_cores: n)
        assert working._n_encoders(torch.device("cuda")) == wanted
        assert working._n_encoders(torch.device("cpu")) == 2


def test_a_unit_with_photographs_is_told_of_in_the_same_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHOSPHENE_CACHE", str(tmp_path / "cache"))
    images = torch.rand(12, 3, 12, 10, generator=torch.Generator().manual_seed(0))
    made(conv_net(), tmp_path / "a", layers=["conv1", "classifier"], images=images)
    folder = open_atlas(str(tmp_path / "a"))
    facts = list(folder.facts("conv1"))
    assert [one.unit for one in facts] == [0, 1, 2, 3]
    assert all(one.answers is not None and one.answers.n == 12 for one in facts)
    assert [one.label for one in folder.facts("classifier")] == list(conv_net().labels)
