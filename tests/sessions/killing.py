"""Run by ``test_kills.py`` in a process of its own: lives of a session that end by SIGKILL, each in a fork.

``killing.py calls DIR``: a life is killed before, after and within every k-th write that it does.
``killing.py moments DIR N GENERATIONS LONGEST_S``: lives are killed at random moments until N were.
``killing.py folders DIR N GENERATIONS LONGEST_S``: the same for lives of the folder protocol's loop.

Prints a JSON object with what was done.
"""

from __future__ import annotations

import csv
import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import rigs
import torch

from phosphene.sessions import Session, run_folder

WRITES = ("open", "write", "fsync", "ftruncate", "replace", "mkdir", "unlink")


def live(directory: Path, generations: int, seed: int, hook: Callable[[], None] = lambda: None) -> None:
    """Go on with a session to its end, some trials at a time; what was acknowledged is noted in a side file."""
    draw = random.Random(seed)
    notes = os.open(directory.with_suffix(".acknowledged"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    plain_write = os.write
    hook()
    with Session.open(directory) as session:
        while session.n_finished < generations:
            waiting = list(session.ask())
            draw.shuffle(waiting)
            trials = rigs.answered(waiting[: draw.randint(1, len(waiting))], lost=0.1)
            session.tell(trials)
            plain_write(notes, "".join(f"{t.stimulus} {t.trial}\n" for t in trials).encode())


def forked(life: Callable[[], None]) -> int:
    """The child's number; it runs a life and ends."""
    child = os.fork()
    if child:
        return child
    try:
        life()
        os._exit(0)
    except BaseException as error:
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
        os._exit(1)


def ended(child: int) -> int:
    status = os.waitpid(child, 0)[1]
    return os.waitstatus_to_exitcode(status)


def killed_at(k: int, when: str) -> Callable[[], None]:
    """What makes the k-th write of this process its last: killed before it, after it, or within it."""
    count = [0]

    def wrap(name: str) -> None:
        plain = getattr(os, name)

        def call(*args, **kwargs):
            count[0] += 1
            if count[0] == k:
                if when == "within" and name == "write":
                    plain(args[0], bytes(args[1])[: max(1, len(args[1]) // 2)])
                elif when == "after":
                    plain(*args, **kwargs)
                os.kill(os.getpid(), signal.SIGKILL)
            return plain(*args, **kwargs)

        setattr(os, name, call)

    return lambda: [wrap(name) for name in WRITES] and None


def check(directory: Path, expected: tuple[list, dict[str, str]]) -> None:
    """That nothing is lost or doubled, and all is as if nothing had happened."""
    trials = rigs.told(directory)
    keys = [key[:2] for key in trials]
    assert len(keys) == len(set(keys)), "a trial is doubled"
    acknowledged = {tuple(line.split()) for line in directory.with_suffix(".acknowledged").read_text().splitlines()}
    missing = acknowledged - {(stimulus, str(trial)) for stimulus, trial in keys}
    assert not missing, f"lost: {missing}"
    assert sorted(map(repr, trials)) == expected[0], "other trials than without a kill"
    for found in (rigs.bits(Session.read(directory)), _replayed(directory)):
        assert found == expected[1], "another state than without a kill"
    leftovers = list(directory.rglob(".phosphene-*"))
    assert not leftovers, leftovers


def _replayed(directory: Path) -> dict[str, str]:
    """The state by the journal alone."""
    copy = directory.with_suffix(".copy")
    shutil.copytree(directory, copy)
    shutil.rmtree(copy / "state")
    found = rigs.bits(Session.read(copy))
    shutil.rmtree(copy)
    return found


def created(directory: Path) -> Path:
    Session.create(directory, rigs.plan(missing="again", attempts=3), rigs.references())
    return directory


def uninterrupted(directory: Path, generations: int) -> tuple[list, dict[str, str]]:
    created(directory)
    with Session.open(directory) as session:
        rigs.finish(session, generations, lost=0.1)
        return sorted(map(repr, rigs.told(directory))), rigs.bits(session)


def calls(root: Path, generations: int) -> dict[str, int]:
    expected = uninterrupted(root / "whole", generations)
    n_kills = 0
    for when in ("before", "after", "within"):
        k, status = 0, -signal.SIGKILL
        while status == -signal.SIGKILL:
            k += 1
            directory = created(root / f"{when}{k}")
            hook = killed_at(k, when)
            status = ended(forked(lambda d=directory, k=k, hook=hook: live(d, generations, k, hook)))
            assert status in (0, -signal.SIGKILL), status
            n_kills += status != 0
            # Another life, with other portions of trials.
            assert ended(forked(lambda d=directory, k=k: live(d, generations, k + 1000))) == 0
            check(directory, expected)
            shutil.rmtree(directory)
    return {"kills": n_kills}


def moments(root: Path, n: int, generations: int, longest_s: float) -> dict[str, int]:
    expected = uninterrupted(root / "whole", generations)
    draw = random.Random(0)
    n_kills = n_sessions = lives = 0
    while n_kills < n:
        directory = created(root / f"session{n_sessions}")
        n_sessions += 1
        status = 1
        while status:
            lives += 1
            child = forked(lambda d=directory, seed=lives: live(d, generations, seed))
            if n_kills < n:
                time.sleep(draw.uniform(0, longest_s))
                os.kill(child, signal.SIGKILL)
            status = ended(child)
            assert status in (0, -signal.SIGKILL), status
            n_kills += status != 0
        check(directory, expected)
    return {"kills": n_kills, "sessions": n_sessions}


def answer(blocks: Path) -> None:
    """Write a file of responses into every folder that has none; a tenth of the rows is missing."""
    for folder in blocks.glob("gen_*"):
        if (folder / "responses.csv").exists():
            continue
        rows = ["stimulus,trial,response_0,response_1"]
        for row in csv.DictReader((folder / "manifest.csv").read_text().splitlines()):
            draw = random.Random(f"{row['stimulus']} {row['trial']}")
            if draw.random() > 0.1:
                rows.append(f"{row['stimulus']},{row['trial']},{draw.random()},{draw.random()}")
        (folder / ".new").write_text("\n".join(rows) + "\n")
        (folder / ".new").replace(folder / "responses.csv")


def loop(directory: Path, generations: int) -> None:
    with Session.open(directory) as session:
        run_folder(session, generations=generations, poll_s=0.002, settle_s=0.0, patience_s=0.0, timeout_s=30.0)


def watched(directory: Path, generations: int, until: float) -> int:
    """A life of the loop with a rig beside it, killed when the time has come; its status."""
    child = forked(lambda: loop(directory, generations))
    while (done := os.waitpid(child, os.WNOHANG)) == (0, 0):
        answer(directory / "blocks")
        if time.monotonic() >= until:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.001)
    return os.waitstatus_to_exitcode(done[1])


def folders(root: Path, n: int, generations: int, longest_s: float) -> dict[str, int]:
    draw = random.Random(0)
    n_kills = n_sessions = 0
    expected = None
    while n_kills < n:
        directory = root / f"session{n_sessions}"
        Session.create(directory, rigs.plan(repeats=2), rigs.references())
        directory.with_suffix(".acknowledged").touch()
        status = 1
        while status:
            # The first session is left alone: all others must end as it does.
            longest = draw.uniform(0, longest_s) if expected and n_kills < n else 1e9
            status = watched(directory, generations, time.monotonic() + longest)
            assert status in (0, -signal.SIGKILL), status
            n_kills += status != 0
        expected = expected or (sorted(map(repr, rigs.told(directory))), rigs.bits(Session.read(directory)))
        check(directory, expected)
        n_sessions += 1
    return {"kills": n_kills, "sessions": n_sessions}


if __name__ == "__main__":
    torch.set_num_threads(1)
    # A kill takes nothing back that the system was given: what waits for a disk only makes the test slow.
    os.fsync = lambda descriptor: None
    mode, folder, *numbers = sys.argv[1:]
    if mode == "calls":
        print(json.dumps(calls(Path(folder), int(numbers[0]))))
    else:
        mode = {"moments": moments, "folders": folders}[mode]
        print(json.dumps(mode(Path(folder), int(numbers[0]), int(numbers[1]), float(numbers[2]))))
