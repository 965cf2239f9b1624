"""How well a simple cell is found from 3,000 trials, by the number of spikes that its best stimulus draws.

``python benchmarks/evolution_noise.py [--seeds N]``, about five minutes on one core; writes
``results/evolution_noise.md`` and ``.png``.

The cell is a rectified linear Gabor of 16 × 16 pixels with Poisson noise; the stimuli are smooth patterns of 49 numbers
behind a Gaussian aperture, at a fixed mean and contrast. What is reported is the correlation with the Gabor, which is
the best stimulus of all.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from tables import align, verdict

import phosphene as ph
from phosphene.optimizers import CMAES, RandomSearch, SearchOptimizer, SphereCMA, wang_ponce_genetic, xdream_genetic
from phosphene.parameterizations.generators import CustomGenerator
from phosphene.projections import FixContrast
from phosphene.scorers import FunctionScorer, Poisson, Scorer
from phosphene.spaces import Projected, as_space

RESULTS = Path(__file__).parent / "results"
SIZE, COARSE, CONTRAST = 16, 7, 0.1
SPIKES = (1, 2, 5, 10, 20, 50, 100, 0)
"""Spikes that the best stimulus draws in a trial, on average; 0 stands for no noise."""
TRIALS = 3000
OPTIMIZERS: dict[str, SearchOptimizer] = {
    "CMA-ES (default)": CMAES(40),
    "CMA-ES iso": CMAES(40, cov="iso"),
    "SphereCMA": SphereCMA(40, radius=float(COARSE)),
    "Genetic, XDream": xdream_genetic(),
    "Genetic, Wang & Ponce": wang_ponce_genetic(),
    "random search": RandomSearch(40),
}


class SimpleCell:
    """A rectified linear Gabor: wavelength 8 pixels, mean 0, length 1, in any phase and direction."""

    def __init__(self, seed: int) -> None:
        angle, phase = np.random.default_rng(seed).uniform(0, np.pi, 2)
        y, x = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
        wave = np.cos(2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / 8 + phase)
        kernel = wave * np.exp(-(x**2 + y**2) / (2 * (SIZE / 6) ** 2))
        kernel -= kernel.mean()
        self.kernel = kernel / np.linalg.norm(kernel)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        return np.maximum(0, ((images[..., 0] - 0.5) * self.kernel).sum((1, 2)))

    def correlation(self, result: ph.Result) -> float:
        return float(np.corrcoef(result.to_numpy()[0].ravel(), self.kernel.ravel())[0, 1])


def aperture(codes: torch.Tensor) -> torch.Tensor:
    """Smooth patterns (n, 1, h, w) in [-1, 1] behind a window with a deviation of 4 pixels."""
    fine = F.interpolate(codes.view(-1, 1, COARSE, COARSE), (SIZE, SIZE), mode="bicubic", align_corners=False)
    at = torch.arange(SIZE, dtype=codes.dtype) - (SIZE - 1) / 2
    shown = fine * torch.exp(-(at[:, None] ** 2 + at**2) / (2 * 4.0**2))
    return shown / shown.abs().amax((1, 2, 3), keepdim=True).clamp(min=1e-8)


def stimuli() -> Projected:
    patterns = CustomGenerator(aperture, (COARSE * COARSE,), value_range=(-1, 1), image_shape=(1, SIZE, SIZE))
    return Projected(as_space(patterns), (FixContrast(0.5, CONTRAST),))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=5, help="cells and searches for each optimizer and noise level")
    seeds = parser.parse_args().seeds
    torch.set_num_threads(1)
    found: dict[tuple[str, int], np.ndarray] = {}
    for name, optimizer in OPTIMIZERS.items():
        for spikes in SPIKES:
            found[name, spikes] = np.array([_evolve(optimizer, spikes, seed) for seed in range(seeds)])
            print(name, spikes, found[name, spikes].mean(0).round(3), flush=True)
    (RESULTS / "evolution_noise.md").write_text(_report(found, seeds), encoding="utf-8")
    _plot(found).savefig(RESULTS / "evolution_noise.png", dpi=110)
    return 0


def _evolve(optimizer: SearchOptimizer, spikes: int, seed: int) -> tuple[float, float]:
    """Correlation of the recommended picture, and of the one whose noisy score was highest."""
    cell = SimpleCell(seed)
    noise = Poisson(seed=seed, scale=spikes / (CONTRAST * SIZE)) if spikes else None
    generations = TRIALS // optimizer.population_for(COARSE * COARSE)
    scorer = Scorer(FunctionScorer(cell), noise=noise)
    result = ph.evolve(scorer, stimuli(), optimizer=optimizer, generations=generations, seed=seed, progress=False)
    return cell.correlation(result), cell.correlation(result.best_observed)


def _report(found: dict[tuple[str, int], np.ndarray], seeds: int) -> str:
    head = ["optimizer", *(f"{spikes} spikes" if spikes else "no noise" for spikes in SPIKES)]

    def table(of: Callable[[np.ndarray], str]) -> str:
        return "\n".join(align([head, *([name, *(of(found[name, s]) for s in SPIKES)] for name in OPTIMIZERS)]))

    first = found["CMA-ES (default)", 20][:, 0]
    parts = [
        "# Evolution: a Gabor neuron under Poisson noise\n",
        f"`python benchmarks/evolution_noise.py`: {__doc__.split(chr(10) * 2)[2].strip()}\n",
        f"Columns: spikes that the best stimulus draws in a trial, on average. {TRIALS:,} trials, one of each",
        f"image; mean over {seeds} cells and searches, the lowest in brackets.\n\nThe recommended picture:\n",
        table(lambda values: f"{values[:, 0].mean():.2f} ({values[:, 0].min():.2f})"),
        "\nThe picture whose noisy score was highest:\n",
        table(lambda values: f"{values[:, 1].mean():.2f} ({values[:, 1].min():.2f})"),
        "",
        verdict("the default optimizer at 20 spikes, mean correlation", first.mean(), least=0.9),
    ]
    return "\n".join(parts) + "\n"


def _plot(found: dict[tuple[str, int], np.ndarray]) -> Figure:
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot(
        xlabel="spikes that the best stimulus draws in a trial", ylabel="correlation with the Gabor"
    )
    places = list(range(len(SPIKES)))
    for i, name in enumerate(OPTIMIZERS):
        values = np.stack([found[name, spikes] for spikes in SPIKES])
        axes.plot(places, values[:, :, 0].mean(1), marker="o", color=f"C{i}", label=name)
        if i == 0:
            label = f"{name}, highest noisy score"
            axes.plot(places, values[:, :, 1].mean(1), marker="o", linestyle=":", color=f"C{i}", label=label)
    axes.set_xticks(places, [str(spikes) if spikes else "no noise" for spikes in SPIKES])
    axes.axhline(0.9, color="0.7", linewidth=1, zorder=0)
    axes.set_ylim(0, 1.02)
    axes.legend(fontsize="small")
    return figure


if __name__ == "__main__":
    sys.exit(main())
