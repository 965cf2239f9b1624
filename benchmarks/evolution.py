"""The optimizers compared as Wang and Ponce (2022) did: units × noise levels, 3,000 evaluations, 40 at a time.

``python benchmarks/evolution.py [--quick] [--seeds N]``

Every run is written as it ends, one line in ``results/evolution.jsonl``; those that are there are not run again, so
that the comparison can be broken off and goes on. It ends with the tables ``results/evolution.md`` and the plot
``results/evolution.png``. About 25 minutes on one core.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import torch
from evolution_report import plot, report
from evolution_runs import NOISE_LEVELS, Setting, cosine, faces, run

RESULTS = Path(__file__).parent / "results"
KEYS = ("setting", "unit", "optimizer", "noise", "seed", "evaluations")


def main() -> int:
    options = _options()
    torch.set_num_threads(1)
    name = "evolution-quick" if options.quick else "evolution"
    journal = RESULTS / f"{name}.jsonl"
    cases = list(_cases(options))
    wanted = {_key(case) for case in cases}
    done = {_key(row): row for row in _read(journal)}
    missing = [case for case in cases if _key(case) not in done]
    settings = {"faces": faces, "cosine": cosine}
    opened: dict[str, Setting] = {}
    for i, case in enumerate(missing, 1):
        setting = opened.setdefault(case["setting"], settings[case["setting"]]())
        how = {key: case[key] for key in ("noise", "seed", "evaluations")}
        row = run(setting, case["unit"], case["optimizer"], **how)
        done[_key(row)] = row
        with journal.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(row) + "\n")
        print(
            f"{i}/{len(missing)} {case['unit']}, {case['optimizer']}, noise {case['noise']}: {row['shown']:.3g}",
            flush=True,
        )
    rows = [row for key, row in done.items() if key in wanted]
    (RESULTS / f"{name}.md").write_text(report(rows), encoding="utf-8")
    plot(rows).savefig(RESULTS / f"{name}.png", dpi=110)
    print(report(rows))
    return 0


def _cases(options: argparse.Namespace) -> Iterator[dict]:
    """All runs; the cheap setting first, seeds last, so that a broken-off comparison is an even one."""
    for setting, seeds in ((cosine(), 2 * options.seeds), (faces(), options.seeds)):
        chosen = setting.units[::3] if options.quick else setting.units
        for seed, unit, noise, optimizer in itertools.product(range(seeds), chosen, NOISE_LEVELS, setting.optimizers):
            evaluations = 400 if options.quick else 3000
            values = (setting.name, unit, optimizer, noise, seed, evaluations)
            yield dict(zip(KEYS, values, strict=True))


def _key(row: dict) -> tuple:
    return tuple(row[key] for key in KEYS)


def _read(journal: Path) -> list[dict]:
    """The runs that are there; a last line that was cut off does not count."""
    if not journal.is_file():
        return []
    lines = journal.read_text(encoding="utf-8").split("\n")
    if lines[-1]:
        journal.write_text("\n".join(lines[:-1]) + "\n" * (len(lines) > 1), encoding="utf-8")
    return [json.loads(line) for line in lines[:-1]]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="400 evaluations and a third of the units: does it work?")
    parser.add_argument("--seeds", type=int, default=1, help="searches of each unit, optimizer and noise level")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
