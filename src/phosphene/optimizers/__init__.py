"""Optimizers: how the parameters climb. Every one is a frozen value; ``start`` gives the stepper of a render."""

from phosphene._schedules import After, Constant, Cosine, Exponential, Linear, Schedule, Steps
from phosphene.optimizers.base import Optimizer, Stepper
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

__all__ = [
    "LBFGS",
    "SGD",
    "AdaDelta",
    "AdaGrad",
    "Adam",
    "AdamW",
    "After",
    "Constant",
    "Cosine",
    "Exponential",
    "Linear",
    "NAdam",
    "NormalizedAscent",
    "Optimizer",
    "RMSprop",
    "Schedule",
    "Stepper",
    "Steps",
    "momentum",
    "nesterov",
]
