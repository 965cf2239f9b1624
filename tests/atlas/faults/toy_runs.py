"""Toy jobs on a real cluster of two nodes, and what goes wrong with them; a program that
writes what it saw as JSON."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from toy import Toy, diary, finished, toy_jobs

from phosphene._version import __version__
from phosphene.atlas.backends import crew
from phosphene.atlas.backends.backend import Done, Lost
from phosphene.atlas.backends.ray import RayBackend
from phosphene.errors import PhospheneError

WAIT_S = 40


class Rig:
    """A cluster whose nodes have one core each, and a fresh folder for each run."""

    def __init__(self, folder: Path) -> None:
        from ray.cluster_utils import Cluster

        self._folder, self._n = folder, 0
        self.cluster = Cluster(initialize_head=True, head_node_args={**self._node(), "include_dashboard": False})
        self.other = self.add()

    def _node(self) -> dict:
        return {"num_cpus": 1, "object_store_memory": 80 * 2**20}

    def add(self):
        return self.cluster.add_node(**self._node())

    def new_folder(self) -> Path:
        self._n += 1
        return self._folder / str(self._n)

    def backend(self, **options) -> RayBackend:
        return RayBackend(self.cluster.address, **options)


def plain(rig: Rig) -> dict:
    folder = rig.new_folder()
    n_taken, ahead, answers = 0, 0, []

    def taken() -> Iterator:
        nonlocal n_taken
        for job in toy_jobs(40):
            n_taken += 1
            yield job

    for answer in rig.backend().run(taken(), Toy(str(folder), 0.02)):
        answers.append(answer.job.id)
        ahead = max(ahead, n_taken - len(answers))
    seen = diary(folder)
    return {
        "answers": sorted(answers),
        "finished": finished(folder),
        "ahead": ahead,
        "opened": Counter(entry.what for entry in seen)["open"],
        "nodes": len({entry.node for entry in seen}),
        "gone": until(lambda: not alive({entry.pid for entry in seen})),
    }


def killed_workers(rig: Rig) -> dict:
    """Workers die at random moments; a job that kills its worker is given up, and the others are done."""
    folder, chance = rig.new_folder(), random.Random(6)
    answers, killed = [], 0
    for answer in rig.backend().run(iter(toy_jobs(40)), Toy(str(folder), 0.05, poison=("0013",))):
        answers.append(answer)
        if len(answers) % 10 == 5:
            time.sleep(chance.random() * 0.1)
            living = [pid for pid in sorted({entry.pid for entry in diary(folder)}) if alive({pid})]
            if living:
                os.kill(chance.choice(living), signal.SIGKILL)
                killed += 1
    return {
        "done": sorted(answer.job.id for answer in answers if isinstance(answer, Done)),
        "lost": [(answer.job.id, answer.reason) for answer in answers if isinstance(answer, Lost)],
        "finished": finished(folder),
        "attempts": sum(entry.what == "0013" for entry in diary(folder)),
        "killed": killed,
    }


def errors(rig: Rig) -> dict:
    """What the work raises comes out as it is, after three attempts."""
    said = {}
    for name, options in {"bad job": {"bad": ("0003",)}, "changed": {"changed": True}}.items():
        folder = rig.new_folder()
        try:
            list(rig.backend().run(iter(toy_jobs(6)), Toy(str(folder), **options)))
        except PhospheneError as error:
            said[name] = [type(error).__name__, str(error)]
        said[f"{name} attempts"] = Counter(entry.what for entry in diary(folder))["0003"]
    return said


def refusals(rig: Rig) -> dict:
    """Builds that cannot begin."""
    cases = {
        "room": (rig.backend(threads_per_worker=64, start_within_s=1.0), Toy(str(rig.new_folder()))),
        "pickle": (rig.backend(), Toy(str(rig.new_folder()), bad=(name for name in "ab"))),
        "opening": (rig.backend(workers=1), Toy(str(rig.new_folder()), poison=("open",))),
        "version": (rig.backend(workers=1), Toy(str(rig.new_folder()))),
    }
    said, crew.MAX_DEATHS = {}, 3
    for name, (backend, work) in cases.items():
        crew.__version__ = "0.0" if name == "version" else __version__
        try:
            list(backend.run(iter(toy_jobs(2)), work))
        except PhospheneError as error:
            said[name] = [type(error).__name__, str(error)]
    crew.__version__ = __version__
    return said


def own_ray(rig: Rig) -> dict:
    """Without an address, Ray is started and ended, and leaves the process as it was."""
    import ray

    before = signal.getsignal(signal.SIGTERM)
    answers = list(RayBackend(workers=1).run(iter(toy_jobs(3)), Toy(str(rig.new_folder()))))
    kept = signal.getsignal(signal.SIGTERM) is before
    return {"answers": len(answers), "connected": ray.is_initialized(), "kept": kept}


def nodes_come_and_go(rig: Rig) -> dict:
    folder = rig.new_folder()
    answers, joined = [], 0.0
    for answer in rig.backend().run(iter(toy_jobs(300)), Toy(str(folder), 0.1)):
        answers.append(answer.job.id)
        if len(answers) == 20:
            rig.cluster.remove_node(rig.other, allow_graceful=False)
        if len(answers) == 60:
            rig.other, joined = rig.add(), time.time()
        if joined and any(entry.at > joined and entry.node == rig.other.node_id for entry in diary(folder)[-8:]):
            break
    return {"distinct": len(set(answers)), "answers": len(answers), "nodes": len({e.node for e in diary(folder)})}


def closed(rig: Rig) -> dict:
    """Closing the iterator ends the workers, and leaves no connection."""
    import ray

    folder = rig.new_folder()
    run = rig.backend().run(iter(toy_jobs(50)), Toy(str(folder), 0.2))
    next(run)
    before = alive({entry.pid for entry in diary(folder)})
    run.close()
    gone = until(lambda: not alive({entry.pid for entry in diary(folder)}))
    return {"before": before, "gone": gone, "connected": ray.is_initialized()}


def killed_driver(rig: Rig) -> dict:
    """The workers die with the driver; another driver finishes."""
    folder = rig.new_folder()
    here = Path(__file__)
    driver = subprocess.Popen([sys.executable, str(here.with_name("toy_driver.py")), rig.cluster.address, str(folder)])
    try:
        until(lambda: len(finished(folder)) >= 5)
    finally:
        driver.kill()
        driver.wait()
    pids = {entry.pid for entry in diary(folder)}
    gone = until(lambda: not alive(pids))
    before = finished(folder)
    rest = [job for job in toy_jobs(30) if job.id not in before]
    done = [answer.job.id for answer in rig.backend().run(iter(rest), Toy(str(folder), 0.02))]
    return {"before": len(before), "gone": gone, "done": len(done), "finished": finished(folder)}


def keeps_connection(rig: Rig) -> dict:
    """A process that is connected stays so."""
    import ray

    ray.init(rig.cluster.address, log_to_driver=False, configure_logging=False)
    try:
        answers = list(RayBackend(workers=1).run(iter(toy_jobs(3)), Toy(str(rig.new_folder()))))
        return {"answers": len(answers), "connected": ray.is_initialized()}
    finally:
        ray.shutdown()


def alive(pids: set[int]) -> int:
    """How many of the processes run; a zombie does not."""
    found = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            found += Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return found


def until(holds: Callable[[], bool], within_s: float = WAIT_S) -> bool:
    end = time.monotonic() + within_s
    while not (reached := holds()) and time.monotonic() < end:
        time.sleep(0.05)
    return reached


def main(folder: str, *names: str) -> None:
    rig = Rig(Path(folder))  # its processes end with the namespace, far sooner than when they are asked to
    for name in names:
        Path(folder, f"{name}.json").write_text(json.dumps(globals()[name](rig)))


if __name__ == "__main__":
    main(*sys.argv[1:])
