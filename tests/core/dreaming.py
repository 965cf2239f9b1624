"""Dreams in float64, with the shifts that the engine drew, and the gradient that the oracles climb."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from networks import CPU

import phosphene as ph
from phosphene.functional.random import Streams
from phosphene.models.prepare import prepare
from phosphene.objectives import compile_objectives
from phosphene.render.course import Course, Setting
from phosphene.render.engine import Record, climb
from phosphene.render.slopes import Tiled
from phosphene.transforms.pipeline import Rolling

Array = np.ndarray


@dataclass(frozen=True)
class Dream:
    """What a run in float64 started from, came to, and by which shifts (rows, columns) it rolled in each step."""

    start: Array
    image: Array
    shifts: list[tuple[int, int]]


def dreamed(net: ph.Network, objective: object, recipe: ph.Recipe, seed: int = 0) -> Dream:
    """Run a recipe for one image in float64; images are (c, h, w) in units of [0, 1]."""
    shifts: list[tuple[int, int]] = []
    with pytest.MonkeyPatch.context() as patch:
        roll_at, tile_shift = Rolling.at, Tiled._shift

        def spy_on_rolls(self, step):
            shifts.append(self.shifts[step][0])
            return roll_at(self, step)

        def spy_on_tiles(self, size, step):
            drawn = tile_shift(self, size, step)
            shifts.append(drawn[0])
            return drawn

        patch.setattr(Rolling, "at", lambda self, step: spy_on_rolls(self, step))
        patch.setattr(Tiled, "_shift", spy_on_tiles)
        scorer = compile_objectives([objective], net)
        with prepare(net, sorted(scorer.layers), dtype=torch.float64) as forward:
            course = Course(recipe, Setting(net, forward, scorer, Streams(("image",), seed, CPU), torch.float64))
            start = course.image()[0].detach().clone().numpy()
            record = Record(torch.zeros(recipe.total_steps, 1), frozenset(), lambda step, image: None)
            climb(course, record, progress=lambda n: None)
            image = course.image()[0].detach().numpy()
    # The first look is taken twice: once to see whether the start is dead. Rolling tells (columns, rows).
    turned = shifts[1:] if recipe.tiles is not None else [(y, x) for x, y in shifts[1:]]
    return Dream(start, image, turned)


def gradient_of(net: ph.Network, layer: str, score: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[Array], Array]:
    """The gradient of ``score(activation of layer)`` in an image (c, h, w) of values in 0 … 255, by plain autograd."""
    import copy

    module = copy.deepcopy(net.module).double().eval()

    def gradient(image: Array) -> Array:
        kept: dict[str, torch.Tensor] = {}
        handle = module.get_submodule(layer).register_forward_hook(lambda _m, _i, out: kept.update(out=out))
        leaf = torch.from_numpy(np.array(image)).requires_grad_()
        module(net.preprocess(leaf[None] / 255))
        handle.remove()
        score(kept["out"]).backward()
        return leaf.grad.numpy()

    return gradient


def photo(channels: int, height: int, width: int, seed: int = 0) -> torch.Tensor:
    """A smooth picture (c, h, w) in [0.1, 0.9] with all eight bits in use, float32."""
    rough = torch.rand(1, channels, 5, 4, generator=torch.Generator().manual_seed(seed))
    smooth = torch.nn.functional.interpolate(rough, (height, width), mode="bicubic", align_corners=False)[0]
    return (smooth.clamp(0.1, 0.9) * 255).round() / 255
