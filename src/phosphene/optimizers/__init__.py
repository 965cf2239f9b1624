"""Optimizers: how the parameters climb. Every one is a frozen value; ``start`` gives the stepper of a render.

Those that need no gradient are :class:`SearchOptimizer`; their ``search`` gives a search of codes by ask and tell.
"""

from phosphene._schedules import After, Constant, Cosine, Exponential, Linear, Schedule, Steps
from phosphene.optimizers.base import Optimizer, Stepper
from phosphene.optimizers.candidates import Candidates, Observed, Told
from phosphene.optimizers.cmaes import CMAES
from phosphene.optimizers.genetic import Genetic, wang_ponce_genetic, xdream_genetic
from phosphene.optimizers.gradient import (
    SGD,
    AdaDelta,
    AdaGrad,
    Adam,
    AdamW,
    NAdam,
    NormalizedAscent,
    RMSprop,
    momentum,
    nesterov,
)
from phosphene.optimizers.lbfgs import LBFGS
from phosphene.optimizers.norms import Capped, Free, NormControl, OnSphere
from phosphene.optimizers.pycma import PyCMA
from phosphene.optimizers.random_search import RandomSearch
from phosphene.optimizers.search import Search
from phosphene.optimizers.search_optimizer import SearchOptimizer
from phosphene.optimizers.sphere_cma import SphereCMA

__all__ = [
    "CMAES",
    "LBFGS",
    "SGD",
    "AdaDelta",
    "AdaGrad",
    "Adam",
    "AdamW",
    "After",
    "Candidates",
    "Capped",
    "Constant",
    "Cosine",
    "Exponential",
    "Free",
    "Genetic",
    "Linear",
    "NAdam",
    "NormControl",
    "NormalizedAscent",
    "Observed",
    "OnSphere",
    "Optimizer",
    "PyCMA",
    "RMSprop",
    "RandomSearch",
    "Schedule",
    "Search",
    "SearchOptimizer",
    "SphereCMA",
    "Stepper",
    "Steps",
    "Told",
    "momentum",
    "nesterov",
    "wang_ponce_genetic",
    "xdream_genetic",
]
