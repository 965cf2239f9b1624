"""Gradient conditioners: what happens to an image's gradient between the backward pass and the optimizer's step."""

from phosphene.conditioners.base import Conditioner
from phosphene.conditioners.normalize import ClipGradient, LaplacianNormalize, Normalize
from phosphene.conditioners.smooth import BlurGradient, SmoothGradient
from phosphene.conditioners.tiles import Tile, Tiles

__all__ = [
    "BlurGradient",
    "ClipGradient",
    "Conditioner",
    "LaplacianNormalize",
    "Normalize",
    "SmoothGradient",
    "Tile",
    "Tiles",
]
