"""Picture quality of the default recipes beside the peers' defaults, at equal steps, in one run (`make quality`).

Classes are judged by the network itself, by Darknet-tiny, which no picture is optimised for, and by a person (the
sheets); channels by their activation against the best photograph's and by how much of it survives held-out views; all
by spectrum and contrast.
Every batch that is rendered is kept under `.cache`, so that a run that is broken off goes on where it was.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from contenders import CLASSIFIER, PEERS, Renderer, peer_renderer, phosphene_renderer, unit
from judge import CACHE, HERE, NO_DATA, Judge, data_folder
from metrics import photo_appearance
from sheets import save_sheet
from subjects import CLASSES, LAYERS, pick_channels
from tables import align, verdict
from torch import Tensor

import phosphene as ph

RESULTS = HERE / "results"
OURS = "phosphene"
SEEDS = (0, 1, 2)
BATCH = 10
"""Images rendered together; every method gets the same batches."""
P_CLEAR = 0.95
TOP = 5
APPEARANCE = ("high_frequency", "slope", "std", "clipped")
QUICK_CLASSES, QUICK_CHANNELS, QUICK_STEPS = 4, 1, 32


@dataclass(frozen=True)
class Batch:
    """One call of a renderer."""

    method: str
    layer: str
    channels: tuple[int, ...]
    seed: int
    steps: int

    def path(self, version: str) -> Path:
        """Where its images are kept; `version` tells recipes and packages apart."""
        text = json.dumps([self.method, self.layer, self.channels, self.seed, self.steps, version])
        return CACHE / "renders" / f"{self.method}_{self.layer}_{hashlib.sha256(text.encode()).hexdigest()[:16]}.pt"


def main() -> None:
    arguments = parse()
    data = data_folder()
    if data is None:
        sys.exit(NO_DATA)
    net = ph.load("efficientnet_lite0")
    judge = Judge(net, data)
    methods = [OURS, *(arguments.peers if arguments.peers is not None else PEERS)]
    rows: list[dict] = []
    for batch in batches(judge, methods, quick=arguments.quick, peer_seeds=arguments.peer_seeds):
        images = rendered(net, batch, fresh=arguments.fresh)
        rows += records(judge, batch, images)
    report = {
        "quick": arguments.quick,
        "photographs": photo_appearance(data / "photos"),
        "steps": {row["layer"]: row["steps"] for row in rows},
        "methods": {method: summary([row for row in rows if row["method"] == method]) for method in methods},
        "images": rows,
    }
    name = "quality-quick" if arguments.quick else "quality"
    write(report, name)
    write_sheets(rows, name)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--quick", action="store_true", help="a few classes and channels, one seed, few steps; its own report"
    )
    parser.add_argument("--fresh", action="store_true", help="render phosphene's images again even if they are kept")
    parser.add_argument("--peer-seeds", nargs="*", type=int, default=list(SEEDS), help="seeds of the peers' classes")
    parser.add_argument("--peers", nargs="*", choices=list(PEERS), help="only these peers (none: phosphene alone)")
    return parser.parse_args()


# --- rendering -----------------------------------------------------------------------------------------------------


def batches(judge: Judge, methods: list[str], *, quick: bool, peer_seeds: list[int]) -> list[Batch]:
    """All renders: classes of the first seed, channels, classes of the other seeds; phosphene's first in each batch."""
    steps = {True: n_steps(CLASSIFIER), False: n_steps(LAYERS[0])}
    classes = list(CLASSES.values())[:: len(CLASSES) // QUICK_CLASSES] if quick else list(CLASSES.values())
    picks = [tuple(classes[i : i + BATCH]) for i in range(0, len(classes), BATCH)]
    channels = pick_channels(judge.best)
    jobs = [(CLASSIFIER, picked, SEEDS[0]) for picked in picks]
    jobs += [(layer, channels[layer][:QUICK_CHANNELS] if quick else channels[layer], 0) for layer in LAYERS]
    jobs += [(CLASSIFIER, picked, seed) for seed in ([] if quick else SEEDS[1:]) for picked in picks]
    return [
        Batch(method, layer, picked, seed, QUICK_STEPS if quick else steps[layer == CLASSIFIER])
        for layer, picked, seed in jobs
        for method in methods
        if method == OURS or seed in peer_seeds
    ]


def n_steps(layer: str) -> int:
    """Steps of phosphene's default recipe for units of the layer: every method gets as many."""
    return (ph.recipes.class_() if layer == CLASSIFIER else ph.recipes.channel()).steps


def rendered(net: ph.Network, batch: Batch, *, fresh: bool) -> Tensor:
    """Images (n 3 224 224) in [0, 1], with the 8 bits of a saved picture; from the cache if they are there."""
    path = batch.path(version(batch))
    if path.exists() and not (fresh and batch.method == OURS):
        return torch.load(path, weights_only=True).float() / 255
    print(
        f"{batch.method:12} {batch.layer} seed {batch.seed}: {len(batch.channels)} images",
        file=sys.stderr,
        end="",
        flush=True,
    )
    start = time.perf_counter()
    images = renderer(batch.method)(net, batch.layer, batch.channels, batch.steps, batch.seed)
    pixels = (images.detach() * 255).round().to(torch.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(pixels, path)
    print(f", {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
    return pixels.float() / 255


def version(batch: Batch) -> str:
    """phosphene's recipe; a peer is fixed by requirements-peers.txt."""
    if batch.method != OURS:
        return (HERE / "requirements-peers.txt").read_text()
    recipe = ph.recipes.class_() if batch.layer == CLASSIFIER else ph.recipes.channel()
    return f"{ph.__version__} {recipe.digest}"


def renderer(method: str) -> Renderer:
    return phosphene_renderer() if method == OURS else peer_renderer(method)


# --- figures -------------------------------------------------------------------------------------------------------


def records(judge: Judge, batch: Batch, images: Tensor) -> list[dict]:
    """One record per image: whose it is, of what, and its figures."""
    figures = judge.judge(images, batch.layer, batch.channels)
    names = {index: name for name, index in CLASSES.items()}
    return [
        {
            "method": batch.method,
            "layer": batch.layer,
            "channel": channel,
            "name": names.get(channel, "") if batch.layer == CLASSIFIER else str(unit(batch.layer, channel)),
            "seed": batch.seed,
            "steps": batch.steps,
            "file": str(batch.path(version(batch)).relative_to(HERE)),
            "index": i,
            **own,
        }
        for i, (channel, own) in enumerate(zip(batch.channels, figures, strict=True))
    ]


def summary(rows: list[dict]) -> dict[str, float]:
    """The figures that the tables show of one method."""
    classes = [row for row in rows if row["layer"] == CLASSIFIER]
    channels = [row for row in rows if row["layer"] != CLASSIFIER]
    by_class: dict[int, list[dict]] = {}
    for row in classes:
        by_class.setdefault(row["channel"], []).append(row)
    return {
        "n_classes": len(by_class),
        "n_class_images": len(classes),
        "n_clear_classes": sum(statistics.median(row["p"] for row in own) >= P_CLEAR for own in by_class.values()),
        "share_clear": mean(row["p"] >= P_CLEAR for row in classes),
        "share_top5": mean(row["rank"] <= TOP for row in classes),
        "share_top1": mean(row["rank"] <= 1 for row in classes),
        "n_channels": len(channels),
        "ratio": median(row["ratio"] for row in channels),
        "n_above_photos": sum(row["ratio"] > 1 for row in channels),
        "robustness": median(row["robustness"] for row in channels),
        **{name: median(row[name] for row in rows) for name in APPEARANCE},
        **{f"{name}_classes": median(row[name] for row in classes) for name in APPEARANCE},
        **{f"{name}_channels": median(row[name] for row in channels) for name in APPEARANCE},
    }


def mean(values) -> float:
    return statistics.fmean(float(value) for value in values)


def median(values) -> float:
    return statistics.median(values)


def verdicts(methods: dict[str, dict[str, float]]) -> list[str]:
    """One line for each limit of the default recipes."""
    ours = methods[OURS]
    best_peer = max((figures["share_top5"] for name, figures in methods.items() if name != OURS), default=0.0)
    return [
        verdict(
            f"classes of {ours['n_classes']} whose p is at least {P_CLEAR}",
            ours["n_clear_classes"],
            least=0.9 * ours["n_classes"],
        ),
        verdict("share of class pictures in Darknet-tiny's first five", ours["share_top5"], least=0.5),
        verdict("the same, less the best peer's", ours["share_top5"] - best_peer, least=1e-9),
        verdict("activation over the best photograph's, median", ours["ratio"], least=3),
        verdict(
            f"channels of {ours['n_channels']} above the best photograph",
            ours["n_above_photos"],
            least=28 / 30 * ours["n_channels"],
        ),
        verdict("kept over held-out views, median", ours["robustness"], least=0.75),
        verdict("high-frequency share, median", ours["high_frequency"], most=0.13),
        verdict("slope, median", ours["slope"], least=-1.8, most=-0.9),
        verdict("standard deviation, median", ours["std"], least=0.15, most=0.30),
        verdict("clipped pixels, median", ours["clipped"], most=0.05),
    ]


# --- the report ----------------------------------------------------------------------------------------------------


def write(report: dict, name: str) -> None:
    RESULTS.mkdir(exist_ok=True)
    text = markdown(report)
    (RESULTS / f"{name}.json").write_text(json.dumps(report, indent=1) + "\n")
    (RESULTS / f"{name}.md").write_text(text)
    print(text)


def markdown(report: dict) -> str:
    methods, photos = report["methods"], report["photographs"]
    steps = ", ".join(f"{layer} {count}" for layer, count in report["steps"].items())
    first = next(iter(methods.values()))
    appearance = [
        ["pictures", "", *APPEARANCE],
        ["photographs", "160 px", *(f"{photos[name]:.3f}" for name in APPEARANCE)],
    ]
    for name, figures in methods.items():
        appearance += [
            [name, kind, *(f"{figures[f'{key}_{kind}']:.3f}" for key in APPEARANCE)] for kind in ("classes", "channels")
        ]
    return "\n".join(
        [
            "# Quality",
            "",
            f"224 px, EfficientNet-Lite0, equal steps ({steps}); {first['n_classes']} classes,"
            f" {first['n_class_images']} class pictures,"
            f" {first['n_channels']} channels. Definitions: `metrics.py`, `subjects.py`."
            " Peers at their defaults with the correct input scaling.",
            "",
            *align([CLASS_HEAD, *(class_row(name, figures) for name, figures in methods.items())]),
            "",
            "Medians over pictures:",
            "",
            *align(appearance),
            "",
            *(["A quick run: too few steps for a verdict."] if report["quick"] else verdicts(methods)),
            "",
        ]
    )


CLASS_HEAD = [
    "method",
    "classes p >= .95",
    "Darknet top-5",
    "top-1",
    "activation / best photo",
    "above it",
    "kept over views",
]


def class_row(name: str, figures: dict[str, float]) -> list[str]:
    return [
        name,
        f"{figures['n_clear_classes']} of {figures['n_classes']} ({figures['share_clear']:.0%} of pictures)",
        f"{figures['share_top5']:.0%}",
        f"{figures['share_top1']:.0%}",
        f"{figures['ratio']:.2f}",
        f"{figures['n_above_photos']} of {figures['n_channels']}",
        f"{figures['robustness']:.2f}",
    ]


def write_sheets(rows: list[dict], name: str) -> None:
    """For each method a sheet of classes (a row: ten classes of a seed) and one of channels (a row: a layer)."""
    columns = max(1, sum(row["layer"] == LAYERS[0] for row in rows if row["method"] == OURS))
    for method in dict.fromkeys(row["method"] for row in rows):
        own = [row for row in rows if row["method"] == method]
        classes = [row for row in own if row["layer"] == CLASSIFIER]
        channels = [row for row in own if row["layer"] != CLASSIFIER]
        stem = f"{name}-{method}"
        captions = [f"{row['name']} p {row['p']:.2f} rank {row['rank']}" for row in classes]
        save_sheet(RESULTS / f"{stem}-classes.png", pictures(classes), captions, columns=min(BATCH, len(classes)))
        captions = [f"{row['name']} x{row['ratio']:.1f} kept {row['robustness']:.2f}" for row in channels]
        save_sheet(RESULTS / f"{stem}-channels.png", pictures(channels), captions, columns=columns)


def pictures(rows: list[dict]) -> Tensor:
    """The rows' images (n 3 h w) in [0, 1]."""
    return torch.stack([torch.load(HERE / row["file"], weights_only=True)[row["index"]].float() / 255 for row in rows])


if __name__ == "__main__":
    main()
