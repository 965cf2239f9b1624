"""Tables and the plot of the comparison of evolution's optimizers."""

from __future__ import annotations

import platform
from collections import defaultdict
from collections.abc import Iterable
from statistics import fmean

import torch
from matplotlib.figure import Figure
from tables import align, verdict

FIGURES = {"shown": "best shown", "recommended": "recommended", "observed": "best observed"}
TITLES = {
    "faces": "Faces of a DCGAN (100 numbers) and units of EfficientNet-Lite0",
    "cosine": "Cosine unit (4,096 numbers)",
}
_HEAD = """# Evolution: the optimizers compared

`make evolution` after Wang and Ponce (2022): {evaluations} evaluations of each unit by each optimizer, 40 candidates a
generation (20 in XDream's setting), scores multiplied by max(0, 1 + sd · N(0, 1)). {n} runs, torch {torch}, Python
{python}.

All figures are scores **without noise**, divided by the highest of that unit in any run, and averaged. *Best
shown* is the best of all images that were shown, which only a simulation knows (Wang and Ponce's figure);
*recommended* is what the search recommends at the end, *best observed* the image whose noisy score was highest.
"""


def report(rows: list[dict]) -> str:
    """All tables, in Markdown."""
    head = _HEAD.format(
        evaluations=", ".join(sorted({f"{row['evaluations']:,}" for row in rows})),
        n=len(rows),
        torch=torch.__version__,
        python=platform.python_version(),
    )
    parts = [head]
    for name, some in _grouped(rows, "setting").items():
        parts.append(f"## {TITLES[name]}\n\n{_counts(some)}\n")
        parts.append("\n".join(align(_table(some))) + "\n")
        if name == "faces":
            parts.append("By unit, best shown, mean over the noise levels:\n")
            parts.append("\n".join(align(_by_unit(some))) + "\n")
        parts.append("\n".join(_verdicts(name, some)) + "\n")
    return "\n".join(parts)


def _counts(rows: list[dict]) -> str:
    units = sorted({row["unit"] for row in rows})
    seeds = len({row["seed"] for row in rows})
    seconds = fmean(row["cpu_s"] for row in rows)
    return (
        f"{len(units)} units ({', '.join(units)}), seeds: {seeds}; {seconds:.1f} s a run on one core, scoring included."
    )


def _normalized(rows: list[dict], figure: str) -> dict[tuple[str, float], float]:
    """Mean normalised figure by optimizer and noise level."""
    top = {unit: max(row[each] for row in some for each in FIGURES) for unit, some in _grouped(rows, "unit").items()}
    cells: dict[tuple[str, float], list[float]] = defaultdict(list)
    for row in rows:
        cells[row["optimizer"], row["noise"]].append(row[figure] / top[row["unit"]])
    return {cell: fmean(values) for cell, values in cells.items()}


def _table(rows: list[dict]) -> list[list[str]]:
    levels, names = _levels(rows), _names(rows)
    found = {figure: _normalized(rows, figure) for figure in FIGURES}
    head = ["optimizer", *(f"{title}, noise {level:g}" for title in FIGURES.values() for level in levels)]
    return [head, *([name, *(f"{found[f][name, level]:.2f}" for f in FIGURES for level in levels)] for name in names)]


def _by_unit(rows: list[dict]) -> list[list[str]]:
    units = list(_grouped(rows, "unit"))
    cells: list[list[str]] = [["optimizer", *units]]
    for name in _names(rows):
        line = [name]
        for unit in units:
            some = [row for row in rows if row["unit"] == unit]
            found = _normalized(some, "shown")
            line.append(f"{fmean(found[name, level] for level in _levels(some)):.2f}")
        cells.append(line)
    return cells


def _verdicts(setting: str, rows: list[dict]) -> Iterable[str]:
    found = _normalized(rows, "shown")
    least = {"cosine": 1.8, "faces": 1.0}[setting]
    ratio = found["CMA-ES iso", 0.0] / found["Genetic, Wang & Ponce", 0.0]
    yield verdict("without noise, CMA-ES iso over the published genetic setting (best shown)", ratio, least=least)
    if setting == "cosine":
        gap = abs(found["CMA-ES iso", 0.0] - found["CMA-ES cholesky", 0.0])
        yield verdict("without noise, CMA-ES iso and cholesky differ by", gap, most=0.03)
        raw = [row["shown"] for row in rows if row["optimizer"] == "CMA-ES iso" and row["noise"] == 0]
        yield verdict(
            "without noise, cosine that CMA-ES iso reaches (published measurement: .50)", fmean(raw), least=0.45
        )


def plot(rows: list[dict]) -> Figure:
    """Best shown (bars) and recommended (dots) by optimizer and noise level, a panel for each setting."""
    groups = _grouped(rows, "setting")
    figure = Figure(figsize=(6.5 * len(groups), 5), layout="constrained")
    shades = ("#1b4965", "#5fa8d3", "#cae9ff")
    for i, (name, some) in enumerate(groups.items()):
        names, levels = _names(some), _levels(some)
        axes = figure.add_subplot(1, len(groups), i + 1, title=TITLES[name], ylim=(0, 1.18))
        axes.set_ylabel("score without noise / highest of all runs")
        shown, recommended = _normalized(some, "shown"), _normalized(some, "recommended")
        width = 0.8 / len(levels)
        for k, level in enumerate(levels):
            places = [j + (k - (len(levels) - 1) / 2) * width for j in range(len(names))]
            axes.bar(places, [shown[n, level] for n in names], width, color=shades[k], label=f"noise {level:g}")
            dots = [recommended[n, level] for n in names]
            axes.scatter(places, dots, s=14, color="#b5460f", zorder=3, label="recommended" if k == 0 else None)
        axes.set_xticks(range(len(names)), names, rotation=35, ha="right")
        axes.legend(fontsize="small", ncols=len(levels) + 1, loc="upper center")
    return figure


def _names(rows: list[dict]) -> list[str]:
    return list(_grouped(rows, "optimizer"))


def _levels(rows: list[dict]) -> list[float]:
    return sorted({row["noise"] for row in rows})


def _grouped(rows: list[dict], key: str) -> dict[str, list[dict]]:
    """The rows by a column, in the order of their first appearance."""
    groups: dict[str, list[dict]] = defaultdict(list)
    for row in rows:
        groups[row[key]].append(row)
    return dict(groups)
