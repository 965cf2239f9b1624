"""Random streams: one per image and purpose."""

from __future__ import annotations

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
