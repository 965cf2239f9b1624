"""Projections: what is done to the image after a step."""

from phosphene.projections.base import Projection
from phosphene.projections.p_norm import PNorm
from phosphene.projections.smoothing import Blur, BoxBlur, SmoothFrequencies
from phosphene.projections.values import CapNorm, Clip, ClipSmallNorm, FixContrast, FixNorm, Quantize

__all__ = [
    "Blur",
    "BoxBlur",
    "CapNorm",
    "Clip",
    "ClipSmallNorm",
    "FixContrast",
    "FixNorm",
    "PNorm",
    "Projection",
    "Quantize",
    "SmoothFrequencies",
]
