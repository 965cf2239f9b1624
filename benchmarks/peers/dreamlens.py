"""DreamLens 0.1.1 (`FeatureVisualizer.maximize_channels`): AdamW 0.009, clipping, rotation 15, scale 0.5 to 1.2.

No shim is needed.
"""

from __future__ import annotations

from importlib import import_module

from torch import Tensor

from peers.common import Job, seed_everything

dreamlens = import_module("dreamlens")


def render(job: Job) -> Tensor:
    """Images (n 3 size size) in [0, 1], one for each channel of the job."""
    seed_everything(job.seed)
    visualizer = dreamlens.FeatureVisualizer(job.module, quiet=True, preprocess=job.preprocess)
    config = dreamlens.RenderConfig(width=job.size, height=job.size, steps=job.steps)
    result = visualizer.maximize_channels(job.layer, list(job.channels), config=config)
    return result.image.as_nchw().clamp(0, 1)
