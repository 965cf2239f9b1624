"""Regularizers: objectives that read the untransformed image. Each scores how much there is of what is unwanted, so
subtract it.
"""

from phosphene._algebra import Regularizer
from phosphene.regularizers.alpha import BlurAlphaPenalty, MeanAlpha
from phosphene.regularizers.edges import BilateralPenalty, BoundaryComplexity
from phosphene.regularizers.lp_norm import LpNorm
from phosphene.regularizers.norms import AlphaNorm, SpectralPenalty, WeightDecay
from phosphene.regularizers.penalties import L1, L2, BlurPenalty, TotalVariation

__all__ = [
    "L1",
    "L2",
    "AlphaNorm",
    "BilateralPenalty",
    "BlurAlphaPenalty",
    "BlurPenalty",
    "BoundaryComplexity",
    "LpNorm",
    "MeanAlpha",
    "Regularizer",
    "SpectralPenalty",
    "TotalVariation",
    "WeightDecay",
]
