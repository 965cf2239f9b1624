"""The jobs that are left, in their order, while other builders may be at work on the same atlas."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from random import Random
from time import monotonic

from phosphene.atlas.jobs import Job
from phosphene.store.atlas import AtlasFolder

#: How often it is looked what somebody else has packed meanwhile, in seconds; where a look takes long, more seldom, so
#: that it takes no more than a fiftieth of the time.
LOOK_EVERY_S = 30.0
_SHARE = 50


def left_over(folder: AtlasFolder, planned: Iterable[Job]) -> list[Job]:
    """The jobs some of whose pictures have no row yet."""
    finished, wanted = folder.finished_jobs(), list(planned)
    left = [job for job in wanted if job.id not in finished]
    if left and finished - {job.id for job in wanted}:
        # Rows of jobs that were rendered picture by picture, as their workers were lost.
        there = known_ids(folder)
        left = [job for job in left if not all(one.id in there for one in job.pictures)]
    return left


def known_ids(folder: AtlasFolder) -> frozenset[str]:
    """Ids of the pictures that have a row now."""
    index = folder.refresh()
    return frozenset(name.decode() for layer in index.layers.values() for name in layer.id.tolist())


def unfinished(folder: AtlasFolder, left: Iterable[Job], found: Callable[[Job], object]) -> Iterator[Job]:
    """The jobs that nobody has done, each looked for just before it is given out.

    Where another builder did one meanwhile, the rest is gone on with at a place chosen at random, so that the two do
    not run after each other; the draw depends on the job that was found only.

    Args:
        folder: the atlas.
        left: the jobs that were not done at the beginning.
        found: told of each job that somebody else did.
    """
    waiting = deque(left)
    met, next_look_s = False, monotonic() + LOOK_EVERY_S
    while waiting:
        job = waiting.popleft()
        if (now := monotonic()) >= next_look_s:
            folder.finished_jobs()  # has_part knows what it saw
            next_look_s = monotonic() + max(LOOK_EVERY_S, _SHARE * (monotonic() - now))
        if folder.has_part(job.id, job.layer):
            found(job)
            if not met and waiting:
                waiting.rotate(-Random(job.id).randrange(len(waiting)))
            met = True
            continue
        met = False
        yield job
