"""torch-dreams 4.0.0 (`Dreamer.render`): AdamW 0.009 with clipping, rotation 15, height and width scaled by 0.5 to 1.2.

Its image parameter always applies the ImageNet normalisation; `set_custom_normalization` is its own way of undoing that
before ours. The only shim is that for importing torchvision.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import torch
from torch import Tensor

from peers.common import Job, Scaling, allow_torchvision_import, seed_everything

_TORCHVISION = allow_torchvision_import()

batched = import_module("torch_dreams.batched_image_param")
objective = import_module("torch_dreams.batched_objective")
dreams = import_module("torch_dreams.dreamer")


def render(job: Job) -> Tensor:
    """Images (n 3 size size) in [0, 1], one for each channel of the job."""
    seed_everything(job.seed)
    dreamer = dreams.Dreamer(job.module, quiet=True, device="cpu")
    dreamer.set_custom_normalization(Scaling(job.preprocess))
    start = batched.BatchedAutoImageParam(len(job.channels), job.size, job.size, device="cpu")
    loss = objective.BatchedObjective([_minus_channel(channel) for channel in job.channels])
    params = dreamer.render(layers=[job.target], image_parameter=start, iters=job.steps, custom_func=loss)
    with torch.no_grad():
        return torch.cat([one.postprocess(device="cpu") for one in params.image_params]).clamp(0, 1)


def _minus_channel(channel: int) -> Callable[[list[Tensor]], Tensor]:
    return lambda outputs: -outputs[0][:, channel].mean()
