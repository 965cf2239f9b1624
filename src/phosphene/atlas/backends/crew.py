"""The actors of a build on Ray: as many as wanted, each with work to do, and replaced where one is lost."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from phosphene._version import __version__
from phosphene.atlas.backends.backend import Done, Lost
from phosphene.atlas.backends.hand import Hand
from phosphene.atlas.backends.waiting import MAX_ATTEMPTS, Waiting
from phosphene.atlas.jobs import Job
from phosphene.errors import ClusterError

#: How often the cluster is looked at for new nodes, in seconds.
LOOK_EVERY_S = 2.0
#: Longest pause after workers that could not be opened, in seconds.
MAX_PAUSE_S = 60.0
#: Workers that may be killed in a row before one is open; what the work itself raises ends a build sooner.
MAX_DEATHS = 10
#: Jobs that a worker has at most: the one that it does, and the next, so that it never waits for the driver.
JOBS_PER_WORKER = 2


@dataclass(frozen=True)
class Posts:
    """What actors are to be kept.

    Attributes:
        work: what each of them opens; an object of Ray's store.
        n_wanted: says how many, now.
        threads: processor threads of each.
        gpus: GPUs of each, or a share of one.
        start_within_s: how long there may be none that is open.
    """

    work: Any
    n_wanted: Callable[[], int]
    threads: int
    gpus: float
    start_within_s: float


class _Member:
    """An actor as the driver knows it: its opening until it is open, then its jobs in the order that it does them."""

    def __init__(self, actor: Any, opening: Any) -> None:
        self.actor, self.opening, self.jobs = actor, opening, dict[Any, Job]()

    @property
    def is_open(self) -> bool:
        return self.opening is None

    @property
    def answers(self) -> tuple[Any, ...]:
        """What the driver waits for."""
        return tuple(self.jobs) if self.is_open else (self.opening,)


class Crew:
    """Does the jobs that wait by actors of ``ray``."""

    def __init__(self, ray: Any, posts: Posts, waiting: Waiting) -> None:
        self._ray, self._posts, self._waiting = ray, posts, waiting
        # Ray repeats neither: it cannot tell the job that a worker was at from the one behind it.
        self._actor = ray.remote(max_restarts=0, max_task_retries=0, num_cpus=posts.threads, num_gpus=posts.gpus)(Hand)
        self._members: list[_Member] = []
        self._n_failures = 0
        self._next_look_s, self._open_until_s = 0.0, time.monotonic()

    def do(self) -> Iterator[Done | Lost]:
        """The answers of the workers, as they come."""
        while self._waiting or any(member.jobs for member in self._members):
            self._recruit()
            self._hand_out()
            member, answer = self._next_answer()
            if member is not None:
                yield from self._receive(member, answer)

    def dismiss(self) -> None:
        """End all actors, whatever they are at."""
        for member in (*self._members,):
            self._end(member)

    def _recruit(self) -> None:
        now = time.monotonic()
        if any(member.is_open for member in self._members):
            self._open_until_s = now
        if now - self._open_until_s > self._posts.start_within_s:
            raise ClusterError(_why_none(self._posts, self._ray.cluster_resources()))
        if now < self._next_look_s:
            return
        self._next_look_s = now + LOOK_EVERY_S
        n_missing = self._posts.n_wanted() - len(self._members)
        self._members.extend(self._started() for _ in range(n_missing))
        # Room that has gone: those that never began wait for it in vain.
        for member in [member for member in self._members if not member.is_open][: max(0, -n_missing)]:
            self._end(member)

    def _started(self) -> _Member:
        actor = self._actor.remote()
        return _Member(actor, actor.open.remote(self._posts.work, self._posts.threads))

    def _hand_out(self) -> None:
        for n_jobs in range(JOBS_PER_WORKER):  # everyone has a first job before anyone has a second
            for member in self._members:
                if member.is_open and len(member.jobs) == n_jobs and (job := self._waiting.take()) is not None:
                    member.jobs[member.actor.do.remote(job)] = job

    def _next_answer(self) -> tuple[_Member | None, Any]:
        owners = {answer: member for member in self._members for answer in member.answers}
        if not owners:
            time.sleep(LOOK_EVERY_S)
            return None, None
        ready, _ = self._ray.wait([*owners], num_returns=1, timeout=LOOK_EVERY_S)
        return (owners[ready[0]], ready[0]) if ready else (None, None)

    def _receive(self, member: _Member, answer: Any) -> Iterator[Done | Lost]:
        try:
            value = self._ray.get(answer)
        except self._ray.exceptions.RayError as error:
            cause = self._cause(error)
            if not member.is_open:
                dead = ClusterError(f"no worker could be opened: {_told(error)}")
                self._not_opened(member, cause or dead, MAX_ATTEMPTS if cause else MAX_DEATHS)
            elif cause is None:
                yield from self._lost(member, _told(error))
            else:
                self._raised(member, answer, cause)
            return
        if member.is_open:
            del member.jobs[answer]
            yield value
        else:
            self._opened(member, value)

    def _cause(self, error: Any) -> BaseException | None:
        """What was raised by the work, or by reading its answer; None for the loss of a worker."""
        if isinstance(error, self._ray.exceptions.RayTaskError):
            return error.cause
        if isinstance(error, self._ray.exceptions.RaySystemError):
            return ClusterError(f"a worker's answer cannot be read; is every node's software the same? {_told(error)}")
        return None

    def _opened(self, member: _Member, version: str) -> None:
        if version != __version__:
            what = f"a worker has phosphene {version} and this process {__version__}; install the same on every node"
            self._not_opened(member, ClusterError(what), MAX_ATTEMPTS)
        else:
            member.opening, self._n_failures = None, 0

    def _not_opened(self, member: _Member, error: BaseException, attempts: int) -> None:
        self._end(member)
        self._n_failures += 1
        if self._n_failures >= attempts and not any(member.is_open for member in self._members):
            raise error
        self._next_look_s = time.monotonic() + min(MAX_PAUSE_S, LOOK_EVERY_S * self._n_failures)

    def _lost(self, member: _Member, reason: str) -> Iterator[Done | Lost]:
        unfinished = list[Job]()
        for answer, job in member.jobs.items():
            try:
                yield self._ray.get(answer, timeout=0)
            except self._ray.exceptions.RayError:
                unfinished.append(job)
        self._end(member)
        first, *others = unfinished
        for job in others:
            self._waiting.give_back(job)
        if (lost := self._waiting.lost(first, reason)) is not None:
            yield lost

    def _raised(self, member: _Member, answer: Any, error: BaseException) -> None:
        job = member.jobs.pop(answer)
        for other in member.jobs.values():
            self._waiting.give_back(other)
        # Nobody knows in what state its process is, a GPU's above all.
        self._end(member)
        self._waiting.raised(job, error)

    def _end(self, member: _Member) -> None:
        self._members.remove(member)
        self._next_look_s = 0.0
        with contextlib.suppress(self._ray.exceptions.RayError):  # it is dead, or its node is
            self._ray.kill(member.actor)


def _why_none(posts: Posts, has: Mapping[str, float]) -> str:
    return (
        f"no worker could be started within {posts.start_within_s:g} s: each needs {posts.threads} CPU and "
        f"{posts.gpus:g} GPU of one node, and the cluster has {dict(has)}; ask for less, or add nodes"
    )


def _told(error: BaseException) -> str:
    """What Ray says, in one line for people."""
    return " ".join(str(error).split())[:300]
