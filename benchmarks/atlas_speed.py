"""What an atlas costs beside its rendering, in this process; and what a second Ray worker brings
(`python benchmarks/atlas_speed.py`; needs two quiet cores).

In this process: a build of some units of four layers of the bundled network, with its default recipe: everything that
is not rendering (plan, jobs, encoding, parts, index, facts, packing) as a share of the rendering. Ray: the same jobs by
one worker and by two, each with one thread, in turns; the rate is that from the answer when each worker has given two,
in the mean, to the last. Runs in a network namespace, as the faults do.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from itertools import islice
from pathlib import Path

from atlas_sections import put
from tables import align, verdict

FAULTS = Path(__file__).parents[1] / "tests" / "atlas" / "faults"
LAYERS = ("stem.conv", "blocks.4", "blocks.10", "classifier")
CHILD_S = 7000
MAX_OVERHEAD_PERCENT, MIN_EFFICIENCY_PERCENT = 3.0, 85.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--units", type=int, default=32, help="of each layer, in this process")
    parser.add_argument("--jobs", type=int, default=20, help="of each run on Ray")
    parser.add_argument("--rounds", type=int, default=3, help="how often one worker and two take turns")
    parser.add_argument("--steps", type=int, help="of each picture, instead of the recipe's")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        Path(arguments.measure).write_text(json.dumps(measure(arguments, Path(arguments.measure).parent)))
        return
    sys.path.insert(0, str(FAULTS))
    from alone import run_alone

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        run_alone(__file__, *sys.argv[1:], "--measure", f"{folder}/seen.json", folder=folder, within_s=CHILD_S)
        seen = json.loads((folder / "seen.json").read_text())
    text = markdown(seen)
    put("speed", text)
    print(text)


# --- the measuring process -----------------------------------------------------------------------------------------


def measure(arguments: argparse.Namespace, folder: Path) -> dict:
    import torch

    import phosphene as ph

    torch.set_num_threads(1)
    net = ph.load("efficientnet_lite0")
    wishes = {"layers": LAYERS, "units": range(arguments.units)}
    wishes |= {"steps": arguments.steps} if arguments.steps else {}
    seen: dict = {"in_process": in_process(net, folder, wishes)}
    seen["rounds"] = [on_ray(net, folder, wishes, arguments.jobs, n) for n in range(arguments.rounds)]
    seen["arguments"] = {"units": arguments.units, "jobs": arguments.jobs, "steps": arguments.steps}
    return seen


def in_process(net, folder: Path, wishes: dict) -> dict:
    import phosphene as ph

    report = ph.atlas.build(net, str(folder / "here"), progress=False, **wishes)
    files = [path for path in (folder / "here").rglob("*") if path.is_file()]
    return {
        "pictures": report.n_rendered,
        "seconds": report.seconds,
        "rendering_s": report.rendering_s,
        "encoding_and_writing_s": report.worker_s - report.rendering_s,
        "bytes": sum(path.stat().st_size for path in files),
    }


def on_ray(net, folder: Path, wishes: dict, n_jobs: int, turn: int) -> dict:
    """Pictures a second of one worker and of two, and whether both made the same rows as a worker in this process."""
    import phosphene as ph
    from phosphene.atlas.backends.local import LocalBackend
    from phosphene.atlas.backends.ray import RayBackend
    from phosphene.atlas.jobs import jobs

    few = {**wishes, "layers": ("blocks.10",), "units": "all", "batch_size": 4}
    planned = list(islice(jobs(ph.atlas.plan(net, **few)), n_jobs))
    rates, rows = {}, {}
    orders = {"one": RayBackend("local", workers=1), "two": RayBackend("local", workers=2), "here": LocalBackend()}
    for name, backend in reversed(orders.items()) if turn % 2 else orders.items():
        chosen = planned[:2] if name == "here" else planned
        uri = str(folder / f"{name}-{turn}")
        rates[name], rows[name] = rate(net, uri, few, chosen, backend)
    same = all(rows["one"][key] == rows["two"][key] == row for key, row in rows["here"].items())
    return {"one": rates["one"], "two": rates["two"], "same": same and rows["one"] == rows["two"]}


def rate(net, uri: str, wishes: dict, chosen: list, backend) -> tuple[float, dict]:
    import phosphene as ph
    from phosphene.atlas.working import RenderWork
    from phosphene.store.atlas import create_atlas, open_atlas

    create_atlas(uri, ph.atlas.plan(net, **wishes))
    n_workers = getattr(backend, "workers", None) or 1
    times = []
    for _ in backend.run(iter(chosen), RenderWork(net, uri)):
        times.append(time.perf_counter())
    layer = chosen[0].layer
    rows = {one.id: replace(one, seconds=0.0) for one in open_atlas(uri).pictures(layer, None, None)}
    # The window opens late, so that what workers load and prepare is not counted.
    begun = times[2 * n_workers - 1]
    return len(chosen[0].pictures) * (len(times) - 2 * n_workers) / max(times[-1] - begun, 1e-9), rows


# --- the report ----------------------------------------------------------------------------------------------------


def markdown(seen: dict) -> str:
    here, rounds = seen["in_process"], seen["rounds"]
    overhead = 100 * (here["seconds"] / here["rendering_s"] - 1)
    shares = [100 * one["two"] / (2 * one["one"]) for one in rounds]
    efficiency = statistics.median(shares)
    rows = [["round", "one worker, pictures/s", "two workers, pictures/s", "of twice one, %"]]
    rows += [
        [str(n), f"{one['one']:.3f}", f"{one['two']:.3f}", f"{share:.1f}"]
        for n, (one, share) in enumerate(zip(rounds, shares, strict=True), 1)
    ]
    steps = seen["arguments"]["steps"]
    recipe = f"the default recipe at {steps} steps" if steps else "the default recipe"
    same = sum(one["same"] for one in rounds) / len(rounds)
    lines = [
        "## Speed",
        "",
        f"`python benchmarks/atlas_speed.py`: efficientnet_lite0, {recipe}, one thread for each worker, "
        f"{os.cpu_count()} cores, {platform.machine()}.",
        "",
        f"In this process: {here['pictures']} pictures of {len(LAYERS)} layers, {here['rendering_s']:.1f} s of "
        f"rendering, {here['encoding_and_writing_s']:.2f} s to encode and write, {here['seconds']:.1f} s in all, "
        f"{here['bytes'] / here['pictures']:.0f} bytes a picture.",
        "",
        *align(rows),
        "",
        verdict("store, plan and backend, percent of the rendering", overhead, most=MAX_OVERHEAD_PERCENT),
        verdict("two workers, percent of twice one (median)", efficiency, least=MIN_EFFICIENCY_PERCENT),
        verdict("same pictures on Ray and in this process, as a share", same, least=1),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
