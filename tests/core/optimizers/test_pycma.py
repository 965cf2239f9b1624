"""The adapter to pycma: the same search as pycma's own loop, and what the adapter adds."""

from __future__ import annotations

import math
import sys
import warnings

import cma
import numpy as np
import pytest
import torch
from searching import DOUBLE, ellipsoid, evaluations, generation, restored, run, same_state, sphere

from phosphene import optimizers as o
from phosphene.errors import MissingExtraError, ParameterError
from phosphene.functional.random import stream_seed

SPEC = o.PyCMA(population=10, sigma0=0.5)


def own_loop(score, n_generations, dim=6, seed=3, diagonal=False):
    """pycma used as its documentation says, told the scores themselves."""
    randn = np.random.RandomState(stream_seed(seed, "pycma") % 2**32).randn
    options = {"popsize": 10, "randn": randn, "seed": math.nan, "verbose": -9, "CMA_diagonal": diagonal, "verb_log": 0}
    es = cma.CMAEvolutionStrategy(np.ones(dim), 0.5, options)
    for _ in range(n_generations):
        codes = es.ask()
        es.tell(codes, (-score(torch.tensor(np.array(codes)))).tolist())
    return es


@pytest.mark.parametrize("diagonal", [False, True])
def test_the_trajectory_is_that_of_pycmas_own_loop(diagonal):
    spec = o.PyCMA(population=10, sigma0=0.5, diagonal=diagonal)
    search = run(spec.search(6, seed=3, origin=torch.ones(6, dtype=DOUBLE)), ellipsoid, 30)
    es = own_loop(ellipsoid, 30, diagonal=diagonal)
    np.testing.assert_array_equal(search.recommend().numpy(), es.mean)
    assert search.figures()["sigma"] == es.sigma
    np.testing.assert_array_equal(search.ask().codes.numpy(), np.array(es.ask()))


def test_it_needs_as_many_evaluations_as_is_known():
    found = evaluations(SPEC.search(10, seed=1, origin=torch.ones(10, dtype=DOUBLE)), sphere, 1e-9, 3000)
    assert found == pytest.approx(1490, rel=0.25)


@pytest.mark.parametrize("dim", [10, 1200])
def test_it_starts_with_the_spread_of_our_own(dim):
    assert o.PyCMA(diagonal=True).search(dim).figures()["sigma"] == o.CMAES().sigma0 == 1


def test_it_never_stops():
    search = run(SPEC.search(3, seed=1), lambda x: torch.zeros(len(x), dtype=DOUBLE), 30)
    mean = search.recommend()
    run(search, lambda x: torch.zeros(len(x), dtype=DOUBLE), 1)
    assert not torch.equal(search.recommend(), mean)
    assert search.generation == 31


def test_lost_candidates_count_as_middling_ones():
    search, values = SPEC.search(4, seed=1), [9.0, math.nan, 7.0, 6.0, math.nan, 4.0, 3.0, 2.0, 1.0, 0.0]
    search.tell(search.ask().ids, values)
    assert search.told[0].tolist() == [0, 3.5, 1, 2, 3.5, 3, 4, 5, 6, 7]


def test_a_generation_that_was_lost_is_drawn_anew_and_survives_saving():
    search = run(SPEC.search(4, seed=1), sphere, 2)
    before = search.ask()
    search.tell(before.ids, [math.nan] * 10)
    assert not torch.equal(search.ask().codes, before.codes)
    run(search, sphere, 2)
    other = restored(SPEC, search)
    assert torch.equal(other.ask().codes, search.ask().codes)
    assert same_state(run(other, sphere, 3).state_dict(), run(search, sphere, 3).state_dict())


def test_candidates_beyond_the_population_are_told_and_survive_saving():
    search = SPEC.search(4, seed=1)
    asked, extra = search.ask(), search.ask(5)
    search.tell(extra.ids, sphere(extra.codes))
    search.tell(asked.ids, sphere(asked.codes))
    generation(search, sphere)
    assert len(search.told[0]) == 15 - 5 + 5
    assert torch.equal(restored(SPEC, search).ask().codes, search.ask().codes)


def test_a_generation_ended_early_is_filled_up():
    search = SPEC.search(4, seed=1)
    asked = search.ask(4)
    search.tell(asked.ids, sphere(asked.codes))
    search.advance()
    assert len(search.told[0]) == 10
    assert torch.equal(restored(SPEC, search).ask().codes, search.ask().codes)


def test_many_dimensions_of_the_diagonal_form_still_use_the_path_of_the_step_size():
    search = o.PyCMA(diagonal=True).search(400, seed=1)
    assert search.population == 29
    assert isinstance(search.inner.adapt_sigma, cma.sigma_adaptation.CMAAdaptSigmaCSA)
    pieces = [search.ask(1) for _ in range(29)]
    for piece in pieces[::-1]:
        search.tell(piece.ids, sphere(piece.codes))
    assert bool(search.ask().codes.isfinite().all())


def test_the_state_is_what_was_told_and_small():
    state = run(o.PyCMA(sigma0=0.5).search(40, seed=1), sphere, 50).state_dict()
    assert sum(v.numel() * v.element_size() for v in state.values() if isinstance(v, torch.Tensor)) < 20000


def test_no_file_is_written_and_no_warning_given(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(SPEC.search(4, seed=1), sphere, 5)
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr() == ("", "")


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cma", None)
    with pytest.raises(MissingExtraError, match=r"PyCMA needs the extra 'cma'.*pip install 'phosphene\[cma\]'"):
        SPEC.search(4)
    assert o.PyCMA.from_json(SPEC.to_json()) == SPEC


def test_parameters_out_of_range_are_refused():
    with pytest.raises(ParameterError, match="sigma0 is 0.0; expected a number above 0"):
        o.PyCMA(sigma0=0.0)
    with pytest.raises(
        ParameterError, match="dim is 5001; expected 5000 or less .* take diagonal=True, or CMAES.cov='iso'"
    ):
        o.PyCMA().search(5001)
    assert [o.PyCMA().population_for(n) for n in (10, 100)] == [10, 17]
