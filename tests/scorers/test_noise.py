"""Simulated noise: its distribution, and that it belongs to the image's number."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from members import NOISES, concrete, name_of

from phosphene import scorers as room
from phosphene.errors import ParameterError
from phosphene.scorers import Additive, Multiplicative, Noise, Poisson
from phosphene.scorers import noise as noise_module

X = torch.from_numpy(np.random.default_rng(0).uniform(0.5, 3, size=(11, 3)))


def test_every_noise_is_in_the_list():
    assert {type(noise) for noise in NOISES} == concrete(room, Noise)


@pytest.mark.parametrize("noise", NOISES, ids=name_of)
@pytest.mark.parametrize("repeats", [1, 4])
def test_noise_belongs_to_the_images_number_however_images_are_batched(noise, repeats):
    whole = noise.apply(X, first=5, repeats=repeats)
    alone = [noise.apply(X[i : i + 1], first=5 + i, repeats=repeats) for i in range(11)]
    assert torch.equal(torch.cat(alone), whole)
    assert not torch.equal(noise.apply(X, first=6, repeats=repeats), whole)


@pytest.mark.parametrize("noise", NOISES, ids=name_of)
def test_equal_responses_get_noise_of_their_own(noise):
    found = noise.apply(torch.ones(50, 2, dtype=torch.float64), first=0)
    assert len(found.unique()) > 20 if not isinstance(noise, Poisson) else len(found.unique()) > 8
    assert not torch.equal(found[:, 0], found[:, 1])


@pytest.mark.parametrize("noise", NOISES, ids=name_of)
def test_another_seed_is_other_noise_and_the_same_seed_the_same(noise):
    assert torch.equal(noise.apply(X, first=0), noise.apply(X, first=0))
    assert not torch.equal(replace(noise, seed=4).apply(X, first=0), noise.apply(X, first=0))


@pytest.mark.parametrize("noise", NOISES, ids=name_of)
def test_lost_responses_stay_lost_and_change_no_other(noise):
    some = X.clone()
    some[3, 1] = torch.nan
    found, whole = noise.apply(some, first=0), noise.apply(X, first=0)
    assert found.isnan().nonzero().tolist() == [[3, 1]]
    assert torch.equal(found[:3], whole[:3])
    assert torch.equal(X, X.clone())


@pytest.mark.parametrize("noise", NOISES, ids=name_of)
def test_noise_leaves_global_random_state_alone_and_comes_back_from_json(noise):
    before = np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    noise.apply(X, first=0)
    assert (np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()) == before
    assert Noise.from_json(json.loads(json.dumps(noise.to_json()))) == noise


def moments(noise, value, repeats=1, n=6_000):
    found = noise.apply(torch.full((n, 1), float(value), dtype=torch.float64), first=0, repeats=repeats).numpy()
    return found.mean(), found.var()


@pytest.mark.parametrize("value", [0.2, 3.0])
@pytest.mark.parametrize("scale", [0.5, 20.0])
@pytest.mark.parametrize("repeats", [1, 5])
def test_poisson_noise_has_the_responses_mean_and_its_share_as_variance(value, scale, repeats):
    mean, variance = moments(Poisson(scale=scale), value, repeats)
    assert mean == pytest.approx(value, abs=5 * np.sqrt(value / scale / 6_000 / repeats))
    assert variance == pytest.approx(value / scale / repeats, rel=0.15)


def test_poisson_noise_is_whole_counts_over_the_scale_and_zero_below_zero():
    counts = 4 * Poisson(scale=4.0).apply(X, first=0)
    assert torch.equal(counts, counts.round())
    assert torch.equal(Poisson(scale=4.0).apply(-X, first=0), torch.zeros_like(X))


def test_huge_rates_are_themselves():
    assert Poisson(scale=1.0).apply(torch.tensor([[1e30]], dtype=torch.float64), first=0).item() == 1e30


def test_multiplicative_noise_is_the_cut_gain_of_wang_and_ponce():
    rng = np.random.default_rng(5)
    gains = np.maximum(0, 1 + 0.8 * rng.standard_normal(400_000))
    mean, variance = moments(Multiplicative(sd=0.8), -2.0)
    assert mean == pytest.approx(-2 * gains.mean(), rel=0.05)
    assert variance == pytest.approx(4 * gains.var(), rel=0.1)


def test_the_literal_draws_of_each_noise():
    for noise, formula in (
        (Multiplicative(7, sd=0.3), lambda s, d: s * np.maximum(0, 1 + 0.3 * d.standard_normal((4, 3)))),
        (Additive(7, sd=0.3), lambda s, d: s + 0.3 * d.standard_normal((4, 3))),
        (Poisson(7, scale=9.0), lambda s, d: d.poisson(np.broadcast_to(s * 9, (4, 3))) / 9),
    ):
        found = noise.apply(X, first=2, repeats=4).numpy()
        for i, row in enumerate(X.numpy()):
            draws = np.random.Generator(np.random.Philox(key=[7, 2 + i]))
            np.testing.assert_allclose(found[i], formula(row, draws).mean(0), rtol=1e-12)


@pytest.mark.parametrize("noise", NOISES, ids=name_of)
def test_many_repeats_are_drawn_in_parts_that_go_on_with_the_same_numbers(noise, monkeypatch):
    whole, shapes, trials = noise.apply(X, first=3, repeats=50), [], type(noise).trials

    def noticed(self, responses, draws):
        shapes.append(responses.shape)
        return trials(self, responses, draws)

    monkeypatch.setattr(type(noise), "trials", noticed)
    monkeypatch.setattr(noise_module, "_AT_ONCE", 48)
    torch.testing.assert_close(noise.apply(X, first=3, repeats=50), whole, rtol=1e-13, atol=0)
    assert shapes == [(16, 3), (16, 3), (16, 3), (2, 3)] * len(X)


def test_additive_noise_has_its_standard_deviation():
    mean, variance = moments(Additive(sd=0.5), 1.0, repeats=4)
    assert mean == pytest.approx(1, abs=0.03)
    assert variance == pytest.approx(0.25 / 4, rel=0.1)


def test_no_noise_is_the_identity():
    assert torch.equal(Multiplicative(sd=0.0).apply(X, first=0), X)
    assert torch.equal(Additive(sd=0.0).apply(X, first=0), X)


def test_noise_out_of_range_is_refused():
    for build, sentence in (
        (lambda: Poisson(scale=0.0), "scale is 0.0; expected a number above 0"),
        (lambda: Multiplicative(sd=-1.0), "sd is -1.0; expected a number from 0"),
        (lambda: Additive(sd=float("inf")), "sd is inf; expected a number from 0"),
        (lambda: Poisson(-1), "seed is -1; expected a whole number from 0"),
    ):
        with pytest.raises(ParameterError, match=sentence):
            build()
