"""Having the jobs of an atlas done: those whose workers are lost once more, and then picture by picture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from phosphene.atlas.backends import Backend, Done, Lost
from phosphene.atlas.jobs import Job, jobs, n_pictures
from phosphene.atlas.progress import Meter
from phosphene.atlas.queueing import left_over, unfinished
from phosphene.atlas.rows import failed_row
from phosphene.atlas.working import RenderWork
from phosphene.render.recipe import Recipe
from phosphene.store.atlas import AtlasFolder
from phosphene.store.atlas.records import STATUSES


class Making:
    """Renders what is left of an atlas and counts.

    Args:
        folder: the atlas.
        backend: where its jobs are done.
        work: what is done for it.
        meter: is told.

    Attributes:
        done: the jobs that were done.
        n_lost: pictures whose workers were lost even alone.
    """

    def __init__(self, folder: AtlasFolder, backend: Backend, work: RenderWork, *, meter: Meter) -> None:
        self.folder, self.backend, self.work, self.meter = folder, backend, work, meter
        self.done: list[Done] = []
        self.n_lost = 0
        self._given_up: set[str] = set()

    def everything(self, *, retry_failed: bool) -> None:
        """Render all pictures that have no row; those whose workers are lost once more, and then one by one."""
        manifest = self.folder.manifest
        left = left_over(self.folder, jobs(manifest))
        total = n_pictures(manifest)
        self.meter.begin("rendering", total - count(left), total)
        if left:
            self._insist(unfinished(self.folder, left, self._found))
        if retry_failed:
            self._retry()

    def _insist(self, left: Iterator[Job]) -> None:
        """Have jobs done: those whose workers are lost once more, and then picture by picture."""
        lost = self._run(left)
        lost = self._run(iter([one.job for one in lost])) if lost else []
        if lost:
            self._give_up(self._run(iter([part for one in lost for part in _parts(one.job)])))

    def _run(self, left: Iterator[Job]) -> list[Lost]:
        """Have jobs done; those that were lost."""
        lost: list[Lost] = []
        results = self.backend.run(left, self.work)
        try:
            for result in results:
                if isinstance(result, Lost):
                    lost.append(result)
                else:
                    self.done.append(result)
                    self.meter.advance(len(result.job.pictures), n_failed=result.n_failed)
        finally:
            _close(results)
        return lost

    def _found(self, job: Job) -> None:
        self.meter.advance(len(job.pictures), is_own=False)

    def _give_up(self, lost: Sequence[Lost]) -> None:
        """Write rows for pictures that took their workers down even alone."""
        recipes = {digest: Recipe.from_json(form) for digest, form in self.folder.manifest.recipes.items()}
        for one in lost:
            size, reason = recipes[one.job.recipe].sizes[-1], f"its worker was lost again and again: {one.reason}"
            rows = [failed_row(one.job, picture, size, reason).picture for picture in one.job.pictures]
            self.folder.write_part(one.job.id, one.job.layer, rows)
            self.n_lost += len(rows)
            self._given_up.update(row.id for row in rows)
            self.meter.advance(len(rows), n_failed=len(rows))

    def _retry(self) -> None:
        """Render the jobs that hold pictures which could not be rendered, before this build, once more."""
        index, failed = self.folder.refresh(), STATUSES.index("failed")
        ids = {name.decode() for layer in index.layers.values() for name in layer.id[layer.status == failed].tolist()}
        ids -= self._given_up.union(picture.id for one in self.done for picture in one.job.pictures)
        again = [job for job in jobs(self.folder.manifest) if any(one.id in ids for one in job.pictures)]
        self.meter.begin("rendering", 0, count(again))
        if again:
            self._insist(iter(again))


def _parts(job: Job) -> Iterator[Job]:
    """A job for each of its groups alone."""
    return (job.of(group) for group in job.groups)


def count(some: Iterable[Job]) -> int:
    """How many pictures jobs hold."""
    return sum(len(job.pictures) for job in some)


def _close(results: Iterator[Any]) -> None:
    """End a backend's run where it is a generator, as all of phosphene's are."""
    close = getattr(results, "close", None)
    if close is not None:
        close()
