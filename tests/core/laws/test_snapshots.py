"""Law 8: the image kept at step t equals the last image of a run of t steps."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from members import OPTIMIZERS, RECIPES, TRANSFORMS, canvas_for, latents, name_of, parameterizations, transforms_for
from networks import SIZE, conv_net, quick

import phosphene as ph

UNITS = [ph.Channel("conv2", 1), ph.Neuron("conv2", 2)]
#: What is always one batch, so that an interrupt ends it for both.
CHANNELS = [ph.Channel("conv2", 1), ph.Channel("conv2", 4)]


def truthful(steps=5, **options):
    net = conv_net()
    long = quick(net, UNITS, steps=steps, snapshots=range(steps + 1), **options)
    assert sorted(long.snapshots) == list(range(steps + 1))
    assert torch.equal(long.snapshots[steps], long.images)
    for t in range(steps):
        short = quick(net, UNITS, steps=t, **options)
        assert torch.equal(short.images, long.snapshots[t])
        assert all(torch.equal(s, whole[:t]) for s, whole in zip(short.scores, long.scores, strict=True))


@pytest.mark.parametrize("name", RECIPES)
def test_snapshots_of_every_recipe_tell_the_truth(name):
    recipe = replace(ph.recipes.get(name, 24, 22), steps=2)
    net, n_steps = conv_net(), min(5, recipe.total_steps)
    options = {"recipe": replace(recipe, views=min(2, recipe.views)), "progress": False}
    long = ph.render(net, CHANNELS, snapshots=range(n_steps + 1), **options)
    for t in range(1, n_steps + 1):
        # In stages a run of t steps is a run that is ended after t steps.
        short = ph.render(net, CHANNELS, **{**options, "progress": interrupting(t)})
        assert torch.equal(short.images, long.snapshots[t])
        assert all(torch.equal(s, whole[:t]) for s, whole in zip(short.scores, long.scores, strict=True))


def interrupting(t):
    """A progress function that interrupts the run after step t."""
    told = []

    def tell(n):
        told.append(n)
        if len(told) == t:
            raise KeyboardInterrupt

    return tell


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=name_of)
def test_snapshots_of_every_optimizer_tell_the_truth(optimizer):
    truthful(steps=3, optimizer=optimizer)


@pytest.mark.parametrize("transform", TRANSFORMS, ids=name_of)
def test_snapshots_through_every_transform_tell_the_truth(transform):
    canvas = canvas_for(transform, *SIZE)
    truthful(steps=2, transforms=(transform, ph.transforms.ToInput()), views=2, parameterization=canvas)


@pytest.mark.parametrize("parameterization", [*parameterizations(*SIZE), *latents(*SIZE)], ids=name_of)
def test_snapshots_of_every_parameterization_tell_the_truth(parameterization):
    truthful(steps=2, transforms=transforms_for(parameterization), parameterization=parameterization)


def test_snapshots_tell_the_truth_beyond_a_block_of_draws():
    net, options = conv_net(), {"transforms": ph.transforms.random_views(0.5, noise=0.1)}
    long = quick(net, UNITS, steps=70, snapshots=(31, 32, 33, 64, 65), **options)
    for t in (32, 33, 65):
        assert torch.equal(quick(net, UNITS, steps=t, **options).images, long.snapshots[t])


def test_snapshot_zero_is_the_start():
    net = conv_net()
    result = quick(net, UNITS[0], parameterization=ph.Pixels(*net.input_size, sd=0.0), snapshots=(0,), steps=2)
    assert torch.equal(result.snapshots[0], torch.full((1, 3, *net.input_size), 0.5))
    assert not torch.equal(result.images, result.snapshots[0])


def test_snapshots_of_each_picture_go_with_it():
    result = quick(conv_net(), UNITS, snapshots=(1,))
    assert torch.equal(result[1].snapshots[1], result.snapshots[1][1:])
