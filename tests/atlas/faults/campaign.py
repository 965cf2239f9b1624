"""Builds of a small atlas on two nodes while workers, nodes and drivers are killed at random moments; a program that
writes, as JSON lines, what each build met and whether its atlas is the one that nobody disturbed. Every second atlas is
on an S3 store that throttles, fails and breaks off.

``campaign.py FOLDER N_EVENTS SEED STEPS``
"""

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
from pathlib import Path
from typing import Any

from alone import inside, own_network
from faulty_s3 import BUCKET, Faults, faulty_s3
from small_atlas import build, differing, opened, rows, state
from toy_runs import Rig

HERE = Path(__file__).parent
#: How often each kind of event is drawn, of ten, while there are workers; and how seldom a driver dies before.
KINDS = ("worker",) * 6 + ("driver",) * 3 + ("node",)
P_EARLY = 0.05
PAUSE_S = (0.2, 4.0)
MOST_S = 400
FAULTY_SHARE = 0.05


class Campaign:
    """A cluster, the atlas that is to come out, and what has happened so far."""

    def __init__(self, folder: Path, seed: int, steps: int) -> None:
        self.folder, self.steps, self.log = folder, steps, folder / "driver.log"
        self.chance = random.Random(seed)
        build(str(folder / "undisturbed"), steps=steps)
        self.wanted = rows(opened(str(folder / "undisturbed")))
        self.rig = Rig(folder)

    def run(self, uri: str, n_events: int) -> dict[str, Any]:
        """One build that is disturbed ``n_events`` times at most and then left in peace."""
        events = Counter[str]()
        started, driver = time.monotonic(), self._driver(uri)
        try:
            while (code := driver.poll()) is None or code != 0:
                if code is not None and code > 0:
                    raise AssertionError(self.log.read_text()[-4000:])
                if code is not None:  # killed by us: another one goes on
                    driver = self._driver(uri)
                if time.monotonic() - started > MOST_S:
                    raise AssertionError(f"{uri} takes more than {MOST_S} s: {dict(events)}")
                if sum(events.values()) >= n_events:
                    time.sleep(0.1)
                    continue
                time.sleep(self.chance.uniform(*PAUSE_S))
                events.update(self._disturb(driver))
        finally:
            driver.kill()
            driver.wait()
        folder = opened(uri)
        return {
            "uri": uri,
            "events": dict(events),
            "seconds": round(time.monotonic() - started, 1),
            "rows": len(self.wanted),
            "differing": differing(rows(folder), self.wanted),
            **state(folder),
        }

    def _driver(self, uri: str) -> subprocess.Popen[bytes]:
        options = (str(self.steps), "2", self.rig.cluster.address)
        command = [sys.executable, str(HERE / "atlas_driver.py"), uri, *options]
        with self.log.open("w") as log:
            return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log)

    def _disturb(self, driver: subprocess.Popen[bytes]) -> tuple[str, ...]:
        """Kill -9 something that the build needs; returns what, if anything."""
        pids = workers()
        if not pids and self.chance.random() > P_EARLY:
            return ()
        kind = self.chance.choice(KINDS) if pids else "driver"
        if kind == "node":
            self.rig.cluster.remove_node(self.rig.other, allow_graceful=False)
            self.rig.other = self.rig.add()
        elif kind == "worker":
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                os.kill(self.chance.choice(pids), signal.SIGKILL)
        else:
            driver.kill()
            driver.wait()
        return (kind,)


def workers() -> list[int]:
    """The processes of Ray's actors in this network namespace."""
    found = inside(own_network())
    return sorted(pid for pid in found if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"ray::Hand"))


def main(folder: str, n_events: str, seed: str, steps: str) -> None:
    campaign, left, n = Campaign(Path(folder), int(seed), int(steps)), int(n_events), 0
    faults = Faults(FAULTY_SHARE, int(seed))
    with Path(folder, "campaign.jsonl").open("w") as log, faulty_s3(faults) as port:
        os.environ["S3_PORT"] = str(port)
        while left > 0:
            place = f"s3://{BUCKET}" if n % 2 else folder
            seen = campaign.run(f"{place}/atlas-{n}", min(left, 10))
            log.write(json.dumps({**seen, "requests": dict(faults.met)}) + "\n")
            log.flush()
            faults.met.clear()
            left, n = left - sum(seen["events"].values()), n + 1


if __name__ == "__main__":
    main(*sys.argv[1:])
