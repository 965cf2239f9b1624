"""Plans, trials and scores: what they refuse, and that they come back from JSON as they were."""

from __future__ import annotations

import json
import math
import random
import statistics

import numpy as np
import pytest
import rigs
import torch

from phosphene.errors import ArgumentError, ParameterError, RecipeError
from phosphene.exchange import Display
from phosphene.optimizers import CMAES, RandomSearch
from phosphene.sessions import Plan, Thread, Trial
from phosphene.sessions.scoring import deviation, mean, score

THREAD = Thread("a", rigs.SPACE, CMAES(population=4))

PLANS = [
    Plan((THREAD,)),
    rigs.plan(repeats=3, order_seed=-5, missing="again", attempts=2, interleave="randomly", references_per_block=4),
    Plan((THREAD,), display=Display(height=64, width=64, aperture="circle", position=(3.0, 4.0))),
    Plan((Thread("b2", rigs.SPACE, RandomSearch(sd=2.0), seed=9, channels=(3, 1), origin=torch.ones(2, 48)),)),
]


@pytest.mark.parametrize("plan", PLANS, ids=range(len(PLANS)))
def test_a_plan_comes_back_from_json_as_it_was(plan):
    document = json.loads(json.dumps(plan.to_json(), allow_nan=False))
    assert Plan.from_json(document) == plan
    assert Plan.from_json(document).to_json() == plan.to_json()


@pytest.mark.parametrize(
    ("how", "match"),
    [
        ({"name": ""}, "name is ''"),
        ({"name": "a_b"}, "at most 31 letters and digits"),
        ({"name": "../x"}, "at most 31 letters and digits"),
        ({"name": "1a"}, "a letter first"),
        ({"name": "a" * 32}, "at most 31"),
        ({"name": "Reference"}, "other than that of the reference images"),
        ({"channels": -1}, "numbers of channels from 0"),
        ({"channels": ()}, "numbers of channels from 0"),
        ({"channels": (0, 10**6)}, "numbers of channels from 0"),
        ({"channels": (1, 1)}, "each channel once"),
    ],
)
def test_a_thread_out_of_range_is_refused(how, match):
    with pytest.raises(ParameterError, match=match):
        Thread(**{"name": "a", "space": rigs.SPACE, "optimizer": RandomSearch()} | how)


@pytest.mark.parametrize(
    ("how", "match"),
    [
        ({"threads": ()}, "from 1 to 1000 threads"),
        ({"threads": (THREAD, Thread("A", rigs.SPACE, RandomSearch()))}, "differ even where case does not count"),
        ({"repeats": 0}, "repeats is 0"),
        ({"repeats": 1001}, "repeats is 1001"),
        ({"missing": "maybe"}, "'lost' or 'again'"),
        ({"attempts": 0}, "attempts is 0"),
        ({"interleave": "never"}, "interleave is 'never'"),
        ({"references_per_block": 0}, "references_per_block is 0"),
    ],
)
def test_a_plan_out_of_range_is_refused(how, match):
    with pytest.raises(ParameterError, match=match):
        Plan(**{"threads": (THREAD,)} | how)


def test_a_plan_knows_its_threads_by_name():
    assert rigs.plan().thread("b").channels == 1
    with pytest.raises(ParameterError, match="thread is 'c'; expected one of"):
        rigs.plan().thread("c")


def test_a_document_that_names_something_else_as_a_space_is_refused():
    document = rigs.plan().to_json()
    document["threads"][0]["space"] = RandomSearch().to_json()
    with pytest.raises(RecipeError, match=r"plan\.threads\[0\]\.space\.kind: 'RandomSearch' is no Space"):
        Plan.from_json(document, path="plan")


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ((1, 2.5), (1.0, 2.5)),
        ([3], (3.0,)),
        (4.5, (4.5,)),
        (np.float32(0.5), (0.5,)),
        (np.array([1, 2]), (1.0, 2.0)),
        (torch.tensor([1.0, 2.0]), (1.0, 2.0)),
    ],
)
def test_a_response_may_be_any_row_of_numbers(response, expected):
    trial = Trial("s", response)
    assert trial.response == expected
    assert all(type(value) is float for value in trial.response)


def test_a_trial_is_lost_if_every_channel_is():
    assert Trial("s", (math.nan, math.nan)).is_lost
    assert not Trial("s", (math.nan, 0.0)).is_lost


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ((3, 1.0), ArgumentError, "expected the name of a stimulus"),
        (("s", "fast"), ArgumentError, "expected a number for each channel"),
        (("s", ["1"]), ArgumentError, "expected a number for each channel"),
        (("s", [True]), ArgumentError, "expected a number for each channel"),
        (("s", [[1.0]]), ArgumentError, "must be numbers"),
        (("s", None), ArgumentError, "must be numbers"),
        (("s", ()), ParameterError, "from 1 to 1000000 channels"),
        (("s", math.inf), ParameterError, "finite numbers, or NaN"),
        (("s", 1.0, 0), ParameterError, "a whole number from 1"),
        (("s", 1.0, 10**9 + 1), ParameterError, "a whole number from 1"),
        (("s", 1.0, 1.5), ArgumentError, "expected a whole number, or None"),
        (("s", 1.0, True), ArgumentError, "expected a whole number, or None"),
    ],
)
def test_a_trial_that_is_none_is_refused(arguments, error, match):
    with pytest.raises(error, match=match):
        Trial(*arguments)


@pytest.mark.parametrize("channels", [None, 1, (0, 2), (2,)])
def test_a_score_is_the_mean_of_the_selected_channels(channels):
    response = (0.1, 0.7, -3.0)
    selected = response if channels is None else [response[c] for c in np.atleast_1d(channels)]
    assert score(response, channels) == pytest.approx(np.mean(selected), rel=1e-15)
    for lost in range(3):
        values = tuple(math.nan if i == lost else value for i, value in enumerate(response))
        if channels is None:  # the mean of those that came
            assert score(values, None) == pytest.approx(np.nanmean(values), rel=1e-15)
        else:
            assert math.isnan(score(values, channels)) == (lost in np.atleast_1d(channels))
    assert math.isnan(score((math.nan,), channels))


def test_means_do_not_depend_on_the_order_and_do_not_overflow():
    draw = random.Random(0)
    values = [draw.uniform(-1, 1) * 10 ** draw.randint(-8, 8) for _ in range(50)]
    expected = mean(values)
    for _ in range(20):
        draw.shuffle(values)
        assert mean(values) == expected
        assert deviation(values) == pytest.approx(statistics.stdev(values), rel=1e-12)
    assert mean([1.7e308] * 4) == pytest.approx(1.7e308)
    assert math.isnan(mean([]))
    assert math.isnan(mean([1.0, math.nan]))
    assert math.isnan(deviation([1.0]))
