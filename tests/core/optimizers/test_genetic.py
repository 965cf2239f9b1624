"""The genetic algorithm: who breeds, what is inherited, what is shown again."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from searching import DOUBLE, generation, hidden, restored, run, same_state, sphere

from phosphene import optimizers as o
from phosphene.errors import ParameterError
from phosphene.optimizers.genetic import chances

SPEC = o.Genetic(population=20)


def test_chances_are_the_literal_formula_with_scores_cut_at_the_percentile():
    scores = np.random.default_rng(1).normal(size=40) * 3
    scores[7], scores[11] = 1e6, math.nan
    known = scores[~np.isnan(scores)]
    cut = np.minimum(scores, np.percentile(known, 95))
    temperature = np.nanstd(cut) / 2.0
    expected = np.nan_to_num(np.exp((cut - np.nanmax(cut)) / temperature))
    np.testing.assert_allclose(chances(torch.from_numpy(scores), 2.0, 95.0).numpy(), expected, rtol=1e-9)
    assert int((chances(torch.from_numpy(scores), 2.0, 95.0) == 1).sum()) == 2


@pytest.mark.parametrize("scale", [1e-300, 1e-10, 1e200])
def test_the_unit_of_the_scores_does_not_count(scale):
    scores = torch.randn(40, generator=torch.Generator().manual_seed(2), dtype=DOUBLE)
    torch.testing.assert_close(chances(scores * scale, 2.0, 95.0), chances(scores, 2.0, 95.0), rtol=1e-9, atol=0)
    found = []
    for factor in (scale, 1.0):
        unit = hidden(64)
        search = run(o.Genetic(population=40).search(64, seed=0), lambda x, f=factor, u=unit: u(x) * f, 60)
        found.append(float(unit(search.recommend()[None])[0]))
    assert found[0] == pytest.approx(found[1], abs=0.01)
    assert found[1] > 0.95


def test_the_largest_scores_there_are_do_not_overflow():
    found = chances(torch.tensor([1.0, math.nan, 1.7e308, -1.7e308], dtype=DOUBLE), 2.0, 100.0)
    assert found[1:3].tolist() == [0, 1]
    assert 0 < float(found[3]) < float(found[0]) < 1


def test_equal_scores_give_equal_chances():
    assert chances(torch.full((5,), 3.0, dtype=DOUBLE), 2.0, 95.0).tolist() == [1] * 5
    assert chances(torch.tensor([0.0, math.nan, 0.0], dtype=DOUBLE), 2.0, 95.0).tolist() == [1, 0, 1]


def test_a_wild_response_takes_all_only_without_the_cut():
    scores = torch.tensor([1.0] * 38 + [2.0, 1e9], dtype=DOUBLE)
    share = [float(c[-1] / c.sum()) for c in (chances(scores, 50.0, 95.0), chances(scores, 50.0, 100.0))]
    assert share[0] <= 0.5 < 0.99 < share[1]


def test_the_first_generation_is_normal_and_given_codes_are_shown_first():
    codes = o.Genetic(population=2000).search(4, seed=1).ask().codes
    assert float(codes.mean()) == pytest.approx(0, abs=0.05)
    assert float(codes.std()) == pytest.approx(1, abs=0.05)
    given = torch.arange(12.0, dtype=DOUBLE).view(3, 4)
    assert torch.equal(SPEC.search(4, origin=given).ask().codes[:3], given)
    assert float((SPEC.search(4, origin=given).ask().codes[3:] - given[0]).abs().max()) > 0


def test_the_best_go_on_unchanged_and_best_first():
    spec = o.Genetic(population=20, n_conserve=3)
    codes, scores = generation(search := spec.search(6, seed=1), sphere)
    assert torch.equal(search.ask().codes[:3], codes[scores.argsort(descending=True)[:3]])


def test_with_elitism_the_best_of_a_generation_never_falls():
    for spec in (o.Genetic(population=15), o.wang_ponce_genetic()):
        search = spec.search(10, seed=2)
        best = [float(generation(search, sphere)[1].max()) for _ in range(30)]
        assert best == sorted(best)
        assert best[-1] > best[0]


def test_without_it_the_best_of_a_generation_may_fall():
    search = o.Genetic(population=15, n_conserve=0).search(10, seed=2)
    best = [float(generation(search, sphere)[1].max()) for _ in range(30)]
    assert best != sorted(best)


def test_what_got_no_score_is_shown_again_behind_the_best():
    search = o.Genetic(population=10, n_conserve=2).search(6, seed=1)
    asked = search.ask()
    scores = sphere(asked.codes)
    scores[[1, 4, 9]] = math.nan
    search.tell(asked.ids, scores)
    best = scores.nan_to_num(-math.inf).argsort(descending=True)[:2]
    assert torch.equal(search.ask().codes[:2], asked.codes[best])
    assert torch.equal(search.ask().codes[2:5], asked.codes[[1, 4, 9]])


def test_what_a_share_did_not_wait_for_is_shown_again_too():
    search = o.Genetic(population=10, share=0.5).search(6, seed=1)
    asked = search.ask()
    search.tell(asked.ids[5:], sphere(asked.codes[5:]))
    assert torch.equal(search.ask().codes[1:6], asked.codes[:5])


@pytest.mark.parametrize("others", [1.0, math.nan])
def test_what_never_gets_a_score_is_shown_three_times_in_all(others):
    search = o.Genetic(population=10, n_conserve=0).search(6, seed=1)
    code, n = search.ask().codes[3], 0
    for _ in range(6):
        asked = search.ask()
        hopeless = (asked.codes == code).all(1)
        n += int(hopeless.sum())
        other = restored(search.spec, search)
        search.tell(asked.ids, torch.full((10,), others).masked_fill(hopeless, math.nan))
        other.tell(asked.ids, torch.full((10,), others).masked_fill(hopeless, math.nan))
        assert same_state(search.state_dict(), other.state_dict())
    assert n == 3


def test_what_gets_a_score_in_the_end_may_be_lost_twice_again():
    search = o.Genetic(population=10, n_conserve=1).search(6, seed=1)
    code = search.ask().codes[3]
    for lost in (True, True, False, True, True, False):
        asked = search.ask()
        mine = (asked.codes == code).all(1)
        assert int(mine.sum()) == 1
        search.tell(asked.ids, torch.zeros(10).masked_fill(mine, math.nan if lost else 1.0))
    assert search.in_vain == [0]


def test_a_unit_that_refuses_a_part_of_the_codes_does_not_stop_the_search():
    search, lost = o.Genetic(population=40).search(20, seed=0), []
    for _ in range(60):
        asked = search.ask()
        scores = asked.codes.sum(1).masked_fill(asked.codes[:, 0] > 0.3, math.nan)
        lost.append(int(scores.isnan().sum()))
        search.tell(asked.ids, scores)
    assert max(lost[20:]) < 30
    assert search.best_observed.score > 25


def test_one_of_the_best_stays_however_many_are_shown_again():
    search = o.Genetic(population=10, n_conserve=5).search(6, seed=1)
    asked = search.ask()
    search.tell(asked.ids, [math.nan] * 4 + [1.0] + [math.nan] * 5)
    assert torch.equal(search.ask().codes[0], asked.codes[4])
    assert torch.equal(search.ask().codes[1:], asked.codes[[0, 1, 2, 3, 5, 6, 7, 8, 9]])


def test_without_mutation_every_number_is_one_of_a_parents():
    spec = o.Genetic(population=30, mutation_rate=0.0, n_conserve=0)
    search = spec.search(50, seed=1)
    before, _ = generation(search, sphere)
    for child in search.ask().codes:
        inherited = child == before
        assert bool(inherited.any(0).all())
        shares = inherited.double().mean(1).sort(descending=True).values
        # Both parents may be the same.
        assert float(shares[0]) == 1 or float(shares[:2].sum()) >= 1


@pytest.mark.parametrize("heritability", [0.0, 0.75, 1.0])
def test_the_first_parent_gives_its_share(heritability):
    spec = o.Genetic(population=40, mutation_rate=0.0, n_conserve=0, heritability=heritability)
    search = spec.search(400, seed=1)
    before, _ = generation(search, lambda x: torch.zeros(len(x), dtype=DOUBLE))
    shares = [float((child == before).double().mean(1).max()) for child in search.ask().codes]
    expected = max(heritability, 1 - heritability)
    assert np.median(shares) == pytest.approx(expected, abs=0.03)


def test_mutations_have_their_rate_and_size():
    spec = o.Genetic(population=12, mutation_rate=0.25, mutation_size=0.75, n_conserve=0, heritability=1.0)
    search = spec.search(2000, seed=1)
    before, _ = generation(search, sphere)
    for child in search.ask().codes:
        parent = before[(child == before).sum(1).argmax()]
        mutated = child != parent
        assert float(mutated.double().mean()) == pytest.approx(0.25, abs=0.05)
        assert float((child - parent)[mutated].std()) == pytest.approx(0.75, abs=0.1)


def test_nothing_changes_without_mutation_and_with_all_but_one_conserved():
    spec = o.Genetic(population=10, mutation_rate=0.0, n_conserve=9)
    search = spec.search(5, seed=1)
    codes, scores = generation(search, sphere)
    best = codes[scores.argsort(descending=True)[:9]]
    for _ in range(5):
        generation(search, sphere)
        assert torch.equal(search.ask().codes[0], best[0])
        assert float(sphere(search.ask().codes[:9]).min()) >= float(sphere(best).min())


def test_a_hundred_numbers_go_from_minus_70_to_minus_50_in_a_hundred_generations():
    for spec in (o.wang_ponce_genetic(), o.Genetic(population=20)):
        first, last = [], []
        for seed in range(3):
            search = spec.search(100, seed=seed)
            best = [float(generation(search, sphere)[1].max()) for _ in range(101)]
            first.append(best[0])
            last.append(best[-1])
        assert -78 < np.mean(first) < -64
        assert -54 < np.mean(last) < -42


def test_the_recommended_code_is_better_than_the_luckiest_one_under_noise():
    unit, noise = hidden(60), torch.Generator().manual_seed(3)
    search = o.Genetic(population=40).search(60, seed=1)
    run(search, lambda x: unit(x) + 0.3 * torch.randn(len(x), generator=noise, dtype=DOUBLE), 40)
    lucky = search.best_observed
    clean = [float(unit(code[None])[0]) for code in (search.recommend(), lucky.code)]
    assert clean[0] > clean[1]
    assert lucky.score > clean[1] + 0.2


def test_the_published_settings():
    assert o.wang_ponce_genetic() == o.Genetic(
        population=40, mutation_rate=0.25, mutation_size=0.75, selectivity=0.5, heritability=0.75, n_conserve=10
    )
    assert o.xdream_genetic() == o.Genetic(
        population=20, mutation_rate=0.5, mutation_size=0.5, selectivity=2.0, heritability=0.5, n_conserve=0
    )


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: o.Genetic(mutation_rate=1.5), r"mutation_rate is 1.5; expected a probability in \[0, 1\]"),
        (lambda: o.Genetic(heritability=-0.1), "heritability is -0.1"),
        (lambda: o.Genetic(mutation_size=-1.0), "mutation_size is -1.0; expected a number from 0"),
        (lambda: o.Genetic(selectivity=0.0), "selectivity is 0.0; expected a number above 0"),
        (lambda: o.Genetic(n_conserve=-1), "n_conserve is -1; expected a whole number from 0"),
        (lambda: o.Genetic(clip_percentile=0.0), r"clip_percentile is 0.0; expected a number in \(0, 100\]"),
        (
            lambda: o.Genetic(population=5, n_conserve=5).search(4),
            "n_conserve is 5; expected fewer than the population, 5",
        ),
    ],
)
def test_parameters_out_of_range_are_refused(build, message):
    with pytest.raises(ParameterError, match=message):
        build()
