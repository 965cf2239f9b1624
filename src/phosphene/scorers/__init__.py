"""Scorers: black boxes that answer images with numbers, and how the numbers become one score."""

from phosphene.scorers.base import BlackBox, Respond
from phosphene.scorers.folder_scorer import FolderScorer
from phosphene.scorers.function import FunctionScorer
from phosphene.scorers.http_scorer import HTTPScorer
from phosphene.scorers.noise import Additive, Multiplicative, Noise, Poisson
from phosphene.scorers.onnx_scorer import OnnxScorer
from phosphene.scorers.readouts import Contrast, Mean, Minimum, Readout, WeightedSum
from phosphene.scorers.reopen import reopen
from phosphene.scorers.scorer import Scorer, Scoring, as_scorer
from phosphene.scorers.similarity import Similarity
from phosphene.scorers.units import UnitScorer, units

__all__ = [
    "Additive",
    "BlackBox",
    "Contrast",
    "FolderScorer",
    "FunctionScorer",
    "HTTPScorer",
    "Mean",
    "Minimum",
    "Multiplicative",
    "Noise",
    "OnnxScorer",
    "Poisson",
    "Readout",
    "Respond",
    "Scorer",
    "Scoring",
    "Similarity",
    "UnitScorer",
    "WeightedSum",
    "as_scorer",
    "reopen",
    "units",
]
