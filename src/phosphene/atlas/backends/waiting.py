"""Jobs that nobody has begun, and how often those that came back did so."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator

from phosphene.atlas.backends.backend import Lost
from phosphene.atlas.jobs import Job

#: After so many workers have been lost with a job, or have raised at it, nobody else is sent.
MAX_ATTEMPTS = 3


class Waiting:
    """Jobs to be given out: those that came back first, then new ones, which are taken only when they are asked for.

    Args:
        jobs: the new ones.
    """

    def __init__(self, jobs: Iterator[Job]) -> None:
        self._new = jobs
        self._returned: deque[Job] = deque()
        self._attempts: Counter[str] = Counter()

    def __bool__(self) -> bool:
        """Whether there is a job left; takes one new job to find out."""
        if not self._returned:
            self._returned.extend([job for job in [next(self._new, None)] if job is not None])
        return bool(self._returned)

    def take(self) -> Job | None:
        """The next job; None where there is none."""
        return self._returned.popleft() if self else None

    def give_back(self, job: Job) -> None:
        """Put a job first that was given out, but not begun."""
        self._returned.appendleft(job)

    def lost(self, job: Job, reason: str) -> Lost | None:
        """Put a job first whose worker was lost; the third time it stays away and is returned as lost."""
        if self._is_over(job):
            return Lost(job, f"its worker was lost {MAX_ATTEMPTS} times, the last time so: {reason}")
        return None

    def raised(self, job: Job, error: BaseException) -> None:
        """Put a job first whose worker raised ``error``; the third time that is raised."""
        if self._is_over(job):
            raise error

    def _is_over(self, job: Job) -> bool:
        self._attempts[job.id] += 1
        over = self._attempts[job.id] >= MAX_ATTEMPTS
        if not over:
            self.give_back(job)
        return over
