"""What the public door takes beside the plain call, and what it refuses."""

from __future__ import annotations

import pytest
import torch
from networks import conv_net, quick

import phosphene as ph
from phosphene.errors import ArgumentError, ParameterError

UNITS = [ph.Channel("conv2", 1), ph.Channel("conv2", 2), ph.Channel("conv2", 4)]


@pytest.mark.parametrize(
    "give", [iter, tuple, lambda units: (u for u in units)], ids=["iterator", "tuple", "generator"]
)
def test_any_iterable_of_objectives_is_taken(give):
    result = quick(conv_net(), give(UNITS))
    assert result.names == ("conv2:1", "conv2:2", "conv2:4")
    assert torch.equal(result.images, quick(conv_net(), UNITS).images)


def shrunk(views):
    return views * 0.5


@pytest.mark.parametrize("one", [ph.transforms.Jitter(3), shrunk], ids=["transform", "function"])
def test_a_single_transform_is_a_chain_of_one(one):
    alone, listed = (quick(conv_net(), UNITS[0], transforms=given) for given in (one, [one]))
    assert alone.documents[0]["recipe"] == listed.documents[0]["recipe"]
    assert torch.equal(alone.images, listed.images)


def test_any_iterable_of_transforms_is_used_up_once():
    given = (t for t in [ph.transforms.Jitter(3), ph.transforms.GaussianNoise(0.1)])
    result = quick(conv_net(), UNITS, transforms=given)
    kinds = [[t["kind"] for t in d["recipe"]["transforms"]] for d in result.documents]
    assert kinds == [["Jitter", "GaussianNoise"]] * 3


@pytest.mark.parametrize(("snapshots", "steps"), [(2, [2]), (0, [0]), ([0, 2], [0, 2]), (range(1, 4), [1, 2, 3])])
def test_snapshots_are_a_step_or_several(snapshots, steps):
    result = quick(conv_net(), UNITS[0], snapshots=snapshots)
    assert sorted(result.snapshots) == steps
    expected = quick(conv_net(), UNITS[0], steps=steps[-1], transforms=())
    assert torch.equal(result.snapshots[steps[-1]], expected.images)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": "0"}, "seed is '0'; expected a whole number"),
        ({"seed": 1.5}, "seed is 1.5; expected a whole number"),
        ({"seed": True}, "seed is True; expected a whole number"),
        ({"seed": None}, "seed is None; expected a whole number"),
        ({"batch_size": "2"}, "batch_size is '2'; expected a whole number"),
        ({"batch_size": 2.0}, "batch_size is 2.0; expected a whole number"),
        ({"batch_size": True}, "batch_size is True; expected a whole number"),
        ({"recipe": "lucid"}, r"recipe must be a Recipe, such as ph.recipes.get\('lucid'\); got 'lucid'"),
        ({"recipe": {"steps": 3}}, "recipe must be a Recipe"),
        ({"snapshots": 1.5}, "snapshots is 1.5; expected a whole number"),
        ({"snapshots": "12"}, "snapshots is '1'|snapshots is '2'"),
        ({"transforms": 3}, "a transform is a value from phosphene.transforms or a function of views; got 3"),
        ({"transforms": "jitter"}, "a transform is a value from phosphene.transforms or a function of views; got 'j'"),
    ],
    ids=str,
)
def test_an_argument_of_the_wrong_kind_is_refused(options, message):
    told = []
    with pytest.raises(ArgumentError, match=message):
        quick(conv_net(), UNITS, progress=told.append, **options)
    assert told == []


@pytest.mark.parametrize("empty", [[], (), iter([])], ids=["list", "tuple", "iterator"])
def test_no_objective_at_all_is_refused(empty):
    with pytest.raises(ParameterError, match="there is nothing to render: the list of objectives is empty"):
        quick(conv_net(), empty)
