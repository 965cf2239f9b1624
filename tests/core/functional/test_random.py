"""Random streams: one per image and purpose."""

from __future__ import annotations

import pytest
import torch
from networks import streams

from phosphene.functional.random import numbered


def test_repetitions_are_numbered_and_others_are_not():
    assert numbered(["a", "b", "a", "a", "b"]) == ("a", "b", "a#1", "a#2", "b#1")


def test_purposes_are_independent_and_forks_start_afresh():
    made = streams(2)
    assert torch.equal(made.fork("start").normal(5), made.fork("start").normal(5))
    assert not torch.equal(made.fork("start").normal(5), made.fork("noise").normal(5))


def test_the_draws_of_a_purpose_go_on():
    generators = streams(2).fork("start")
    assert not torch.equal(generators.uniform(4), generators.uniform(4))


def test_draws_have_the_distributions_they_say():
    generators = streams(4).fork("x")
    uniform, normal = generators.uniform(5000), generators.normal(5000)
    assert uniform.shape == normal.shape == (4, 5000)
    assert 0 <= uniform.min() < uniform.max() < 1
    assert (uniform.mean(1) - 0.5).abs().max() < 0.02
    assert (uniform.var(1) - 1 / 12).abs().max() < 0.005
    assert normal.mean(1).abs().max() < 0.06
    assert (normal.std(1) - 1).abs().max() < 0.04
    filled = generators.normal_(torch.empty(4, 5000))
    assert (filled.std(1) - 1).abs().max() < 0.04
    assert torch.corrcoef(filled).fill_diagonal_(0).abs().max() < 0.06


def correlation(a, b):
    return torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1].abs().item()


@pytest.mark.parametrize("kind", ["normal", "uniform"])
def test_draws_on_the_device_are_not_the_numbers_of_those_on_the_cpu(kind):
    """Uniform and normal draws of one seed are the same bits in other clothes: their ranks would agree."""
    made = streams(1)
    here = getattr(made.fork("x"), kind)(8000)
    there = made.fork("x").normal_(torch.empty(1, 8000))
    ranks = [v.flatten().argsort().argsort().float() for v in (here, there)]
    assert correlation(here, there) < 0.05
    assert correlation(*ranks) < 0.05
    assert correlation(here.abs(), there.abs()) < 0.05


def test_draws_on_the_device_come_back_and_are_every_images_own():
    made = streams(2)
    first, again = (made.fork("x").normal_(torch.empty(2, 4000)) for _ in range(2))
    assert torch.equal(first, again)
    assert correlation(first[0], first[1]) < 0.05
    assert correlation(first, made.fork("y").normal_(torch.empty(2, 4000))) < 0.05
