"""In this process, one job after another."""

from __future__ import annotations

from collections.abc import Iterator

from phosphene.atlas.backends.backend import Done, Lost, Work
from phosphene.atlas.jobs import Job


class LocalBackend:
    """Does jobs in this process. A job that takes the process down is done again by the next build."""

    def run(self, jobs: Iterator[Job], work: Work) -> Iterator[Done | Lost]:
        """Do the jobs in their order; raises what opening the worker and writing parts raise."""
        worker = work.open()
        try:
            for job in jobs:
                yield worker.do(job)
        finally:
            worker.close()
