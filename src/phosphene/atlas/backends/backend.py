"""The small interface between a build and whatever does the work."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from phosphene.atlas.jobs import Job


@dataclass(frozen=True)
class Done:
    """A job whose part is written.

    Attributes:
        job: which.
        n_failed: pictures that came out with another status than "ok".
        seconds: of the worker, rendering and writing.
        rendering_s: of these, rendering alone.
    """

    job: Job
    n_failed: int
    seconds: float
    rendering_s: float


@dataclass(frozen=True)
class Lost:
    """A job that took its workers down with it, again and again.

    Attributes:
        job: which.
        reason: what is known of it, for people.
    """

    job: Job
    reason: str


class Work(Protocol):
    """What a backend's worker does, opened once for each worker; it must be picklable before it is opened."""

    def open(self) -> Worker:
        """Load the network and open the atlas."""
        ...


class Worker(Protocol):
    """Does one job after another."""

    def do(self, job: Job) -> Done:
        """Render a job and write its part.

        A unit that cannot be rendered is a row with its reason, no exception. Raises `StorageError` where the part
        cannot be written.
        """
        ...

    def close(self) -> None:
        """Let go of the network; a worker whose process ends need not be asked."""
        ...


class Backend(Protocol):
    """Where jobs are done."""

    def run(self, jobs: Iterator[Job], work: Work) -> Iterator[Done | Lost]:
        """Do the jobs, in any order, taking no more of them than workers can soon begin; closing the iterator ends it.

        A job whose worker is lost is given to another; after three times it is given back as lost.
        """
        ...
