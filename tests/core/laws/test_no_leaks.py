"""Law 7: nothing leaks: no hook, no gradient, no mode, no global random state, no changed argument; after success, error, interrupt."""

from __future__ import annotations

from contextlib import nullcontext, suppress

import numpy as np
import pytest
import torch
from members import (
    OPTIMIZERS,
    RECIPES,
    TRANSFORMS,
    UNITS,
    canvas_for,
    latents,
    name_of,
    parameterizations,
    transforms_for,
)
from networks import SIZE, conv_net, dead_net, quick, random_images
from torch import nn

import phosphene as ph
from phosphene import transforms as t

HOOKS = [name for name in vars(nn.Module()) if name.endswith("_hooks")]


def hooks(module):
    return [[len(getattr(part, name) or ()) for name in HOOKS] for part in module.modules()]


def picture_of(net):
    """Everything about a module and the process that a render must leave as it was."""
    module = net.module
    # Not the state of `random`: the type checks that run in the tests draw from it.
    numpy_state = np.random.get_state()
    return {
        "hooks": hooks(module),
        "training": [part.training for part in module.modules()],
        "requires_grad": [p.requires_grad for p in module.parameters()],
        "grad": [None if p.grad is None else p.grad.clone().tolist() for p in module.parameters()],
        "values": [v.clone().tolist() for v in module.state_dict().values()],
        "strides": [v.stride() for v in module.state_dict().values()],
        "ids": [id(p) for p in module.parameters()],
        "names": [n for n, _ in module.named_modules()],
        "torch": torch.get_rng_state().tolist(),
        "numpy": (numpy_state[1].tolist(), numpy_state[2:]),
        "threads": torch.get_num_threads(),
        "grad_mode": torch.is_grad_enabled(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
    }


@pytest.fixture
def net():
    """A network in an unusual state: partly training, partly frozen, with a gradient and a hook of its owner."""
    found = conv_net()
    found.module.train()
    found.module.act1.eval()
    found.module.conv1.weight.requires_grad_(False)
    found.module.conv2.weight.grad = torch.ones_like(found.module.conv2.weight)
    found.module.conv2.register_forward_hook(lambda module, inputs, output: None)
    return found


def unchanged(net, render):
    before = picture_of(net)
    render()
    assert picture_of(net) == before


@pytest.mark.parametrize("unit", UNITS, ids=name_of)
def test_nothing_leaks_after_a_render_of_any_unit(net, unit):
    unchanged(net, lambda: quick(net, unit, steps=2))


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=name_of)
def test_nothing_leaks_after_a_render_with_any_optimizer(net, optimizer):
    unchanged(net, lambda: quick(net, ph.Channel("conv2", 0), optimizer=optimizer, steps=2))


@pytest.mark.parametrize("transform", TRANSFORMS, ids=name_of)
def test_nothing_leaks_after_a_render_with_any_transform(net, transform):
    options = {"transforms": [transform, t.ToInput()], "parameterization": canvas_for(transform, *SIZE)}
    unchanged(net, lambda: quick(net, ph.Channel("conv2", 0), views=2, steps=2, **options))


@pytest.mark.parametrize("parameterization", [*parameterizations(*SIZE), *latents(*SIZE)], ids=name_of)
def test_nothing_leaks_after_a_render_of_any_parameterization(net, parameterization):
    options = {"transforms": transforms_for(parameterization), "parameterization": parameterization}
    unchanged(net, lambda: quick(net, ph.Channel("conv2", 0), steps=2, **options))


@pytest.mark.parametrize("name", RECIPES)
def test_nothing_leaks_after_a_render_with_any_recipe(net, name):
    recipe = ph.recipes.get(name, 24, 22)
    unchanged(net, lambda: ph.render(net, ph.Channel("conv2", 0), recipe=recipe, steps=2, progress=False))


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, torch.OutOfMemoryError, SystemExit])
@pytest.mark.parametrize("at", [1, 3])
def test_nothing_leaks_after_a_failing_transform(net, error, at):
    calls = []

    def fail(views):
        calls.append(1)
        if len(calls) == at:
            raise error("on purpose")
        return views

    def render():
        # An interrupt during the steps ends the run; everything else comes out as it is.
        with pytest.raises(error, match="on purpose") if at == 1 or error is not KeyboardInterrupt else nullcontext():
            quick(net, ph.Channel("conv2", 0), transforms=[fail], steps=4)

    unchanged(net, render)
    assert len(calls) >= at


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_nothing_leaks_after_a_failing_progress_function(net, error):
    def fail(done):
        raise error("on purpose")

    def render():
        with suppress(error):
            quick(net, ph.Channel("conv2", 0), progress=fail)

    unchanged(net, render)


def test_nothing_leaks_from_a_refused_render(net):
    def render():
        with pytest.raises(ph.errors.UnknownLayerError, match="conv9"):
            quick(net, ph.Channel("conv9", 0))

    unchanged(net, render)


def test_nothing_leaks_after_restarts_of_a_dead_start():
    net = dead_net()
    unchanged(net, lambda: quick(net, ph.Logit(0)))


def test_the_callers_list_of_transforms_is_not_changed():
    def own(views):
        return views

    given = [t.Jitter(0), t.ToInput(), own, t.GaussianNoise(0.0), t.Resize(*SIZE)]
    kept = list(given)
    quick(conv_net(), ph.Channel("conv2", 0), transforms=given)
    assert given == kept
    assert given[2] is own


def test_the_callers_objectives_start_and_snapshots_are_not_changed():
    net, start = conv_net(), random_images(1, 3, SIZE, dtype=torch.float32)
    kept, objectives, steps = start.clone(), [ph.Channel("conv2", 0), ph.Channel("conv2", 1)], [0, 2]
    quick(net, objectives, parameterization=ph.Pixels(*SIZE, start=start), snapshots=steps)
    assert torch.equal(start, kept)
    assert objectives == [ph.Channel("conv2", 0), ph.Channel("conv2", 1)]
    assert steps == [0, 2]


def test_pictures_are_a_copy_that_later_renders_do_not_change():
    net = conv_net()
    first = quick(net, ph.Channel("conv2", 0), snapshots=(0, 1))
    kept = first.images.clone(), first.snapshots[0].clone(), first.snapshots[1].clone()
    quick(net, ph.Channel("conv2", 1))
    assert torch.equal(first.images, kept[0])
    assert torch.equal(first.snapshots[0], kept[1])
    assert torch.equal(first.snapshots[1], kept[2])
    assert not first.images.requires_grad
