"""Asking and telling: subsets, repeats, late and lost scores, shares, and what is refused."""

from __future__ import annotations

import math

import pytest
import torch
from searching import DOUBLE, generation, run, sphere

from phosphene import optimizers as o
from phosphene.errors import ArgumentError, ParameterError
from phosphene.optimizers.candidates import candidate_id, parse_id

SPEC = o.CMAES(population=10)


def test_candidates_are_numbered_through_and_named_by_their_generation():
    search = SPEC.search(4)
    assert search.ask().ids == tuple(f"g0000c{i:03d}" for i in range(10))
    run(search, sphere, 3)
    assert search.ask(1).ids == ("g0003c000",)
    assert len(search.ask()) == 10


@pytest.mark.parametrize("text", ["g0000c000 ", "g0c0", "g00000c000", "g٠٠٠٠c000", "G0000c000", "", None, 7])
def test_a_candidate_has_one_name_only(text):
    assert parse_id(text) is None
    assert parse_id(candidate_id(12, 3)) == (12, 3)
    assert parse_id(candidate_id(12345, 1234)) == (12345, 1234)


def test_what_has_a_score_is_not_asked_for_again():
    search = SPEC.search(4)
    asked = search.ask()
    search.tell(asked.ids[2:9], range(7))
    again = search.ask()
    assert again.ids == ("g0000c000", "g0000c001", "g0000c009")
    assert torch.equal(again.codes, asked.codes[[0, 1, 9]])


def test_an_update_needs_the_whole_generation_unless_a_share_is_enough():
    for share, needed in ((1.0, 10), (0.55, 6), (0.7, 7), (0.01, 1)):
        search = o.CMAES(population=10, share=share).search(4)
        asked = search.ask()
        told = [search.tell([id_], [0.0]).updated for id_ in asked.ids[:needed]]
        assert told == [False] * (needed - 1) + [True]
        assert search.generation == 1
        assert search.n_needed == needed


def test_a_share_is_not_rounded_up_by_the_last_bit():
    assert o.CMAES(population=100, share=0.55).search(4).n_needed == 55
    assert o.CMAES(population=10, share=0.3).search(4).n_needed == 3


def test_what_is_missing_of_a_share_counts_as_lost():
    spec = o.CMAES(population=10, share=0.6)
    lazy, told = spec.search(4, seed=1), o.CMAES(population=10).search(4, seed=1)
    asked, scores = lazy.ask(), sphere(lazy.ask().codes)
    lazy.tell(asked.ids[:6], scores[:6])
    told.ask()
    told.tell(asked.ids, [*scores[:6].tolist(), *[math.nan] * 4])
    assert torch.equal(lazy.ask().codes, told.ask().codes)


def test_extra_candidates_are_learned_from():
    search = SPEC.search(4, seed=1)
    asked, extra = search.ask(), search.ask(5)
    assert extra.ids == tuple(f"g0000c{i:03d}" for i in range(10, 15))
    search.tell(extra.ids, sphere(extra.codes))
    assert search.tell(asked.ids[:5], sphere(asked.codes[:5])).updated
    assert search.best_observed.score == max(sphere(extra.codes).max(), sphere(asked.codes[:5]).max())
    plain = SPEC.search(4, seed=1)
    generation(plain, sphere)
    assert not torch.equal(plain.recommend(), search.recommend())


def test_a_part_of_a_generation_can_be_asked_and_told_before_the_rest():
    whole, parts = SPEC.search(4, seed=1), SPEC.search(4, seed=1)
    generation(whole, sphere)
    for n in (4, 3, 3):
        piece = parts.ask(n)
        parts.tell(piece.ids, sphere(piece.codes))
    assert torch.equal(whole.ask().codes, parts.ask().codes)


def test_scores_of_a_generation_that_is_over_are_ignored():
    search = run(SPEC.search(4), sphere, 2)
    before = search.state_dict()
    assert search.tell(["g0000c003", "g0001c009"], [1e9, 1e9]) == o.Told(0, 2, False)
    assert search.best_observed.score < 0
    assert search.state_dict()["scored"] == before["scored"]


def test_a_score_stands_whatever_is_told_later():
    search = SPEC.search(4)
    asked = search.ask()
    assert search.tell(asked.ids[:2], [1.0, 2.0]) == o.Told(2, 0, False)
    assert search.tell(asked.ids[:3], [9.0, math.nan, 3.0]) == o.Told(1, 2, False)
    assert search.best_observed.score == 3.0
    assert search.state_dict()["scores"].tolist() == [[1, 1], [2, 1], [3, 1]]


def test_what_was_given_up_for_lost_may_come_in_after_all():
    search = SPEC.search(4)
    asked = search.ask()
    assert search.tell(asked.ids[:1], [math.nan]).n_new == 1
    assert search.tell(asked.ids[:1], [math.nan]).n_new == 0
    assert search.tell(asked.ids[:1], [4.0]).n_new == 1
    assert search.best_observed.score == 4.0
    assert search.tell(asked.ids[:1], [5.0]).n_new == 0


def test_repeats_within_a_call_are_averaged_by_their_counts_and_lost_ones_do_not_count():
    search = SPEC.search(4)
    ids = search.ask().ids
    search.tell([ids[0], ids[1], ids[0], ids[0]], [1.0, 5.0, 4.0, math.nan], [1, 2, 3, 100])
    assert search.state_dict()["scores"].tolist() == [[(1 + 12) / 4, 4], [5, 2]]
    assert search.best_observed.n_reps == 2


