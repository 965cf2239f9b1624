"""The processes that `evolution_cost.py` measures: each holds one search, and answers with what a generation took."""

from __future__ import annotations

import json
import pickle
import sys
import time
import warnings
from collections.abc import Callable

from clock import peak_bytes, reset_peak, resident_bytes

POPULATION = 40
OURS = {
    "phosphene CMAES (default)": "o.CMAES(40)",
    "phosphene CMAES iso": "o.CMAES(40, cov='iso')",
    "phosphene CMAES diag": "o.CMAES(40, cov='diag')",
    "phosphene CMAES cholesky": "o.CMAES(40, cov='cholesky')",
    "phosphene CMAES full": "o.CMAES(40, cov='full')",
    "phosphene SphereCMA": "o.SphereCMA(40)",
    "phosphene Genetic": "o.Genetic(40)",
    "phosphene RandomSearch": "o.RandomSearch(40)",
    "phosphene PyCMA, diagonal": "o.PyCMA(40, diagonal=True)",
}

#: Ask and tell once; what it does with the scores is measured, not how they came about.
Generation = Callable[[], None]


def answer(name: str, dim: int) -> int:
    """Answer "generation" on standard input with its seconds, and "end" with memory."""
    import torch

    torch.set_num_threads(1)
    generation, state_bytes, before = _prepared(name, dim)
    print("ready", flush=True)
    for line in sys.stdin:
        if line.strip() == "end":
            print(json.dumps({"memory": peak_bytes() - before, "state": state_bytes()}), flush=True)
            return 0
        started = time.process_time()
        generation()
        print(json.dumps({"s": time.process_time() - started}), flush=True)
    return 0


def _prepared(name: str, dim: int) -> tuple[Generation, Callable[[], int], int]:
    """A generation, the size of the state, and the resident memory before there was a search."""
    if name in OURS:
        return _ours(OURS[name], dim)
    return (_pycma if name.startswith("pycma") else _cmaes)(name, dim)


def _baseline() -> int:
    """Resident memory now, from which its peak counts."""
    reset_peak()
    return resident_bytes()


def _ours(spec: str, dim: int) -> tuple[Generation, Callable[[], int], int]:
    import torch

    from phosphene import optimizers as o

    target = torch.randn(dim, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    # Once in two dimensions: what torch and pycma load at their first use is no cost of a search.
    warm = eval(spec, {"o": o}).search(2, seed=0)
    warm.tell(warm.ask().ids, range(POPULATION))
    before = _baseline()
    search = eval(spec, {"o": o}).search(dim, seed=0)

    def generation() -> None:
        candidates = search.ask()
        search.tell(candidates.ids, -(candidates.codes - target).square().sum(1))

    def state_bytes() -> int:
        values = search.state_dict().values()
        return sum(value.nbytes if isinstance(value, torch.Tensor) else 8 for value in values)

    return generation, state_bytes, before


def _pycma(name: str, dim: int) -> tuple[Generation, Callable[[], int], int]:
    import cma
    import numpy as np

    warnings.simplefilter("ignore")
    target = np.random.default_rng(0).normal(size=dim)
    before = _baseline()
    never = {"tolfun": 0, "tolx": 0, "tolfunhist": 0, "tolflatfitness": 1e9, "maxiter": 1e9}
    options = {"popsize": POPULATION, "seed": 1, "verbose": -9, "CMA_diagonal": name.endswith("diagonal"), **never}
    search = cma.CMAEvolutionStrategy(dim * [0.0], 3.0 if dim > 1000 else 1.0, options)

    def generation() -> None:
        codes = np.stack(search.ask())
        search.tell(list(codes), np.square(codes - target).sum(1).tolist())

    return generation, lambda: len(pickle.dumps(search)), before


def _cmaes(name: str, dim: int) -> tuple[Generation, Callable[[], int], int]:
    import cmaes
    import numpy as np

    target = np.random.default_rng(0).normal(size=dim)
    before = _baseline()
    kind = cmaes.SepCMA if name.endswith("SepCMA") else cmaes.CMA
    search = kind(mean=np.zeros(dim), sigma=3.0 if dim > 1000 else 1.0, seed=1, population_size=POPULATION)

    def generation() -> None:
        codes = np.stack([search.ask() for _ in range(POPULATION)])
        search.tell(list(zip(codes, np.square(codes - target).sum(1).tolist(), strict=True)))

    return generation, lambda: len(pickle.dumps(search)), before
