"""The way from one unit to another: a literal loop, its ends, and the layers in which neighbours are held together."""

from __future__ import annotations

import inspect
from collections import OrderedDict

import numpy as np
import pytest
import torch
from literal import climbed, plain, seen, start
from networks import conv_net, seeded, wrapped
from torch import nn

import phosphene as ph
from phosphene.errors import ArgumentError, ParameterError
from phosphene.objectives import Alignment
from phosphene.parameterizations import Shared
from phosphene.recipes.interpolation import finer_layers, interpolation, interpolation_recipe

FIRST, SECOND = ph.Channel("conv2", 1), ph.Channel("conv2", 4)


def held_together(activations: torch.Tensor, decay: float) -> torch.Tensor:
    """Σ over distances 1 … 4 and neighbours so far apart of their mean squared difference over decay^distance."""
    terms = [torch.zeros((), dtype=torch.float64)]
    for d in range(1, 5):
        for i in range(len(activations) - d):
            terms.append(((activations[i] - activations[i + d]) ** 2).mean() / decay**d)
    return torch.stack(terms).sum()


@pytest.mark.parametrize(("n", "layers"), [(2, "conv1"), (6, ["conv1", "conv2"]), (3, [])])
def test_a_row_of_pictures_climbs_from_one_unit_to_the_other_and_stays_together(n, layers):
    net, recipe = conv_net(), plain(12, 10)
    result = interpolation(
        net, FIRST, SECOND, n=n, align=layers, weight=0.3, decay_ratio=3.0, recipe=recipe, progress=False
    )
    names = [layers] if isinstance(layers, str) else layers
    looks = {name: seen(net, name) for name in {*names, "conv2"}}

    def total(images):
        answers = looks["conv2"](images)
        parts = []
        for i in range(n):
            w = i / (n - 1)
            parts.append((1 - w) * answers[i, 1].mean() + w * answers[i, 4].mean())
        return torch.stack(parts).sum() - 0.3 * sum(held_together(looks[name](images), 3.0) for name in names)

    objectives = []
    for i in range(n):
        objective = (1 - i / (n - 1)) * FIRST + i / (n - 1) * SECOND
        for name in names:
            objective = objective + -0.3 * Alignment(name, decay_ratio=3.0)
        objectives.append(objective)
    pixels = start(recipe, objectives)["pixels"]
    assert np.abs(result.images.numpy() - climbed(pixels, total)).max() < 1e-5


def test_the_ends_climb_one_unit_each():
    net, recipe = conv_net(), plain(12, 10)
    result = interpolation(net, FIRST, SECOND, n=4, align=[], recipe=recipe, progress=False)
    look = seen(net, "conv2")
    objectives = [(1 - i / 3) * FIRST + i / 3 * SECOND for i in range(4)]
    pixels = start(recipe, objectives)["pixels"]
    for row, channel in ((0, 1), (3, 4)):
        expected = climbed(pixels[row : row + 1], lambda images, c=channel: look(images)[:, c].mean())
        assert np.abs(result.images[row : row + 1].numpy() - expected).max() < 1e-5


def test_the_default_canvas_shares_its_low_resolutions_and_is_otherwise_lucids():
    recipe, lucid = interpolation_recipe(40, 24, 1), ph.recipes.lucid(40, 24, 1)
    assert recipe.parameterization == Shared(40, 24, channels=1)
    assert (recipe.transforms, recipe.optimizer, recipe.steps) == (lucid.transforms, lucid.optimizer, 512)
    assert "mordvintsev2018differentiable" in recipe.citation()


def test_neighbours_are_held_together_in_the_last_layer_of_each_finer_resolution():
    def stage(inputs: int, outputs: int) -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride=2, padding=1), nn.SiLU())

    stages = OrderedDict(one=stage(3, 4), two=stage(4, 5), again=nn.Conv2d(5, 5, 1), three=stage(5, 6))
    net = wrapped(seeded(nn.Sequential(stages)), size=(16, 24))
    assert finer_layers(net, ph.Channel("three", 0), ph.Channel("two", 0)) == ["one"]
    assert finer_layers(net, ph.Channel("three", 0)) == ["one", "again"]
    assert finer_layers(net, ph.Channel("one", 0)) == []


def test_an_interpolation_needs_two_ends_in_layers():
    with pytest.raises(ParameterError, match="n is 1; expected at least 2 images"):
        interpolation(conv_net(), FIRST, SECOND, n=1)


@pytest.mark.parametrize("second", [ph.Logit(1), FIRST + SECOND], ids=str)
def test_an_end_without_a_layer_needs_to_be_told_where_pictures_are_aligned(second):
    net, message = conv_net(), r"is not in one layer; say in which layer .*: align=\['…'\], or align=\[\] for none"
    with pytest.raises(ArgumentError, match=message):
        interpolation(net, FIRST, second)
    for layers in ("conv1", []):
        result = interpolation(net, FIRST, second, n=2, align=layers, recipe=plain(12, 10, steps=1), progress=False)
        assert result.status == ("ok", "ok")


@pytest.mark.parametrize("weight", [-1.0, float("inf"), float("nan")])
def test_a_weight_that_would_push_neighbours_apart_is_refused(weight):
    with pytest.raises(ParameterError, match="weight is .*; expected a number from 0"):
        interpolation(conv_net(), FIRST, SECOND, weight=weight)


def test_the_default_alignment_is_the_notebooks():
    defaults = {name: p.default for name, p in inspect.signature(interpolation).parameters.items()}
    assert (defaults["n"], defaults["weight"], defaults["decay_ratio"]) == (6, 0.1, 5.0)
    net, recipe = conv_net(), plain(12, 10, steps=1)
    result = interpolation(net, FIRST, SECOND, n=2, align="conv1", recipe=recipe, progress=False)
    told = ph.objectives.Objective.from_json(result.documents[0]["objectives"][0])
    assert told == 1.0 * FIRST + 0.0 * SECOND + -0.1 * Alignment("conv1", decay_ratio=5.0)
