"""Evolution through the engine of every picture: the same render, never asked for a gradient."""

from __future__ import annotations

import json

import pytest
import torch
from members import SEARCHES, name_of
from networks import SIZE, conv_net, wrapped
from torch import nn

import phosphene as ph
from phosphene import optimizers as o
from phosphene.errors import ParameterError
from phosphene.parameterizations import LowResolution

UNITS = [ph.Channel("conv2", 3), ph.Channel("conv2", 0), ph.Channel("conv2", 5)]


class Deaf(torch.autograd.Function):
    """The identity, which no gradient passes."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        raise AssertionError("asked for a gradient")


class Ears(nn.Module):
    def forward(self, x):
        return Deaf.apply(x)


def deaf_net():
    return wrapped(nn.Sequential(Ears(), *conv_net().module.children()))


def evolve(units, optimizer, steps=6, net=None, **options):
    options = {"parameterization": ph.Fourier(*SIZE), "transforms": ()} | options
    return ph.render(net or conv_net(), units, optimizer=optimizer, steps=steps, progress=False, **options)


@pytest.mark.parametrize("spec", SEARCHES, ids=name_of)
def test_the_score_rises_and_no_gradient_is_asked_for(spec):
    net = deaf_net()
    result = evolve(ph.Channel("3", 1), spec, 12, net)
    assert float(result.final_scores[0]) > float(result.scores[0][0])
    with pytest.raises(AssertionError, match="asked for a gradient"):
        evolve(ph.Channel("3", 1), o.Adam(), 1, net)


def test_a_search_of_few_numbers_comes_near_to_where_the_gradient_does():
    options = {"parameterization": LowResolution(*SIZE, factor=4)}
    climbed = evolve(UNITS[0], o.Adam(0.2), 50, **options)
    evolved = evolve(UNITS[0], o.CMAES(population=10, sigma0=50.0), 30, **options)
    start = float(climbed.scores[0][0])
    assert float(evolved.final_scores[0]) - start > 0.4 * (float(climbed.final_scores[0]) - start)


@pytest.mark.parametrize("spec", SEARCHES, ids=name_of)
def test_an_image_evolves_the_same_alone_and_among_others(spec):
    together, alone = evolve(UNITS, spec, 4), evolve(UNITS[2], spec, 4)
    torch.testing.assert_close(together.images[2], alone.images[0], rtol=0, atol=1e-5)


@pytest.mark.parametrize("spec", SEARCHES, ids=name_of)
def test_the_same_seed_gives_the_same_bits_and_the_recipe_says_all(spec):
    first, second = evolve(UNITS[0], spec, 3), evolve(UNITS[0], spec, 3)
    assert torch.equal(first.images, second.images)
    document = json.loads(json.dumps(first.documents[0]["recipe"]))
    assert ph.Recipe.from_json(document).optimizer == spec
    other = evolve(UNITS[0], spec, 3, seed=1)
    assert not torch.equal(first.images, other.images)


def test_what_is_not_finite_is_lost_and_the_others_go_on():
    class Holes(nn.Module):
        def forward(self, x):
            bad = x.flatten(1).mean(1) > x.flatten(1).mean(1).median()
            return torch.where((bad & (len(x) == 1)).view(-1, 1, 1, 1), torch.nan, x)

    net = wrapped(nn.Sequential(*conv_net().module.children(), Holes()))
    result = evolve(ph.Channel("3", 1), o.CMAES(population=6), 3, net)
    assert bool(result.images.isfinite().all())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"conditioners": (ph.conditioners.Normalize(),)}, "conditioners .* expected nothing beside CMAES"),
        ({"transparency": "gradients"}, "transparency is 'gradients'; expected 'none' beside CMAES"),
    ],
)
def test_what_changes_a_gradient_has_no_place_beside_a_search(options, message):
    with pytest.raises(ParameterError, match=message):
        ph.Recipe(optimizer=o.CMAES(population=6), **options)