def test_the_same_row_twice_in_a_call_is_two_trials_and_in_two_calls_one():
    together, apart = SPEC.search(4), SPEC.search(4)
    ids = together.ask().ids
    assert together.tell([ids[0], ids[0]], [2.0, 2.0]) == o.Told(1, 0, False)
    assert together.best_observed.n_reps == 2
    apart.ask()
    assert [apart.tell([ids[0]], [2.0]).n_new for _ in range(2)] == [1, 0]
    assert apart.best_observed.n_reps == 1


def test_most_searches_do_not_ask_how_long_they_will_run():
    assert SPEC.for_generations(20) is SPEC


def test_repeats_of_huge_scores_do_not_overflow():
    search = SPEC.search(4)
    ids = search.ask().ids
    search.tell([ids[0]] * 3, [1.5e308] * 3)
    assert search.best_observed.score == pytest.approx(1.5e308)


def test_the_order_of_repeats_does_not_matter_to_the_last_bit():
    means = set()
    for order in ((0, 1, 2), (2, 0, 1), (1, 2, 0)):
        search = SPEC.search(4)
        ids, values = search.ask().ids, [0.1, 0.7, 1e16]
        search.tell([ids[0]] * 3, [values[i] for i in order])
        means.add(search.best_observed.score)
    assert len(means) == 1


def test_a_generation_can_be_ended_by_hand():
    search = SPEC.search(4)
    asked = search.ask(6)
    search.tell(asked.ids, sphere(asked.codes))
    mean = search.recommend()
    search.advance()
    assert search.generation == 1
    assert not torch.equal(search.recommend(), mean)
    search.advance()
    assert search.generation == 2


def test_tensors_and_arrays_are_scores_too():
    search = SPEC.search(4)
    asked = search.ask()
    search.tell(asked.ids[:5], torch.arange(5))
    assert search.tell(asked.ids[5:], torch.arange(5).numpy(), torch.ones(5)).updated


REFUSED = [
    (lambda s: s.ask(0), ParameterError, "n is 0; expected a number of candidates above 0"),
    (lambda s: s.ask(-3), ParameterError, "n is -3"),
    (lambda s: s.ask(10**6), ParameterError, "n is 1000000"),
    (lambda s: s.tell(["g0000c000"], [1, 2]), ArgumentError, "scores has 2 entries for 1 ids; give one for each"),
    (lambda s: s.tell(["g0000c000"], [1], [1, 1]), ArgumentError, "n_reps has 2 entries for 1 ids"),
    (lambda s: s.tell(["g0000c000"], ["x"]), ArgumentError, "scores must be numbers, one for each id"),
    (lambda s: s.tell(["g0000c000"], [1], [None]), ArgumentError, "n_reps must be numbers"),
    (lambda s: s.tell(["g0000c000"], [math.inf]), ParameterError, "score is inf; expected a finite number, or NaN .* g0000c000"),
    (lambda s: s.tell(["g0000c000"], [1.0], [0]), ParameterError, "n_reps is 0.0; expected a number of repeats above 0"),
    (lambda s: s.tell(["g0000c000"], [1.0], [math.nan]), ParameterError, "n_reps is nan"),
    (lambda s: s.tell(["g0000c000"], [1.0], [math.inf]), ParameterError, "n_reps is inf"),
    (lambda s: s.tell(["g0000c010"], [1.0]), ParameterError, "id 'g0000c010' names no candidate; 10 candidates of generation 0"),
    (lambda s: s.tell(["g0001c000"], [1.0]), ParameterError, "id 'g0001c000' names no candidate"),
    (lambda s: s.tell(["nobody"], [1.0]), ParameterError, "id 'nobody' names no candidate"),
]  # fmt: skip


@pytest.mark.parametrize(("act", "error", "message"), REFUSED)
def test_what_makes_no_sense_is_refused_and_changes_nothing(act, error, message):
    search = SPEC.search(4)
    ids = search.ask().ids
    with pytest.raises(error, match=message):
        act(search)
    assert search.ask().ids == ids


def test_one_wrong_row_spoils_no_other():
    search = SPEC.search(4)
    ids = search.ask().ids
    with pytest.raises(ParameterError, match="names no candidate"):
        search.tell([ids[0], "g0000c077"], [1.0, 2.0])
    assert search.best_observed is None
    assert search.state_dict()["scored"] == []


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: o.CMAES(population=1), "population is 1; expected a whole number from 2"),
        (lambda: o.CMAES(share=0.0), r"share is 0.0; expected a number in \(0, 1\]"),
        (lambda: o.CMAES(share=1.5), "share is 1.5"),
        (lambda: o.RandomSearch(sd=0.0), "sd is 0.0; expected a number above 0"),
        (lambda: SPEC.search(0), "dim is 0; expected a whole number from 1"),
        (lambda: SPEC.search(4, dtype=torch.float16), "dtype is torch.float16"),
        (lambda: SPEC.search(4, origin=torch.zeros(3)), r"origin is \(3,\); expected a code of 4 numbers"),
        (lambda: SPEC.search(2, origin=torch.tensor([math.nan, 0])), "origin is 'a code that is not finite'"),
    ],
)
def test_parameters_out_of_range_are_refused(build, message):
    with pytest.raises(ParameterError, match=message):
        build()


def test_populations_by_dimension_are_those_of_the_literature():
    assert [o.RandomSearch().population_for(n) for n in (1, 256, 4096)] == [7, 28, 40]
    assert [o.CMAES().population_for(n) for n in (10, 100, 4096)] == [10, 17, 40]
    assert o.CMAES(population=7).population_for(4096) == 7


def test_codes_that_were_handed_out_are_not_the_searchs_own():
    search = run(SPEC.search(4, seed=1), sphere, 2)
    before, mean = search.ask(), search.recommend()
    search.ask().codes.zero_()
    search.recommend().zero_()
    assert torch.equal(search.ask().codes, before.codes)
    assert torch.equal(search.recommend(), mean)
    assert mean.dtype == DOUBLE
