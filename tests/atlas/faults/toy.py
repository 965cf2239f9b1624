"""Work that writes a small file for each job, and keeps a diary of who did what."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from phosphene.atlas.backends.backend import Done
from phosphene.atlas.jobs import Job
from phosphene.errors import NetworkError, StorageError
from phosphene.store.atomic import write_bytes


def toy_jobs(n: int) -> list[Job]:
    return [Job(f"{number:04}", "layer", "recipe", ()) for number in range(n)]


@dataclass(frozen=True)
class Toy:
    """Each job lasts ``seconds``. Those named in ``poison`` kill their process (so does "open"), those in
    ``bad`` raise."""

    folder: str
    seconds: float = 0.05
    poison: tuple[str, ...] = ()
    bad: tuple[str, ...] = ()
    changed: bool = False

    def open(self) -> ToyWorker:
        if self.changed:
            raise NetworkError("the weights have changed")
        return ToyWorker(self)


class ToyWorker:
    def __init__(self, work: Toy) -> None:
        self._work = work
        self._note("open")
        self._may_die("open")

    def do(self, job: Job) -> Done:
        self._note(job.id)
        self._may_die(job.id)
        if job.id in self._work.bad:
            raise StorageError(f"{job.id} was not written: the disk is full")
        time.sleep(self._work.seconds)
        write_bytes(Path(self._work.folder, "parts", job.id), job.id.encode() * 1000)
        return Done(job, 0, self._work.seconds, self._work.seconds)

    def close(self) -> None: ...

    def _may_die(self, what: str) -> None:
        if what in self._work.poison:
            os.kill(os.getpid(), signal.SIGKILL)

    def _note(self, what: str) -> None:
        import ray

        node = ray.get_runtime_context().get_node_id()
        write_bytes(Path(self._work.folder, "diary", f"{time.time():.6f} {os.getpid()} {node} {what}"), b"")


@dataclass(frozen=True)
class Entry:
    """A line of the diary."""

    at: float
    pid: int
    node: str
    what: str


def diary(folder: Path) -> list[Entry]:
    lines = sorted(path.name.split() for path in folder.joinpath("diary").glob("*") if path.name[0] != ".")
    return [Entry(float(at), int(pid), node, what) for at, pid, node, what in lines]


def finished(folder: Path) -> list[str]:
    """Names of the jobs whose files are whole."""
    parts = folder.joinpath("parts").glob("[0-9]*")
    return sorted(path.name for path in parts if path.read_bytes() == path.name.encode() * 1000)
