"""Evolution: a favourite stimulus from scores alone."""

from phosphene.evolution.api import evolve
from phosphene.evolution.replaying import replay
from phosphene.evolution.result import Evolution, Trajectory
from phosphene.evolution.tuning import TuningMap, tuning_map

__all__ = ["Evolution", "Trajectory", "TuningMap", "evolve", "replay", "tuning_map"]
