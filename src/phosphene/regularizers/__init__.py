"""Regularizers: objectives that read the untransformed image. Each scores how much there is of what is unwanted, so
subtract it.
"""

from phosphene._algebra import Regularizer
from phosphene.regularizers.penalties import L1, L2, BlurPenalty, TotalVariation

__all__ = ["L1", "L2", "BlurPenalty", "Regularizer", "TotalVariation"]
