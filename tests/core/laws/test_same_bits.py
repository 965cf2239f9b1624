"""Law 3: the same recipe gives the same bits, and the recipe names the versions."""

from __future__ import annotations

import platform

import pytest
import torch
from members import (
    OBJECTIVES,
    OPTIMIZERS,
    RECIPES,
    TRANSFORMS,
    canvas_for,
    latents,
    name_of,
    parameterizations,
    transforms_for,
)
from networks import SIZE, conv_net, quick

import phosphene as ph

UNITS = [ph.Channel("conv2", 1), ph.Channel("conv2", 2)]


def same_bits(**options):
    net = conv_net()
    units = options.pop("units", UNITS)
    first = quick(net, units, **options)
    torch.rand(7)  # whatever else draws meanwhile
    second = quick(net, units, **options)
    assert torch.equal(first.images, second.images)
    assert all(torch.equal(a, b) for a, b in zip(first.scores, second.scores, strict=True))
    assert torch.equal(first.final_scores, second.final_scores)
    assert torch.equal(first.robust_scores, second.robust_scores)
    assert first.documents == second.documents


@pytest.mark.parametrize("transform", TRANSFORMS, ids=name_of)
def test_the_same_transform_gives_the_same_bits(transform):
    same_bits(transforms=(transform, ph.transforms.ToInput()), views=2, parameterization=canvas_for(transform, *SIZE))


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=name_of)
def test_the_same_optimizer_gives_the_same_bits(optimizer):
    same_bits(optimizer=optimizer)


@pytest.mark.parametrize("parameterization", [*parameterizations(), *latents()], ids=name_of)
def test_the_same_parameterization_gives_the_same_bits(parameterization):
    same_bits(parameterization=parameterization, transforms=transforms_for(parameterization))


@pytest.mark.parametrize("objective", OBJECTIVES, ids=name_of)
def test_the_same_objective_gives_the_same_bits(objective):
    same_bits(units=objective)


@pytest.mark.parametrize("name", RECIPES)
def test_the_same_recipe_gives_the_same_bits(name):
    recipe = ph.recipes.get(name, 24, 22)
    same_bits(recipe=recipe, parameterization=recipe.parameterization, transforms=None, views=None)


def test_the_recipe_in_a_document_names_the_versions():
    (document,) = quick(conv_net(), UNITS[0]).documents
    assert document["versions"] == {
        "phosphene": ph.__version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
    assert document["threads"] == torch.get_num_threads()


def test_the_default_dtype_of_torch_does_not_matter():
    net = conv_net()
    options = {
        "parameterization": ph.Fourier(*SIZE),
        "transforms": ph.transforms.random_views(0.5, noise=0.1),
        "dtype": torch.float64,
    }
    expected = quick(net, UNITS, **options).images
    torch.set_default_dtype(torch.float64)
    try:
        found = quick(net, UNITS, **options).images
    finally:
        torch.set_default_dtype(torch.float32)
    assert torch.equal(found, expected)
