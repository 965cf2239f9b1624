"""Objectives around others: scheduled weights, levels aimed at, rows between two, named directions."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from networks import SIZE, activations, conv_net, linear_net, quick, random_images, scores

import phosphene as ph
from phosphene import optimizers as o
from phosphene.errors import LayoutError, ParameterError, UnitRangeError
from phosphene.objectives import (
    After,
    Diversity,
    Scene,
    Scheduled,
    TargetLevel,
    compile_objectives,
    interpolate,
    random_direction,
    whitened_direction,
)

A, B = ph.Channel("conv2", 0), ph.Neuron("conv1", 1)


def at_steps(objectives, steps, n_views=1):
    net, n = conv_net(), len(objectives)
    images = random_images(n, 3, SIZE)
    compiled = compile_objectives(objectives, net)
    views = random_images(n * n_views, 3, SIZE, seed=1)
    scene = Scene(images, {name: activations(net, name, views) for name in compiled.layers}, n_views)
    return [compiled(replace(scene, step=step)) for step in steps]


@pytest.mark.parametrize("schedule", [o.Constant(), o.Linear(4, 0.5, 2.0), o.Exponential(0.5), After(2), o.Cosine(3)])
def test_a_scheduled_objective_is_weighed_by_the_step(schedule):
    steps = range(6)
    plain = at_steps([A - ph.regularizers.L2()] * 2, [0], n_views=2)[0]
    for step, found in zip(
        steps, at_steps([Scheduled(A - ph.regularizers.L2(), schedule)] * 2, steps, n_views=2), strict=True
    ):
        torch.testing.assert_close(found, plain * schedule.factor(step))


def test_where_no_step_is_taken_the_factor_is_one():
    torch.testing.assert_close(*(at_steps([one] * 2, [-1])[0] for one in (A, Scheduled(A, After(5)))), rtol=0, atol=0)


def test_schedules_of_different_rows_keep_apart():
    found = at_steps([Scheduled(A, After(3)), Scheduled(A, After(1)), Scheduled(B, After(1))], [2])[0]
    plain = at_steps([A, A, B], [2])[0]
    torch.testing.assert_close(found, plain * torch.tensor([0.0, 1.0, 1.0]))


@pytest.mark.parametrize(("step", "factor"), [(0, 0.0), (2, 0.0), (3, 1.0), (100, 1.0)])
def test_after_is_nothing_at_first_and_everything_from_then_on(step, factor):
    assert After(3).factor(step) == factor
    assert After(0).factor(step) == 1.0


def test_a_wrapper_couples_if_what_it_wraps_does():
    assert Scheduled(Diversity("conv2"), After(1)).coupled
    assert TargetLevel(A - Diversity("conv2"), 1.0).coupled
    assert not TargetLevel(Scheduled(A, After(1)), 1.0).coupled


@pytest.mark.parametrize("views", [1, 3])
def test_a_target_level_is_minus_the_distance_from_it_view_by_view(views):
    net, images = conv_net(), random_images(3 * views, 3, SIZE)
    levels = (0.0, -0.3, 5.0)
    inner = scores(net, [A] * 3 * views, images).view(3, views)
    expected = -(inner - torch.tensor(levels, dtype=torch.float64)[:, None]).abs().mean(1)
    found = scores(net, [TargetLevel(A, level) for level in levels], images, views=views)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-8)


def test_a_target_level_is_reached():
    """Of a linear model, from below and from above."""
    net, unit = linear_net(), ph.Logit(2)
    for level in (0.3, -0.2):
        result = quick(net, TargetLevel(unit, level), steps=150, optimizer=o.Adam(0.05, schedule=o.Cosine(150, 0.01)))
        assert scores(net, [unit], result.images.double()).item() == pytest.approx(level, abs=2e-3)


def test_wrappers_of_unknown_units_are_refused():
    for wrapper in (Scheduled(ph.Channel("conv2", 9), After(1)), TargetLevel(ph.Channel("conv2", 9), 0.0)):
        with pytest.raises(UnitRangeError, match="has 6 channels"):
            scores(conv_net(), [wrapper], random_images(1, 3, SIZE))


@pytest.mark.parametrize("n", [2, 3, 6])
def test_an_interpolation_goes_from_the_first_to_the_second_in_equal_steps(n):
    net, images = conv_net(), random_images(1, 3, SIZE).expand(n, -1, -1, -1)
    row = interpolate(A, B, n)
    first, second = (scores(net, [one] * n, images)[0].item() for one in (A, B))
    expected = [first + (second - first) * i / (n - 1) for i in range(n)]
    assert scores(net, row, images).tolist() == pytest.approx(expected, rel=1e-6)
    assert scores(net, [row[0]], images[:1]).item() == pytest.approx(first, rel=1e-9)
    assert scores(net, [row[-1]], images[:1]).item() == pytest.approx(second, rel=1e-9)


def test_an_interpolation_is_one_group():
    assert len({ph.objectives.compile.structure(one) for one in interpolate(A, B, 5)}) == 1


@pytest.mark.parametrize("n", [1, 0])
def test_an_interpolation_needs_two_ends(n):
    with pytest.raises(ParameterError, match=f"n is {n}; expected at least 2 images, one for each end"):
        interpolate(A, B, n)


def test_a_random_direction_is_the_same_for_the_same_seed_and_disturbs_no_other_randomness():
    before = torch.random.get_rng_state()
    assert random_direction("conv2", 6, 1) == random_direction("conv2", 6, 1)
    assert random_direction("conv2", 6, 1) != random_direction("conv2", 6, 2)
    assert torch.equal(torch.random.get_rng_state(), before)
    many = random_direction("conv2", 4000, 0).vector.numpy()
    assert abs(many.mean()) < 4 / math.sqrt(4000)
    assert many.std() == pytest.approx(1, abs=0.05)


def test_a_random_direction_needs_channels():
    with pytest.raises(ParameterError, match="n_channels is 0"):
        random_direction("conv2", 0, 1)


@pytest.mark.parametrize("power", [0.0, 2.0])
@pytest.mark.parametrize("position", [None, (2, 3)])
def test_a_whitened_direction_is_the_direction_times_the_matrix(power, position):
    rng = np.random.default_rng(0)
    vector, matrix = rng.normal(size=6), rng.normal(size=(6, 6))
    net, images = conv_net(), random_images(2, 3, SIZE)
    expected = [sum(vector[i] * matrix[i, j] for i in range(6)) for j in range(6)]
    found = whitened_direction("conv2", vector, matrix, position=position, cossim_power=power)
    plain = ph.Direction("conv2", expected, position=position, cossim_power=power)
    torch.testing.assert_close(scores(net, [found] * 2, images), scores(net, [plain] * 2, images), rtol=1e-5, atol=1e-7)
    assert whitened_direction("conv2", vector, np.eye(6)) == ph.Direction("conv2", vector)


def test_a_whitening_matrix_that_does_not_fit_is_refused():
    with pytest.raises(LayoutError, match=r"a direction of \(3,\) needs a whitening matrix of \(3, 3\); got \(2, 2\)"):
        whitened_direction("conv2", [1, 2, 3], np.eye(2))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TargetLevel(A, math.nan), "level is nan; expected a finite number"),
        (lambda: After(-1), "start is -1; expected a whole number from 0"),
    ],
)
def test_parameters_out_of_range_are_refused(make, message):
    with pytest.raises(ParameterError, match=message):
        make()
