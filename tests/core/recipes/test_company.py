"""Diversity, negatives, joint units and random directions: literal loops, and what each picture shows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from literal import climbed, plain, seen, start
from networks import conv_net

import phosphene as ph
from phosphene.errors import ArgumentError, ParameterError, UnknownLayerError
from phosphene.objectives import Diversity
from phosphene.recipes.company import diversity, joint, negative_and_positive, random_directions


def likeness(activations: torch.Tensor) -> torch.Tensor:
    """Σ over all ordered pairs of different images of the cosine of their Gram matrices, over their number."""
    flat = [a.flatten(1) for a in activations]
    grams = [(a @ a.T).flatten() for a in flat]
    pairs = [(i, j) for i in range(len(grams)) for j in range(len(grams)) if i != j]
    cosines = [(grams[i] @ grams[j]) / (grams[i].norm() * grams[j].norm()) for i, j in pairs]
    return torch.stack(cosines).sum() / len(grams)


@pytest.mark.parametrize(("n", "channels", "size"), [(2, 1, (12, 10)), (4, 3, (9, 13))])
def test_diverse_pictures_climb_the_unit_less_the_cosines_of_their_gram_matrices(n, channels, size):
    net = conv_net(channels, size)
    recipe, unit = plain(*size, channels), ph.Channel("conv2", 3)
    result = diversity(net, unit, n=n, weight=5.0, layer="conv1", recipe=recipe, progress=False)
    upper, lower = seen(net, "conv2"), seen(net, "conv1")

    def total(images):
        return upper(images)[:, 3].mean((1, 2)).sum() - 5.0 * likeness(lower(images))

    pixels = start(recipe, [unit - 5.0 * Diversity("conv1")] * n)["pixels"]
    assert np.abs(result.images.numpy() - climbed(pixels, total)).max() < 1e-5


def test_diverse_pictures_differ_more_than_pictures_of_the_unit_alone():
    net, unit, recipe = conv_net(), ph.Channel("conv2", 3), plain(12, 10, steps=20)
    look = seen(net, "conv2")
    apart = diversity(net, unit, n=3, weight=20.0, recipe=recipe, progress=False)
    alone = ph.render(net, [unit] * 3, recipe=recipe, progress=False)
    with torch.no_grad():
        assert likeness(look(apart.images.double())) < likeness(look(alone.images.double())) - 0.01


def test_a_balanced_diversity_costs_pictures_all_alike_what_the_unit_gives_them():
    net, unit, recipe = conv_net(), ph.Channel("conv2", 3), plain(12, 10)
    score = float(ph.render(net, unit, recipe=recipe, progress=False).final_scores[0])
    balanced = diversity(net, unit, n=2, weight="balanced", recipe=recipe, progress=False)
    given = diversity(net, unit, n=2, weight=max(0.0, score), recipe=recipe, progress=False)
    assert torch.equal(balanced.images, given.images)
    assert balanced.names == given.names


def test_the_negative_comes_before_the_positive():
    net, unit, recipe = conv_net(), ph.Channel("conv2", 3), plain(12, 10, steps=8)
    result = negative_and_positive(net, unit, recipe=recipe, seed=3, progress=False)
    values = seen(net, "conv2")(result.images.double())[:, 3].mean((1, 2))
    assert result.names == ("-conv2:3", "conv2:3")
    assert values[0] < values[1] - 0.01
    alone = ph.render(net, unit, recipe=recipe, seed=3, progress=False)
    assert (result.images[1] - alone.images[0]).abs().max() < 1e-6


def test_units_stand_alone_and_last_together():
    net, recipe = conv_net(), plain(12, 10)
    units = [ph.Channel("conv2", 0), ph.Channel("conv1", 2), ph.Channel("conv2", 4)]
    result = joint(net, units, recipe=recipe, progress=False)
    assert result.names == ("conv2:0", "conv1:2", "conv2:4", "conv2:0 + conv1:2 + conv2:4")
    together = units[0] + units[1] + units[2]
    two, one = seen(net, "conv2"), seen(net, "conv1")

    def total(images):
        return (two(images)[:, 0] + two(images)[:, 4]).mean() + one(images)[:, 2].mean()

    expected = climbed(start(recipe, [together])["pixels"], total)
    assert np.abs(result.images[3:].numpy() - expected).max() < 1e-5


def test_the_kth_direction_is_that_of_the_kth_seed():
    net, recipe = conv_net(), plain(12, 10, steps=2)
    result = random_directions(net, "conv2", n=3, seed=7, recipe=recipe, progress=False)
    for k in range(3):
        vector = torch.randn(6, generator=torch.Generator().manual_seed(7 + k))
        told = result.documents[k]["objectives"][result.documents[k]["index"]]
        assert ph.Direction("conv2", vector).to_json() == told


def test_the_units_own_recipe_is_the_default():
    net, unit = conv_net(), ph.Channel("conv2", 3)
    quick = replace(ph.recipes.default_recipe(unit, net), steps=1)
    result = diversity(net, unit, n=2, weight=0.0, recipe=quick, progress=False)
    assert result.images.shape == (2, 3, 12, 10)


def test_what_makes_no_company_is_refused():
    net, unit = conv_net(), ph.Channel("conv2", 3)
    with pytest.raises(ParameterError, match="n is 1; expected at least 2 pictures"):
        diversity(net, unit, n=1)
    with pytest.raises(ArgumentError, match="class:1 is not in one layer; say in which layer .*: layer='…'"):
        diversity(net, ph.Logit(1))
    with pytest.raises(UnknownLayerError, match="conv9"):
        diversity(net, unit, layer="conv9", progress=False)
    with pytest.raises(ParameterError, match="1 units are given; expected at least 2"):
        joint(net, [unit])
    with pytest.raises(ParameterError, match="n is 0; expected at least 1 direction"):
        random_directions(net, "conv2", n=0)


@pytest.mark.parametrize("weight", [-1.0, float("inf"), float("nan"), "even"])
def test_a_weight_under_which_pictures_would_be_alike_is_refused(weight):
    with pytest.raises(ParameterError, match="weight is .*; expected a number from 0, or 'balanced'"):
        diversity(conv_net(), ph.Channel("conv2", 3), weight=weight)
