"""Optimizers: how the parameters climb. Every one is a frozen value; ``start`` gives the stepper of a render."""

from phosphene.optimizers.base import Constant, Cosine, Exponential, Linear, Optimizer, Schedule, Stepper, Steps
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
