"""Atlases built on two Ray nodes while workers, nodes and drivers are killed at 100 random moments, half of them on an
S3 store that throttles, fails and breaks off (`python benchmarks/atlas_faults.py`).

The rig is that of tests/atlas/faults: everything runs in a network namespace with only the loopback device, on this
machine. Needs the extras atlas and ray, s3fs and moto[server].
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from pathlib import Path

from atlas_sections import put
from tables import align, verdict

FAULTS = Path(__file__).parents[1] / "tests" / "atlas" / "faults"
PART = 20
PART_S = 900


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=100, help="how often something is killed")
    parser.add_argument("--steps", type=int, default=60, help="of each picture")
    parser.add_argument("--seed", type=int, default=6)
    arguments = parser.parse_args()
    sys.path.insert(0, str(FAULTS))
    builds: list[dict] = []
    while (n_events := sum(sum(build["events"].values()) for build in builds)) < arguments.events:
        builds += campaign(min(PART, arguments.events - n_events), arguments.seed + len(builds), arguments.steps)
        put("faults", markdown(builds, arguments.steps))
        print(json.dumps(builds[-1]), flush=True)
    print(markdown(builds, arguments.steps))


def campaign(n_events: int, seed: int, steps: int) -> list[dict]:
    """What the builds of one campaign saw; a new cluster each time."""
    from alone import run_alone

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        command = (str(FAULTS / "campaign.py"), str(folder), str(n_events), str(seed), str(steps))
        run_alone(*command, folder=folder, within_s=PART_S)
        return [json.loads(line) for line in (folder / "campaign.jsonl").read_text().splitlines()]


def markdown(builds: list[dict], steps: int) -> str:
    events = sum((Counter(build["events"]) for build in builds), Counter())
    n_far = sum(build["uri"].startswith("s3://") for build in builds)
    requests = sum((Counter(build["requests"]) for build in builds), Counter())
    rows = [["what was killed -9", "times"], *([name, str(events[name])] for name in ("worker", "driver", "node"))]
    wrong = ("differing", "missing", "damaged", "doubled")
    counts = {name: sum(number(build[name]) for build in builds) for name in wrong}
    lines = [
        "## Faults",
        "",
        f"`python benchmarks/atlas_faults.py`: {len(builds)} builds of a small atlas ({builds[0]['rows']} pictures, "
        f"{steps} steps) on two nodes of one Ray cluster, {n_far} of them on an S3 store; "
        f"{sum(events.values())} times something was killed at a random moment. Every row of every finished atlas is "
        "compared with the undisturbed one, in everything but seconds.",
        "",
        *align(rows),
        "",
        f"Requests of the S3 builds: {sum(requests.values())}, of which "
        + ", ".join(f"{requests[name]} {name}" for name in sorted(requests) if name != "none")
        + ".",
        "",
        verdict("rows that differ, are missing, damaged or doubled in the end", sum(counts.values()), most=0),
        verdict("builds that ended whole, as a share", sum(b["whole"] for b in builds) / len(builds), least=1),
    ]
    return "\n".join(lines)


def number(found: int | list) -> int:
    return len(found) if isinstance(found, list) else found


if __name__ == "__main__":
    main()
