"""How the default recipes were chosen: settings varied one at a time around a centre, judged as `quality.py` judges.

    python benchmarks/explore.py classes --vary views decay      # one table of all settings, best first
    python benchmarks/explore.py channels --vary low gain steps

The classes and channels are others than those of `quality.py`, so that its figures are not what was chosen for.
Each setting's pictures are kept as a contact sheet, since activation alone misleads: look at them.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace

import torch
from contenders import CLASSIFIER, SIZE, unit
from judge import CACHE, HERE, NO_DATA, Judge, data_folder
from sheets import save_sheet
from subjects import EXPLORATION_CLASSES, EXPLORATION_SEED, LAYERS, pick_channels
from tables import align
from torch import Tensor

import phosphene as ph

RESULTS = HERE / "results"
N_CHANNELS_PER_LAYER = 2
SHEET_COLUMNS = 5


@dataclass(frozen=True)
class Setting:
    """Everything that is varied, in phosphene's terms."""

    views: int = 4
    low: float = 0.2
    high: float = 1.0
    rotate_deg: float = 15.0
    noise: float = 0.02
    decay: float = 1.25
    gain: float = 0.55
    sd: float = 0.01
    lr: float = 0.05
    steps: int = 128

    def __str__(self) -> str:
        return " ".join(f"{name}={value:g}" for name, value in asdict(self).items())

    def render(self, net: ph.Network, layer: str, channels: tuple[int, ...]) -> Tensor:
        """Images (n 3 224 224) of the layer's channels."""
        result = ph.render(
            net,
            [unit(layer, channel) for channel in channels],
            ph.Fourier(SIZE, SIZE, decay=self.decay, gain=self.gain, sd=self.sd),
            transforms=ph.transforms.random_views(self.low, self.high, rotate_deg=self.rotate_deg, noise=self.noise),
            views=self.views,
            optimizer=ph.optimizers.Adam(lr=self.lr),
            steps=self.steps,
            progress=False,
        )
        return result.images


CENTRES = {
    "classes": Setting(),
    "channels": Setting(views=1, low=0.9, high=1.2, rotate_deg=10.0, decay=1.4, gain=0.36),
}
GRID: dict[str, tuple[float, ...]] = {
    "views": (1, 2, 4, 8),
    "low": (0.2, 0.35, 0.5, 0.8),
    "rotate_deg": (0.0, 10.0, 15.0, 30.0),
    "noise": (0.0, 0.02, 0.05, 0.1),
    "decay": (1.0, 1.25, 1.4, 1.5),
    "gain": (0.35, 0.55, 0.75, 1.0),
    "lr": (0.025, 0.05, 0.1),
    "steps": (64, 96, 128, 256),
}
GAIN_OF_DECAY = {1.0: 1.5, 1.25: 0.55, 1.4: 0.27, 1.5: 0.17}
"""Gains that start the image with the same standard deviation at 224 px: the spectrum's scale is not normalised."""


def main() -> None:
    arguments = parse()
    data = data_folder()
    if data is None:
        sys.exit(NO_DATA)
    judge = Judge(ph.load("efficientnet_lite0"), data)
    centre = replace(
        CENTRES[arguments.kind], **{name: type(getattr(Setting(), name))(value) for name, value in arguments.set}
    )
    subjects = subjects_of(arguments.kind, judge)
    rows = [figures(judge, setting, subjects) for setting in settings(centre, arguments.vary)]
    ranked = sorted(
        rows, key=lambda row: (row["top5" if arguments.kind == "classes" else "ratio"], row["natural"]), reverse=True
    )
    head = list(ranked[0])
    lines = align([head, *([shown(row[name]) for name in head] for row in ranked)])
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"explore-{arguments.kind}.md").write_text(
        "\n".join([f"# {arguments.kind}, best first", "", *lines, ""])
    )
    print("\n".join(lines))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=list(CENTRES))
    parser.add_argument("--vary", nargs="*", choices=list(GRID), default=list(GRID), help="settings to vary (all)")
    parser.add_argument(
        "--set", nargs="*", default=[], type=lambda text: text.split("="), metavar="NAME=VALUE", help="move the centre"
    )
    return parser.parse_args()


def settings(centre: Setting, names: list[str]) -> Iterator[Setting]:
    """The centre, then every value of each name with all else at the centre."""
    yield centre
    for name in names:
        for value in GRID[name]:
            setting = replace(centre, **{name: value})
            if name == "decay":
                setting = replace(setting, gain=GAIN_OF_DECAY[value])
            if setting != centre:
                yield setting


def subjects_of(kind: str, judge: Judge) -> list[tuple[str, tuple[int, ...]]]:
    """Layers and channels to render."""
    if kind == "classes":
        return [(CLASSIFIER, tuple(EXPLORATION_CLASSES.values()))]
    picked = pick_channels(judge.best, EXPLORATION_SEED, N_CHANNELS_PER_LAYER)
    return [(layer, picked[layer]) for layer in LAYERS]


def figures(judge: Judge, setting: Setting, subjects: list[tuple[str, tuple[int, ...]]]) -> dict[str, float | str]:
    """One row of the table; figures that are already there are not rendered again."""
    kind = "classes" if subjects[0][0] == CLASSIFIER else "channels"
    stem = f"{kind}_" + "_".join(f"{value:g}" for value in asdict(setting).values())
    path = CACHE / "explore" / f"{stem}.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(measured(judge, setting, subjects, stem)))
    row = json.loads(path.read_text())
    print(setting, {name: shown(value) for name, value in row.items()}, file=sys.stderr, flush=True)
    return {"setting": str(setting), **row}


def measured(
    judge: Judge, setting: Setting, subjects: list[tuple[str, tuple[int, ...]]], stem: str
) -> dict[str, float]:
    start = time.perf_counter()
    pictures = [setting.render(judge.net, layer, channels) for layer, channels in subjects]
    seconds = time.perf_counter() - start
    rows = [row for images, own in zip(pictures, subjects, strict=True) for row in judge.judge(images, *own)]
    own = class_figures(rows) if "rank" in rows[0] else channel_figures(rows)
    captions = [f"{row['p']:.2f} rank {row['rank']}" if "rank" in row else f"x{row['ratio']:.1f}" for row in rows]
    save_sheet(CACHE / "explore" / f"{stem}.png", torch.cat(pictures), captions, SHEET_COLUMNS)
    spectrum = {
        name: statistics.median(row[name] for row in rows) for name in ("high_frequency", "slope", "std", "clipped")
    }
    return {**own, **spectrum, "natural": natural(spectrum), "seconds": seconds}


def class_figures(rows: list[dict[str, float]]) -> dict[str, float]:
    return {
        "p95": statistics.fmean(row["p"] >= 0.95 for row in rows),
        "top5": statistics.fmean(row["rank"] <= 5 for row in rows),
        "top1": statistics.fmean(row["rank"] <= 1 for row in rows),
    }


def channel_figures(rows: list[dict[str, float]]) -> dict[str, float]:
    return {
        "ratio": statistics.median(row["ratio"] for row in rows),
        "least": min(row["ratio"] for row in rows),
        "kept": statistics.median(row["robustness"] for row in rows),
    }


def natural(spectrum: dict[str, float]) -> float:
    """How many of the limits of spectrum and contrast are kept, of four."""
    return float(
        (spectrum["high_frequency"] <= 0.13)
        + (-1.8 <= spectrum["slope"] <= -0.9)
        + (0.15 <= spectrum["std"] <= 0.30)
        + (spectrum["clipped"] < 0.05)
    )


def shown(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.3g}"


if __name__ == "__main__":
    main()
