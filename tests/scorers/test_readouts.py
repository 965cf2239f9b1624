"""Readouts against NumPy."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
import torch
from members import READOUTS, concrete, name_of

from phosphene import scorers as room
from phosphene.errors import ArgumentError, ParameterError, RecipeError
from phosphene.scorers import Contrast, Mean, Minimum, Readout, Similarity, WeightedSum

X = np.random.default_rng(0).normal(size=(9, 6))
T = np.random.default_rng(1).normal(size=6)
M = np.array([1, 0, 1, 1, 0, 1])
MU, SD = np.random.default_rng(2).normal(size=6), np.array([1, 2, 0.5, 3, 1, 0.25])


def read(readout, x=X):
    return readout(torch.from_numpy(np.asarray(x))).numpy()


def float32(values):
    """What a frozen array keeps of numbers."""
    return np.asarray(values, np.float32).astype(np.float64)


def test_every_readout_is_in_the_list():
    assert {type(r) for r in READOUTS} == concrete(room, Readout)


@pytest.mark.parametrize("readout", READOUTS, ids=name_of)
def test_a_score_depends_on_its_own_image_only(readout):
    together = read(readout)
    assert together.dtype == np.float64
    np.testing.assert_allclose(np.concatenate([read(readout, X[i : i + 1]) for i in range(9)]), together, rtol=1e-12)
    assert read(readout, X[:0]).shape == (0,)


@pytest.mark.parametrize("readout", READOUTS, ids=name_of)
def test_a_readout_comes_back_from_its_json_form(readout):
    assert Readout.from_json(json.loads(json.dumps(readout.to_json()))) == readout
    assert len({readout, Readout.from_json(readout.to_json())}) == 1


@pytest.mark.parametrize("readout", READOUTS, ids=name_of)
def test_responses_are_not_changed_and_may_be_float32(readout):
    x = torch.from_numpy(X.copy())
    readout(x)
    np.testing.assert_array_equal(x.numpy(), X)
    torch.testing.assert_close(readout(x.float()), readout(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("readout", READOUTS, ids=name_of)
def test_a_wholly_lost_image_is_lost_and_no_other(readout):
    x = X.copy()
    x[3] = np.nan
    assert np.isnan(read(readout, x)).tolist() == [i == 3 for i in range(9)]


def test_mean_minimum_weighted_sum_and_contrast_are_what_they_say():
    np.testing.assert_allclose(read(Mean()), X.mean(1))
    np.testing.assert_allclose(read(Mean((4, 1))), X[:, [4, 1]].mean(1))
    np.testing.assert_allclose(read(Minimum()), X.min(1))
    np.testing.assert_allclose(read(Minimum((0, 3))), X[:, [0, 3]].min(1))
    np.testing.assert_allclose(read(WeightedSum(T)), X @ float32(T))
    np.testing.assert_allclose(read(Contrast((0, 2), (5,))), X[:, [0, 2]].mean(1) - X[:, 5])


def oracle(measure, x, t):
    if measure == "cosine":
        return np.array([row @ t / np.linalg.norm(row) / np.linalg.norm(t) for row in x])
    if measure == "correlation":
        return np.array([np.corrcoef(row, t)[0, 1] for row in x])
    if measure == "mse":
        return np.array([-np.mean((row - t) ** 2) for row in x])
    if measure == "l1":
        return np.array([-np.mean(np.abs(row - t)) for row in x])
    return np.array([np.dot(row, t) for row in x])


@pytest.mark.parametrize("measure", ["cosine", "correlation", "mse", "l1", "dot"])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("scored", [False, True])
def test_similarity_is_the_measure_of_masked_z_scores(measure, masked, scored):
    options = ({"mask": M} if masked else {}) | ({"mean": MU, "sd": SD} if scored else {})
    mu, sd = (float32(MU), float32(SD)) if scored else (0.0, 1.0)
    keep = M > 0 if masked else slice(None)
    expected = oracle(measure, ((X - mu) / sd)[:, keep], ((float32(T) - mu) / sd)[keep])
    np.testing.assert_allclose(read(Similarity(T, measure, **options)), expected, rtol=1e-9)


@pytest.mark.parametrize("measure", ["cosine", "correlation", "mse", "l1", "dot"])
def test_constant_units_do_not_count_and_nothing_becomes_nan(measure):
    sd = SD.copy()
    sd[[1, 4]] = 0
    x = X.copy()
    x[:, [1, 4]] = np.nan
    found = read(Similarity(T, measure, mean=MU, sd=sd), x)
    expected = read(Similarity(T, measure, mask=M, mean=MU, sd=SD))
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("measure", "x"),
    [("cosine", np.zeros((1, 6))), ("correlation", np.zeros((1, 6))), ("correlation", np.full((1, 6), 0.1))],
)
def test_what_has_no_length_or_variance_is_like_nothing(measure, x):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read(Similarity(T, measure), x).tolist() == [0.0]
        assert read(Similarity(x[0], measure)).tolist() == [0.0] * 9


@pytest.mark.parametrize("factor", [1e-200, 1e200, 3.0])
def test_the_cosine_does_not_depend_on_the_scale_of_responses(factor):
    np.testing.assert_allclose(read(Similarity(T), factor * X), read(Similarity(T)), rtol=1e-9)


@pytest.mark.parametrize("measure", ["cosine", "correlation", "mse", "l1"])
def test_nothing_is_more_like_the_target_than_itself(measure):
    x = np.concatenate([X, float32(T)[None]])
    assert int(read(Similarity(T, measure), x).argmax()) == 9


def test_readouts_want_as_many_responses_as_they_name():
    for readout in (Mean((6,)), Minimum((2, 6)), Contrast((0,), (6,))):
        with pytest.raises(ParameterError, match="response 6 was asked for, but each image has 6, numbered from 0"):
            read(readout)
    for readout, name in ((WeightedSum(T), "weights"), (Similarity(T), "target")):
        with pytest.raises(ParameterError, match=f"each image has 4 responses, but {name} has 6 values"):
            read(readout, X[:, :4])


def test_readouts_that_mean_nothing_are_refused():
    for build in (lambda: Mean(()), lambda: Minimum((-1,)), lambda: Contrast((), (0,)), lambda: Contrast((0,), ())):
        with pytest.raises(ParameterError, match="expected numbers of responses from 0, at least one"):
            build()
    for build in (lambda: WeightedSum([]), lambda: WeightedSum([[1.0]]), lambda: Similarity(np.ones((2, 2)))):
        with pytest.raises(ParameterError, match="expected a vector, a number for each response"):
            build()
    with pytest.raises(ParameterError, match="measure is 'angle'; expected one of cosine"):
        Similarity(T, "angle")
    with pytest.raises(ParameterError, match=r"mean is \(5,\); expected the target's shape"):
        Similarity(T, mean=MU[:5])
    with pytest.raises(ParameterError, match="expected 0s and 1s"):
        Similarity(T, mask=M * 0.5)
    with pytest.raises(ParameterError, match="expected numbers from 0"):
        Similarity(T, sd=-SD)
    with pytest.raises(ParameterError, match="leave out every unit"):
        Similarity(T, mask=M, sd=1 - M)
    with pytest.raises(ArgumentError, match="expected numbers"):
        WeightedSum("abc")
    with pytest.raises(RecipeError, match="readout.channels"):
        Readout.from_json({"kind": "Mean", "channels": "all"})
