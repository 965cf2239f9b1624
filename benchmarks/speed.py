"""Milliseconds per image and step of phosphene, of the bare pass and of the peers, side by side (`make bench`).

Each measurement is a fresh process (peers leave hooks and memory behind); all contenders take turns, several rounds of
them, so that a slow minute of the machine hits everyone. The first steps of each run are dropped. Medians and minima
are over all rounds. Memory: peak above what was resident before the render, per image; and how much resident memory
grows over the second half of the steps.

The process that measures is this file again with `--worker`; it prints one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

from tables import align, verdict

HERE = Path(__file__).parent
RESULTS = HERE / "results"
LAYERS = ("blocks.8", "blocks.1")
BATCHES = (1, 8)
STEPS = {1: 24, 8: 10}
MEMORY_STEPS = 40
WARM_UP_STEPS = 3
N_THREADS = 2
CHANNELS = tuple(range(8))
BARE, BARE_TUNED = "bare pass", "bare pass, tuned malloc"
TUNED_MALLOC = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**31 - 1)}
"""glibc keeps large buffers instead of returning them to the kernel in each step."""
RENDERED = ("phosphene", "phosphene bfloat16", "phosphene 4 views", "torch-lucent", "dreamlens", "torch-dreams")
CONTENDERS = (BARE_TUNED, BARE, *RENDERED)
PEERS = RENDERED[3:]
LIMITS = {8: 1.25, 1: 1.35}
"""Greatest ratio to the bare pass for blocks.8, by batch."""
PEER_LIMITS = {"torch-lucent": 3.0, "dreamlens": 3.0, "torch-dreams": 1.0}

Cell = tuple[str, int]


def main() -> None:
    arguments = parse()
    if arguments.worker:
        print(json.dumps(work(arguments.worker, arguments.memory)))
        return
    report = measure(arguments.rounds, arguments.only or CONTENDERS)
    text = markdown(report)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "speed.json").write_text(json.dumps(report, indent=1) + "\n")
    (RESULTS / "speed.md").write_text(text)
    print(text)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="how often every contender has its turn")
    parser.add_argument("--only", nargs="+", choices=CONTENDERS, help="measure only these")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--memory", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


# --- the measuring process -----------------------------------------------------------------------------------------


def work(contender: str, memory: bool) -> dict[str, dict]:
    """Seconds per step of every cell, or the memory figures of the `blocks.8` cells."""
    import torch

    import phosphene as ph

    torch.set_num_threads(N_THREADS)
    net = ph.load("efficientnet_lite0")
    if memory:
        return {key((LAYERS[0], batch)): memory_of(contender, net, batch) for batch in BATCHES}
    cells = [(layer, batch) for layer in LAYERS for batch in BATCHES]
    return {key(cell): {"seconds": times_of(contender, net, cell), "views": views_of(contender)} for cell in cells}


def times_of(contender: str, net, cell: Cell) -> list[float]:
    layer, batch = cell
    n_steps = STEPS[batch] + WARM_UP_STEPS
    if contender in (BARE, BARE_TUNED):
        from bare import time_bare_pass, truncated_lite0

        cut = truncated_lite0(net.module, int(layer.partition(".")[2]) + 1)
        return time_bare_pass(cut, batch, n_steps)[WARM_UP_STEPS:]
    from clock import watch_steps
    from contenders import RENDERERS

    render = RENDERERS[contender]()
    with watch_steps() as steps:
        render(net, layer, CHANNELS[:batch], n_steps, 0)
    return steps.seconds_per_step(n_steps)[WARM_UP_STEPS:]


def views_of(contender: str) -> int:
    """Views of an image in a step; a peer's is one."""
    if contender != "phosphene 4 views":
        return 1
    from contenders import N_VIEWS

    return N_VIEWS


