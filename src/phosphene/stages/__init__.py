"""Schedules of stages: octaves, growing canvases."""

from phosphene.stages.base import Enter, Stages
from phosphene.stages.octaves import Octaves
from phosphene.stages.upscaling import Growing, Upscaling

__all__ = ["Enter", "Growing", "Octaves", "Stages", "Upscaling"]
