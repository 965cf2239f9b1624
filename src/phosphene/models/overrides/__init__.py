"""Gradient overrides: other gradients for ReLUs and max-pools, while a block lasts."""

from phosphene.models.overrides.base import Override, Pooling, Rectifier
from phosphene.models.overrides.overriding import overriding
from phosphene.models.overrides.pooling import SmoothedMaxPool
from phosphene.models.overrides.reach import unreachable
from phosphene.models.overrides.rectifiers import DeconvReLU, GuidedReLU, LinearizedReLU, RedirectedReLU

__all__ = [
    "DeconvReLU",
    "GuidedReLU",
    "LinearizedReLU",
    "Override",
    "Pooling",
    "Rectifier",
    "RedirectedReLU",
    "SmoothedMaxPool",
    "overriding",
    "unreachable",
]
