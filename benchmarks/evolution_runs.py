"""What is compared, and one run of it: a unit, an optimizer, a noise level, a seed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor

import phosphene as ph
from phosphene.optimizers import (
    CMAES,
    Capped,
    Free,
    PyCMA,
    RandomSearch,
    SearchOptimizer,
    SphereCMA,
    wang_ponce_genetic,
    xdream_genetic,
)
from phosphene.parameterizations.generators import DCGAN
from phosphene.scorers import Multiplicative, units
from phosphene.spaces import as_space

if TYPE_CHECKING:
    from phosphene.optimizers import Search

CPU = torch.device("cpu")
POPULATION = 40
NOISE_LEVELS = (0.0, 0.2, 0.5)
LAYERS = ("blocks.5", "blocks.8")
CLASSES = (445, 643)
"""Bikini and mask: classes in whose photographs there are faces; logits of the network."""
CHANNELS_PER_LAYER = 2
CHANNEL_SEED = 0

Score = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Setting:
    """A space of codes with units in it.

    Attributes:
        name: what it is called in tables.
        dim: length of a code.
        units: names of the units.
        open: of a unit's name, what scores codes (n, dim) without noise while a block lasts.
        optimizers: what is compared there.
    """

    name: str
    dim: int
    units: tuple[str, ...]
    open: Callable[[str], AbstractContextManager[Score]]
    optimizers: dict[str, SearchOptimizer]


def faces() -> Setting:
    """Faces of a DCGAN (100 numbers, 64 × 64 pixels) and units of EfficientNet-Lite0, which sees them at that size."""
    contenders = {
        "CMA-ES iso": CMAES(POPULATION, cov="iso", sigma0=1.0, norm=Free()),
        "CMA-ES diag": CMAES(POPULATION, cov="diag", sigma0=1.0, norm=Free()),
        "CMA-ES cholesky": CMAES(POPULATION, cov="cholesky", sigma0=1.0, norm=Free()),
        "CMA-ES full": CMAES(POPULATION, cov="full", sigma0=1.0, norm=Free()),
        "SphereCMA": SphereCMA(POPULATION, radius=10.0),
        "Genetic, Wang & Ponce": wang_ponce_genetic(),
        "Genetic, XDream": xdream_genetic(),
        "pycma": PyCMA(POPULATION, sigma0=1.0),
        "random search": RandomSearch(POPULATION),
    }
    chosen = [f"{layer}:{channel}" for layer in LAYERS for channel in _channels(layer)]
    return Setting("faces", 100, (*chosen, *(f"logit:{c}" for c in CLASSES)), _open_unit, contenders)


def cosine() -> Setting:
    """A unit of 4,096 numbers without a network: the cosine of the code with a fixed direction."""
    # The settings of the literature for codes of that length; the cap is where none of them comes to.
    cap = Capped(512.0)
    contenders = {
        "CMA-ES iso": CMAES(POPULATION, cov="iso", sigma0=3.0, norm=cap),
        "CMA-ES diag": CMAES(POPULATION, cov="diag", sigma0=3.0, norm=cap),
        "CMA-ES cholesky": CMAES(POPULATION, cov="cholesky", sigma0=3.0, norm=cap),
        "SphereCMA": SphereCMA(POPULATION, radius=300.0),
        "Genetic, Wang & Ponce": wang_ponce_genetic(),
        "Genetic, XDream": xdream_genetic(),
        "pycma, diagonal": PyCMA(POPULATION, diagonal=True, sigma0=3.0),
        "random search": RandomSearch(POPULATION),
    }
    return Setting("cosine", 4096, ("direction 0", "direction 1"), _open_direction, contenders)


@cache
def _network() -> ph.Network:
    return ph.load("efficientnet_lite0")


def _channels(layer: str) -> list[int]:
    """The first channels of a random order."""
    order = torch.randperm(_network().layer(layer).n_channels, generator=torch.Generator().manual_seed(CHANNEL_SEED))
    return order[:CHANNELS_PER_LAYER].tolist()


@contextmanager
def _open_unit(name: str) -> Iterator[Score]:
    layer, _, number = name.partition(":")
    unit = ph.Logit(int(number)) if layer == "logit" else ph.Neuron(layer, int(number))
    decode = as_space(DCGAN()).open(CPU)
    with units(_network(), unit, resize=False).open(CPU) as respond:
        yield lambda codes: respond(decode(codes.float()))[:, 0]


@contextmanager
def _open_direction(name: str) -> Iterator[Score]:
    seed = int(name.rpartition(" ")[2])
    target = torch.randn(4096, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    yield lambda codes: torch.cosine_similarity(codes, target[None].to(codes), dim=1)


def run(setting: Setting, unit: str, optimizer: str, *, noise: float, seed: int, evaluations: int) -> dict[str, object]:
    """One search, which is told noisy scores; what comes back are scores without noise.

    "recommended" is the code that the search recommends, "observed" the one whose noisy score was highest, and "shown"
    the highest score of all that were shown, which only a simulation knows (Wang and Ponce's figure).
    """
    search = setting.optimizers[optimizer].search(setting.dim, seed=seed)
    trials = Multiplicative(seed=seed, sd=noise)
    # The process's time: others may share the machine.
    started = time.process_time()
    with setting.open(unit) as score:
        shown = [_generation(search, score, trials, first) for first in range(0, evaluations, search.population)]
        best = search.best_observed
        assert best is not None
        recommended, observed = score(torch.stack([search.recommend(), best.code])).tolist()
    return {
        "setting": setting.name,
        "unit": unit,
        "optimizer": optimizer,
        "noise": noise,
        "seed": seed,
        "evaluations": evaluations,
        "recommended": recommended,
        "observed": observed,
        "shown": max(shown),
        "norm": float(search.recommend().norm()),
        "cpu_s": time.process_time() - started,
    }


def _generation(search: Search, score: Score, trials: Multiplicative, first: int) -> float:
    """Ask, score, tell; the best score without noise."""
    candidates = search.ask()
    clean = score(candidates.codes).double()
    search.tell(candidates.ids, trials.apply(clean[:, None], first=first)[:, 0])
    return float(clean.max())
