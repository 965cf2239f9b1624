"""Literal loops: images as the sigmoid of pixels, climbed by a gradient of unit length, everything in float64."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import numpy as np
import torch
from networks import CPU
from torch import Tensor

import phosphene as ph
from phosphene import optimizers
from phosphene.functional.random import Streams
from phosphene.render.batches import stream_keys

#: Step length in parameters, for an image of which every gradient is made 1 long.
RATE = 2.0


def plain(height: int, width: int, channels: int = 3, *, steps: int = 3) -> ph.Recipe:
    """Pixels without colours or views, climbed by gradients of unit length."""
    return ph.Recipe(
        parameterization=ph.Pixels(height, width, channels=channels, decorrelate="none"),
        optimizer=optimizers.NormalizedAscent(lr=RATE, norm="l2", eps=0.0),
        steps=steps,
    )


def start(recipe: ph.Recipe, objectives: Sequence[ph.objectives.Objective], seed: int = 0) -> dict[str, Tensor]:
    """The parameters from which a render of these objectives starts."""
    noise = Streams(stream_keys(objectives), seed, CPU).fork("start")
    canvas = recipe.parameterization.build(len(objectives), noise, device=CPU, dtype=torch.float64)
    return {name: p.detach().clone() for name, p in canvas.named_parameters()}


def seen(net: ph.Network, layer: str) -> Callable[[Tensor], Tensor]:
    """What a layer answers to images, differentiable and in float64."""
    module = copy.deepcopy(net.module).double().eval()

    def look(images: Tensor) -> Tensor:
        kept: list[Tensor] = []
        handle = module.get_submodule(layer).register_forward_hook(lambda _m, _i, out: kept.append(out))
        module(net.preprocess(images))
        handle.remove()
        return kept[0]

    return look


def climbed(pixels: Tensor, total: Callable[[Tensor], Tensor], *, steps: int = 3, rate: float = RATE) -> np.ndarray:
    """Images after some steps of ``pixels += rate · gradient / ‖gradient‖`` on ``total(images)``, image by image."""
    for _ in range(steps):
        leaf = pixels.clone().requires_grad_()
        total(1 / (1 + torch.exp(-leaf))).backward()
        lengths = [float(g.square().sum().sqrt()) for g in leaf.grad]
        pixels = torch.stack([p + rate * g / n for p, g, n in zip(pixels, leaf.grad, lengths, strict=True)])
    return (1 / (1 + torch.exp(-pixels))).numpy()
