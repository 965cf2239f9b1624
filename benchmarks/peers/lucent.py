"""torch-lucent 0.1.8 (`render.render_vis`): Fourier image, its standard transforms, Adam 0.05; all layers are hooked.

Shims, all at run time: `kornia.get_rotation_matrix2d` and `kornia.warp_affine` are put back where kornia 0.4 had them;
`transform._roundup` returns int, since torch >= 2.1 refuses NumPy integers as a size.
"""

from __future__ import annotations

import math
import warnings

import torch
from torch import Tensor

from peers.common import Job, allow_torchvision_import, seed_everything

_TORCHVISION = allow_torchvision_import()

import kornia  # noqa: E402
import kornia.geometry.transform as kornia_transform  # noqa: E402
from lucent.optvis import objectives, param, transform  # noqa: E402
from lucent.optvis import render as lucent_render  # noqa: E402

kornia.get_rotation_matrix2d = kornia_transform.get_rotation_matrix2d
kornia.warp_affine = kornia_transform.warp_affine
transform._roundup = math.ceil


def render(job: Job) -> Tensor:
    """Images (n 3 size size) in [0, 1], one for each channel of the job."""
    seed_everything(job.seed)
    layer = job.layer.replace(".", "_")
    n = len(job.channels)
    objective = sum(objectives.channel(layer, channel, batch=i) for i, channel in enumerate(job.channels))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        images = lucent_render.render_vis(
            job.module,
            objective,
            param_f=lambda: param.image(job.size, batch=n),
            transforms=[*transform.standard_transforms, job.preprocess],
            thresholds=(job.steps,),
            preprocess=False,
            progress=False,
            show_image=False,
        )
    return torch.from_numpy(images[-1]).permute(0, 3, 1, 2).contiguous()
