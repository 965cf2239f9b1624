"""Units that choose among a generator's pictures."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from members import decode
from networks import SIZE, conv_net

import phosphene as ph
from phosphene import optimizers
from phosphene.functional.random import Streams
from phosphene.parameterizations import CappedNorm, CustomGenerator, UnitNorm
from phosphene.recipes import generated, generator_recipe
from phosphene.render.batches import stream_keys

GENERATOR = CustomGenerator(decode, (5,), image_shape=(3, 6, 5))
UNITS = [ph.Channel("conv2", 1), ph.Channel("conv2", 4)]
QUIET = {"progress": False, "dtype": torch.float64}


def literal(unit: ph.Channel, steps: int) -> torch.Tensor:
    """Adam on one code, the picture enlarged bilinearly, written out."""
    noise = Streams(stream_keys([unit]), 0, torch.device("cpu")).fork("start")
    code = noise.normal(5).double().requires_grad_()
    optimizer, module = torch.optim.Adam([code], lr=0.05, maximize=True), conv_net().module.double()

    def picture() -> torch.Tensor:
        return torch.nn.functional.interpolate(decode(code), size=SIZE, mode="bilinear", align_corners=False)

    for _ in range(steps):
        optimizer.zero_grad()
        module.conv2(module.act1(module.conv1(picture())))[:, unit.index].mean().backward()
        optimizer.step()
    return picture().detach()[0]


def test_the_code_climbs_by_adam():
    recipe = replace(generator_recipe(GENERATOR, *SIZE), steps=4)
    result = generated(conv_net(), UNITS, GENERATOR, recipe=recipe, options=QUIET)
    for image, unit in zip(result.images, UNITS, strict=True):
        torch.testing.assert_close(image.double(), literal(unit, 4), rtol=0, atol=1e-6)


def test_the_recipe_has_lucents_numbers():
    recipe = generator_recipe(GENERATOR)
    assert (recipe.optimizer, recipe.steps, recipe.transforms) == (optimizers.Adam(lr=0.05), 256, ())
    assert "Nguyen, Anh" in recipe.citation()


@pytest.mark.parametrize("constraint", [CappedNorm(1.0), UnitNorm()])
def test_a_constraint_is_the_parameterizations(constraint):
    recipe = generator_recipe(GENERATOR, *SIZE, constraint=constraint)
    assert recipe.parameterization.constraint == constraint
    result = generated(conv_net(), UNITS[0], GENERATOR, recipe=replace(recipe, steps=3), options=QUIET)
    assert result.status == ("ok",)


def test_by_default_the_picture_is_as_large_as_the_networks_input():
    result = generated(conv_net(), UNITS[0], GENERATOR, options={"steps": 1, "progress": False})
    assert result.images.shape == (1, 3, *SIZE)
