"""A build on a Ray cluster, or on the cores of this machine by a Ray of its own: an actor for each share of it."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import socket
import threading
from collections.abc import Generator, Iterator
from dataclasses import KW_ONLY, dataclass
from functools import partial
from typing import Any

from phosphene._component import check
from phosphene.atlas.backends.backend import Done, Lost, Work
from phosphene.atlas.backends.crew import Crew, Posts
from phosphene.atlas.backends.waiting import Waiting
from phosphene.atlas.jobs import Job
from phosphene.errors import ArgumentError, ClusterError, MissingExtraError

#: How long a cluster's address may take to answer, in seconds. Ray itself would ask for minutes.
ANSWER_S = 10.0
#: Read by Ray when it is imported or started: nothing is sent to its makers, and what it would write to the standard
#: output about lost workers is left to the build.
_QUIET = (("RAY_USAGE_STATS_ENABLED", "0"), ("RAY_DEDUP_LOGS_SKIP_REGEX", "A worker died|Raylet is terminated"))


@dataclass(frozen=True)
class RayBackend:
    """Does jobs in Ray actors, each of which opens the work once and has at most two jobs at a time.

    A lost worker is replaced, and its job given to another. New nodes get workers while the build runs. The actors die
    with the driver; Ray itself is shut down only if this backend started it, and a process that is connected to a
    cluster already stays so. Every node must have phosphene installed, in the driver's version: no code is sent.

    Attributes:
        address: of a running cluster, "host:port", from a machine that belongs to it; "local" for a new one on this
            machine, which ends with the run. None is what ``RAY_ADDRESS`` says, else "local".
        workers: how many; None for as many as the cluster has room for, also as it grows and shrinks. A number is asked
            for as a whole, which is what makes a cluster with an autoscaler grow.
        threads_per_worker: processor threads of each.
        gpus_per_worker: GPUs of each, or a share of one; None is 1 where the cluster has any, else 0.
        start_within_s: how long there may be no worker at all, as while nodes are started.

    Raises:
        ParameterError: a number out of range, or the address of Ray's client, by which a driver that is no part of the
            cluster would talk to it.
    """

    address: str | None = None
    _: KW_ONLY
    workers: int | None = None
    threads_per_worker: int = 1
    gpus_per_worker: float | None = None
    start_within_s: float = 900.0

    def __post_init__(self) -> None:
        address = self.address
        named = address is None or address == "local" or _port(address) is not None
        check(named, "address", address, '"host:port" of a cluster, or "local"')
        check(self.workers is None or self.workers >= 1, "workers", self.workers, "at least 1, or None")
        check(self.threads_per_worker >= 1, "threads_per_worker", self.threads_per_worker, "at least 1")
        check((self.gpus_per_worker or 0) >= 0, "gpus_per_worker", self.gpus_per_worker, "at least 0, or None")
        check(self.start_within_s > 0, "start_within_s", self.start_within_s, "more than 0")

    def run(self, jobs: Iterator[Job], work: Work) -> Iterator[Done | Lost]:
        """Do the jobs, in any order; closing the iterator ends the workers.

        Raises:
            MissingExtraError: the extra "ray" is not installed.
            ArgumentError: the work cannot be sent to another process.
            ClusterError: no cluster answers, or no worker could be started in time, or ten in a row were killed before
                one was open. Also what the work raises: in opening, once three failures in a row left no worker; in a
                job, the third time.
        """
        waiting = Waiting(jobs)
        if not waiting:
            return
        ray = _library()
        with _connected(ray, self):
            gpus = self.gpus_per_worker
            gpus = float("GPU" in ray.cluster_resources()) if gpus is None else gpus
            n_wanted = partial(_n_wanted, ray, self, gpus)
            posts = Posts(_sent(ray, work), n_wanted, self.threads_per_worker, gpus, self.start_within_s)
            crew = Crew(ray, posts, waiting)
            try:
                yield from crew.do()
            finally:
                crew.dismiss()


def _n_wanted(ray: Any, backend: RayBackend, gpus: float) -> int:
    if backend.workers is not None:
        return backend.workers
    shares = (("CPU", backend.threads_per_worker), ("GPU", gpus))
    alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return sum(min(int(has.get(kind, 0) / share + 1e-6) for kind, share in shares if share) for has in alive)


def _sent(ray: Any, work: Work) -> Any:
    try:
        return ray.put(work)
    except (TypeError, AttributeError, ValueError, pickle.PicklingError) as error:
        why = str(error.__cause__ or error).partition("\n")[0]  # Ray adds pages
        raise ArgumentError(
            f"the work cannot be sent to other processes: {why}; give a network by its name, or one that pickles"
        ) from error


def _library() -> Any:
    with _environment():
        try:
            import ray
        except ModuleNotFoundError as error:
            if error.name != "ray":
                raise
            raise MissingExtraError("a build on Ray", "ray") from None
        return ray


@contextlib.contextmanager
def _connected(ray: Any, backend: RayBackend) -> Generator[None]:
    """A connection to the cluster while the block lasts; one that is there before stays as it is."""
    if ray.is_initialized():
        yield
        return
    address = backend.address or os.environ.get("RAY_ADDRESS") or "local"
    n_cpus = None if address != "local" or backend.workers is None else backend.workers * backend.threads_per_worker
    handler = signal.getsignal(signal.SIGTERM)
    try:
        _connect(ray, address, n_cpus)
        yield
    finally:
        ray.shutdown()
        if handler is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)  # Ray puts one of its own there


def _connect(ray: Any, address: str, n_cpus: int | None) -> None:
    if (port := _port(address)) is not None:
        _check_answers(address, address.rpartition(":")[0], port)
    try:
        with _environment():
            ray.init(address, num_cpus=n_cpus, include_dashboard=False, log_to_driver=False, configure_logging=False)
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
        raise ClusterError(_unanswered(address, str(error))) from error


def _check_answers(address: str, host: str, port: int) -> None:
    try:
        socket.create_connection((host.strip("[]"), port), ANSWER_S).close()
    except OSError as error:
        raise ClusterError(_unanswered(address, str(error))) from error


def _unanswered(address: str, why: str) -> str:
    return f"no Ray cluster answers at {address}: {why}; see `ray status` there, or start one by `ray start --head`"


def _port(address: str) -> int | None:
    """The port of "host:port"; None where the address has another form."""
    host, _, port = address.rpartition(":")
    return int(port) if host and "/" not in host and port.isascii() and port.isdigit() and int(port) < 2**16 else None


@contextlib.contextmanager
def _environment() -> Generator[None]:
    """Ray's settings, where the user has none of their own, while the block lasts."""
    added = {name: value for name, value in _QUIET if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)
