"""What a generation of ask and tell costs, in milliseconds and memory, beside pycma and cmaes.

``python benchmarks/evolution_cost.py [--quick]``; about four minutes, most of them pycma's full covariance at 4,096
numbers. Every contender has a process of its own, all of which wait in turn: their generations are interleaved, so that
whatever else the machine does befalls all alike. Writes ``results/evolution_cost.md``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from statistics import median

from clock import MIB
from evolution_cost_child import OURS, answer
from tables import align, verdict

RESULTS = Path(__file__).parent / "results"
LIMIT_MS = 50.0
N_GENERATIONS = 75
#: Contenders of which a generation takes seconds get as many as fit into that time.
PATIENCE_S = 60.0
PEERS = ("pycma, full", "pycma, diagonal", "cmaes CMA", "cmaes SepCMA")
#: O(n³) by design, or GiB of matrices: not at 4,096 numbers.
SMALL_ONLY = ("phosphene CMAES full", "cmaes CMA")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="ten generations, pycma's full covariance left out")
    parser.add_argument("--child", nargs=2, metavar=("CONTENDER", "DIM"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        return answer(options.child[0], int(options.child[1]))
    n = 10 if options.quick else N_GENERATIONS
    parts = [_HEAD.format(n=n, cpu=_cpu(), python=platform.python_version())]
    measured: dict[tuple[str, int], dict] = {}
    for dim in (4096, 100):
        names = [name for name in (*OURS, *PEERS) if dim < 1000 or name not in SMALL_ONLY]
        names = [name for name in names if not (options.quick and dim > 1000 and name == "pycma, full")]
        found = _interleaved(names, dim, n)
        measured |= {(name, dim): row for name, row in found.items()}
        parts += [f"## {dim:,} numbers, 40 candidates\n", "\n".join(align(_table(found))), ""]
    worst = max(measured["phosphene CMAES (default)", dim]["max_ms"] for dim in (4096, 100))
    parts.append(verdict("milliseconds of the default's slowest generation", worst, most=LIMIT_MS))
    name = "evolution_cost-quick.md" if options.quick else "evolution_cost.md"
    (RESULTS / name).write_text("\n".join(parts) + "\n", encoding="utf-8")
    print("\n".join(parts))
    return 0


_HEAD = """# Evolution: what a generation costs

`python benchmarks/evolution_cost.py`: ask for 40 codes and tell their scores, {n} times (as often as 60 s allow where a
generation takes seconds; `generations` says how often), one thread, {cpu}, Python {python}. Milliseconds of the
processor, so that what else the machine does counts little. The
contenders' generations are interleaved. *Memory* is the most that the process has had above what it had before the
search was made; *state* is what a saved search takes: tensors for phosphene, a pickle for the others.
"""


def _interleaved(names: list[str], dim: int, n: int) -> dict[str, dict]:
    """Figures of every contender; a generation of each in turn, in a process of its own."""
    children = {name: _started(name, dim) for name in names}
    times: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(n):
        for name, child in children.items():
            if sum(times[name]) < PATIENCE_S:
                times[name].append(_asked(child, "generation")["s"])
    found = {name: _asked(child, "end") for name, child in children.items()}
    for child in children.values():
        child.wait(timeout=60)
    for name, values in times.items():
        print(name, dim, f"{1000 * median(values):.2f} ms", flush=True)
        found[name] |= {"median_ms": 1000 * median(values), "max_ms": 1000 * max(values), "n": len(values)}
    return found


def _started(name: str, dim: int) -> subprocess.Popen:
    command = [sys.executable, __file__, "--child", name, str(dim)]
    threads = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "MKL", "OPENBLAS")}
    child = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **threads}
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n", f"{name} did not start"
    return child


def _asked(child: subprocess.Popen, what: str) -> dict:
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(what + "\n")
    child.stdin.flush()
    return json.loads(child.stdout.readline())


def _table(found: dict[str, dict]) -> list[list[str]]:
    head = ["search", "ms, median", "ms, max", "generations", "memory, MiB", "state, MiB"]
    rows = [
        [
            name,
            f"{row['median_ms']:.1f}",
            f"{row['max_ms']:.1f}",
            str(row["n"]),
            f"{row['memory'] / MIB:.1f}",
            f"{row['state'] / MIB:.2f}",
        ]
        for name, row in found.items()
    ]
    return [head, *rows]


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


if __name__ == "__main__":
    sys.exit(main())
