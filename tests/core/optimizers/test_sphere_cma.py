"""SphereCMA: great circles, the schedule, and codes that never leave the sphere."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from jaxtyping import TypeCheckError
from searching import DOUBLE, hidden, run

from phosphene import optimizers as o
from phosphene.errors import ParameterError
from phosphene.optimizers.sphere_cma import beyond

SPEC = o.SphereCMA(population=12, radius=20.0)


def angle(a, b):
    return math.degrees(math.acos(float(np.clip(float(a @ b / a.norm() / b.norm()), -1, 1))))


@pytest.mark.parametrize("schedule", ["exp", "inv"])
def test_every_code_and_the_centre_have_the_radius_of_the_sphere(schedule):
    search = o.SphereCMA(population=12, radius=300.0, schedule=schedule).search(4096, seed=1)
    for _ in range(4):
        norms = run(search, hidden(4096), 1).ask().codes.norm(dim=1)
        assert float((norms - 300).abs().max()) < 1e-9
        assert float(search.recommend().norm()) == pytest.approx(300, abs=1e-9)


def test_the_radius_is_the_length_of_standard_normal_codes_unless_given():
    assert o.SphereCMA().radius_for(4096) == 64
    assert o.SphereCMA().radius_for(100) == pytest.approx(10)
    assert o.SphereCMA(radius=8.0).radius_for(64) == 8


def test_the_first_candidate_is_the_centre_after_the_first_generation():
    search = SPEC.search(30, seed=1)
    assert float(search.recommend().abs().max()) == 0
    run(search, hidden(30), 1)
    assert torch.equal(search.ask().codes[0], search.recommend())


def test_the_exponential_schedule_goes_from_50_to_7_33_degrees_and_holds():
    spec = o.SphereCMA(n_generations=75)
    np.testing.assert_allclose([spec.step_deg(t) for t in range(75)], np.logspace(math.log10(50), math.log10(7.33), 75))
    assert spec.step_deg(75) == spec.step_deg(10**6) == pytest.approx(7.33)
    assert o.SphereCMA(n_generations=1).step_deg(0) == 50


def test_a_schedule_without_a_length_takes_that_of_the_run():
    assert o.SphereCMA().for_generations(20) == o.SphereCMA(n_generations=20)
    assert o.SphereCMA(n_generations=30).for_generations(20).n_generations == 30
    assert o.SphereCMA().for_generations(0).n_generations == 1
    assert [o.SphereCMA().step_deg(t) for t in (0, 40, 74)] == [
        o.SphereCMA(n_generations=75).step_deg(t) for t in (0, 40, 74)
    ]


def test_a_schedule_of_the_runs_length_finds_more_than_a_part_of_a_longer_one():
    found = {}
    for spec in (o.SphereCMA(population=40), o.SphereCMA(population=40).for_generations(20)):
        runs = [run(spec.search(100, seed=seed), hidden(100, seed), 20).recommend() for seed in range(3)]
        found[spec.n_generations] = [float(hidden(100, seed)(code[None])[0]) for seed, code in enumerate(runs)]
    assert all(whole > part + 0.01 for whole, part in zip(found[20], found[None], strict=True))


def test_the_inverse_schedule_is_its_formula():
    spec = o.SphereCMA(schedule="inv")
    for t in (0, 1, 74, 1000):
        assert spec.step_deg(t) == pytest.approx(15 + 1 / (0.0017 * t + 0.0146))


def test_candidates_lie_at_the_angle_of_the_schedule():
    search = o.SphereCMA(population=40).search(4096, seed=1)
    for update in range(1, 4):
        run(search, hidden(4096), 1)
        codes, centre = search.ask().codes, search.recommend()
        angles = [angle(code, centre) for code in codes[1:]]
        assert np.mean(angles) == pytest.approx(search.spec.step_deg(update - 1), rel=0.01)
        assert search.figures()["angular_step_deg"] == pytest.approx(search.spec.step_deg(update - 1))


def test_a_generation_that_was_lost_does_not_advance_the_schedule():
    search = run(SPEC.search(30, seed=1), hidden(30), 3)
    before = search.figures()["angular_step_deg"]
    search.tell(search.ask().ids, [math.nan] * 12)
    assert search.figures()["angular_step_deg"] == before


def test_the_centre_is_the_literal_extrapolation_of_the_weighted_mean():
    search = run(SPEC.search(7, seed=3), hidden(7), 2)
    start, asked = search.recommend().numpy(), search.ask()
    scores = hidden(7)(asked.codes)
    search.tell(asked.ids, scores)
    best = asked.codes.numpy()[np.argsort(-scores.numpy())[:6]]
    w = np.log(6 + 0.5) - np.log(np.arange(1, 7))
    mean = (w / w.sum()) @ best
    mean *= 20 / np.linalg.norm(mean)
    theta = math.acos(start @ mean / 400)
    expected = (math.sin(-0.5 * theta) * start + math.sin(1.5 * theta) * mean) / math.sin(theta)
    np.testing.assert_allclose(search.recommend().numpy(), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0, 1.5])
def test_a_way_along_the_great_circle_keeps_norm_and_angle(share):
    start, goal = torch.tensor([2.0, 0, 0], dtype=DOUBLE), torch.tensor([0, 2.0, 0], dtype=DOUBLE)
    found = beyond(start, goal, share)
    assert float(found.norm()) == pytest.approx(2)
    assert angle(found, start) == pytest.approx(90 * share, abs=1e-6)


@pytest.mark.parametrize("goal", [[3.0, 4, 0], [3.0, 4, 1e-12], [-3.0, -4, 0]])
def test_where_there_is_no_one_way_the_goal_itself_is_taken(goal):
    start, goal = torch.tensor([3.0, 4, 0], dtype=DOUBLE), torch.tensor(goal, dtype=DOUBLE)
    assert torch.equal(beyond(start, goal, 1.5), goal)
    assert torch.equal(beyond(torch.zeros_like(start), goal, 1.5), goal)


def test_a_hidden_direction_is_found_to_a_few_degrees():
    search = run(o.SphereCMA(population=20, radius=5.0).search(20, seed=1), hidden(20), 75)
    assert float(hidden(20)(search.recommend()[None])[0]) > 0.97


def test_one_dimension_has_two_points():
    codes = run(o.SphereCMA(population=6, radius=2.0).search(1, seed=1), lambda x: x[:, 0], 4).ask().codes
    assert set(codes.flatten().tolist()) <= {2.0, -2.0}


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: o.SphereCMA(radius=0.0), "radius is 0.0; expected a number above 0, or None"),
        (lambda: o.SphereCMA(select=0), "select is 0; expected a whole number above 0"),
        (lambda: o.SphereCMA(lr=0.0), "lr is 0.0"),
        (lambda: o.SphereCMA(schedule="cos"), "schedule is 'cos'; expected 'exp' or 'inv'|parameter 'schedule'"),
        (lambda: o.SphereCMA(n_generations=0), "n_generations is 0"),
    ],
)
def test_parameters_out_of_range_are_refused(build, message):
    with pytest.raises((ParameterError, TypeCheckError), match=message):
        build()
