"""Parameterizations: what is optimised, and how it becomes an image (n, c, h, w) in [0, 1]."""

from phosphene.parameterizations.base import Canvas, Parameterization
from phosphene.parameterizations.fourier import Fourier
from phosphene.parameterizations.pixels import Pixels

__all__ = ["Canvas", "Fourier", "Parameterization", "Pixels"]