def memory_of(contender: str, net, batch: int) -> dict[str, float]:
    """MiB per image at the peak, above what was resident before; and MiB gained over the second half of the steps."""
    from clock import MIB, peak_bytes, reset_peak, resident_bytes, watch_steps
    from contenders import RENDERERS

    render = RENDERERS[contender]()
    render(net, LAYERS[0], CHANNELS[:1], 1, 0)
    reset_peak()
    before = resident_bytes()
    with watch_steps() as steps:
        render(net, LAYERS[0], CHANNELS[:batch], MEMORY_STEPS, 0)
    half = steps.resident_bytes[len(steps.resident_bytes) // 2]
    return {
        "peak_mib_per_image": (peak_bytes() - before) / MIB / batch,
        "growth_mib": (steps.resident_bytes[-1] - half) / MIB,
    }


# --- the process that asks -----------------------------------------------------------------------------------------


def measure(rounds: int, contenders: tuple[str, ...]) -> dict:
    samples: dict[str, dict[str, list[float]]] = {name: {} for name in contenders}
    views: dict[str, int] = {}
    for turn in range(rounds):
        for name in [*contenders[turn % len(contenders) :], *contenders[: turn % len(contenders)]]:
            print(f"round {turn + 1} of {rounds}: {name}", file=sys.stderr, flush=True)
            for cell, figures in ask(name).items():
                samples[name].setdefault(cell, []).extend(figures["seconds"])
                views[name] = figures["views"]
    rendered = [name for name in contenders if name in RENDERED]
    return {
        "machine": machine(),
        "rounds": rounds,
        "ms_per_image_step": {
            name: {cell: summary(seconds, cell, views[name]) for cell, seconds in cells.items()}
            for name, cells in samples.items()
        },
        "views": views,
        "memory": {name: ask(name, memory=True) for name in rendered},
    }


def ask(contender: str, *, memory: bool = False) -> dict[str, dict]:
    """Run this file as a worker and read its last line."""
    command = [sys.executable, str(HERE / "speed.py"), "--worker", contender, *(["--memory"] if memory else [])]
    environment = {**os.environ, "OMP_NUM_THREADS": str(N_THREADS), "PYTHONWARNINGS": "ignore"}
    if contender == BARE_TUNED:
        environment |= TUNED_MALLOC
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{contender} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def summary(seconds: list[float], cell: str, views: int) -> dict[str, float]:
    """Milliseconds per image, step and view."""
    scale = 1e3 / int(cell.rpartition(" x ")[2]) / views
    return {"median": statistics.median(seconds) * scale, "min": min(seconds) * scale, "n": len(seconds)}


def key(cell: Cell) -> str:
    return f"{cell[0]} x {cell[1]}"


def machine() -> dict[str, str | int]:
    import torch

    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    model = next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor()
    )
    return {
        "cpu": model,
        "cores": os.cpu_count() or 0,
        "threads": N_THREADS,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "bfloat16": "avx512_bf16" in " ".join(lines),
    }


def markdown(report: dict) -> str:
    """The report as aligned Markdown tables."""
    times, memory = report["ms_per_image_step"], report["memory"]
    cells = [key((layer, batch)) for layer in LAYERS for batch in BATCHES]
    reference = BARE_TUNED if BARE_TUNED in times else next(iter(times))
    rows = [
        ["contender", *cells],
        *([name, *(figures(times, name, cell, reference) for cell in cells)] for name in times),
    ]
    memory_rows = [
        ["contender", "peak MiB/image x 1", "x 8", "growth MiB x 1", "x 8"],
        *map(memory_row, memory, memory.values()),
    ]
    described = ", ".join(f"{name} {value}" for name, value in report["machine"].items())
    return "\n".join(
        [
            "# Speed",
            "",
            f"{described}; {report['rounds']} interleaved rounds; 224 px.",
            "Milliseconds per image and step, per view where there are several:"
            f" median / minimum (median over that of the {reference}).",
            "",
            *align(rows),
            "",
            *verdicts(times, reference),
            "",
            f"Memory of `{LAYERS[0]}`: peak per image above what was resident before;"
            f" growth over the last half of {MEMORY_STEPS} steps.",
            "",
            *align(memory_rows),
            "",
        ]
    )


def figures(times: dict, name: str, cell: str, reference: str) -> str:
    here, bare = times[name][cell], times[reference][cell]
    return f"{here['median']:.1f} / {here['min']:.1f} ({here['median'] / bare['median']:.2f})"


def memory_row(name: str, cells: dict[str, dict[str, float]]) -> list[str]:
    columns = [cells[key((LAYERS[0], batch))] for batch in BATCHES]
    return [name, *(f"{c['peak_mib_per_image']:.0f}" for c in columns), *(f"{c['growth_mib']:+.1f}" for c in columns)]


def verdicts(times: dict, reference: str) -> list[str]:
    """One line for each limit: reached or not, with its figure (medians)."""
    if "phosphene" not in times:
        return []
    ours = times["phosphene"]
    lines = [
        verdict(
            f"at most {limit} x the {reference} for {cell}",
            ours[cell]["median"] / times[reference][cell]["median"],
            most=limit,
        )
        for batch, limit in LIMITS.items()
        for cell in [key((LAYERS[0], batch))]
    ]
    for peer in (name for name in PEERS if name in times):
        ratio = min(times[peer][cell]["median"] / ours[cell]["median"] for cell in ours)
        lines.append(
            verdict(
                f"at least {PEER_LIMITS[peer]:g} x faster than {peer} in every cell", ratio, least=PEER_LIMITS[peer]
            )
        )
    return lines


if __name__ == "__main__":
    main()
