"""Objectives: what is wanted of an image, and how a whole batch is scored at once."""

from phosphene._algebra import Constant, Objective, Product, Scaled, Sum, mean
from phosphene.objectives.compile import Scorer
from phosphene.objectives.custom import Custom
from phosphene.objectives.readers import check_positions, compile_objectives
from phosphene.objectives.scene import Scene
from phosphene.units import WeightedChannels

__all__ = [
    "Constant",
    "Custom",
    "Objective",
    "Product",
    "Scaled",
    "Scene",
    "Scorer",
    "Sum",
    "WeightedChannels",
    "check_positions",
    "compile_objectives",
    "mean",
]
