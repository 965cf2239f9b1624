"""Tuning maps: a half sphere of codes about a centre."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import phosphene as ph
from phosphene.errors import ParameterError
from phosphene.evolution import tuning_map
from phosphene.evolution.tuning import sphere_grid


def test_the_grid_is_the_one_of_the_formula():
    axes = torch.eye(3, 5, dtype=torch.float64)
    angles = torch.linspace(-90, 90, 9, dtype=torch.float64)
    grid = sphere_grid(axes, angles)
    for i, elevation in enumerate(np.radians(angles.numpy())):
        for j, azimuth in enumerate(np.radians(angles.numpy())):
            expected = [
                math.cos(elevation) * math.cos(azimuth),
                math.cos(elevation) * math.sin(azimuth),
                math.sin(elevation),
                0,
                0,
            ]
            np.testing.assert_allclose(grid[i, j], expected, atol=1e-12)


@pytest.mark.parametrize("n", [3, 9])
def test_the_middle_is_the_centre_and_all_codes_have_its_norm(neuron, space, n):
    center = torch.randn(space.dim, generator=torch.Generator().manual_seed(0))
    tuning = tuning_map(neuron, space, center, n=n)
    torch.testing.assert_close(tuning.codes[n // 2, n // 2], center)
    torch.testing.assert_close(tuning.codes.norm(dim=2), center.norm().expand(n, n))
    assert tuning.images.shape == (n, n, 1, 6, 8)
    expected = neuron(tuning.images.flatten(0, 1).permute(0, 2, 3, 1).numpy()).reshape(n, n)
    np.testing.assert_allclose(tuning.scores, expected, rtol=1e-5, atol=1e-6)


def test_a_linear_unit_falls_off_as_the_cosine(space):
    center = torch.zeros(space.dim)
    center[3] = 4.0
    decode = space.open(torch.device("cpu"))
    weight = (decode(center[None]) - 0.5)[0].permute(1, 2, 0).numpy()

    def unit(images):
        # The logit undoes the sigmoid: linear in the code.
        return ((np.log(images) - np.log1p(-images)) * weight).sum((1, 2, 3))

    tuning = tuning_map(unit, space, center)
    angles = torch.deg2rad(tuning.angles_deg)
    expected = float(tuning.scores[4, 4]) * angles.cos()[:, None] * angles.cos()[None, :]
    torch.testing.assert_close(tuning.scores.float(), expected, rtol=1e-3, atol=1e-3)


def test_directions_are_made_orthogonal_to_the_centre(neuron, space):
    center, towards = torch.randn(2, space.dim, generator=torch.Generator().manual_seed(1))
    directions = torch.stack([center + towards, torch.randn(space.dim, generator=torch.Generator().manual_seed(2))])
    tuning = tuning_map(neuron, space, center, directions=directions)
    # The end of the middle row, a quarter turn away, has nothing of the centre.
    assert abs(float(tuning.codes[4, 8] @ center)) < 1e-3 * float(center.square().sum())
    assert abs(float(tuning.codes[8, 4] @ center)) < 1e-3 * float(center.square().sum())


def test_an_evolution_maps_the_tuning_about_its_own_picture(neuron, space):
    result = ph.evolve(neuron, space, generations=8, population=8, progress=False)
    tuning = result.tuning_map()
    torch.testing.assert_close(tuning.codes[4, 4], result.code, rtol=1e-4, atol=1e-5)
    assert tuning.plot().axes[0].get_xlabel() == "azimuth (degrees)"
    assert tuning.sheet().size[0] > 9 * 8


def test_data_is_written_without_pickles(tmp_path, neuron, space):
    tuning = tuning_map(neuron, space, torch.ones(space.dim), n=3)
    tuning.save_data(tmp_path / "map.npz")
    with np.load(tmp_path / "map.npz", allow_pickle=False) as data:
        np.testing.assert_array_equal(data["scores"], tuning.scores)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"n": 4}, "odd"),
        ({"n": 1}, "odd"),
        ({"span_deg": 0}, "span_deg"),
        ({"directions": torch.zeros(1, 48)}, "two directions"),
        ({"directions": torch.ones(2, 48)}, "on one line"),
        ({"trajectory": torch.zeros(5, 3)}, "trajectory"),
    ],
)
def test_what_spans_no_sphere_is_refused(how, words, neuron, space):
    with pytest.raises(ParameterError, match=words):
        tuning_map(neuron, space, torch.ones(space.dim), **how)


@pytest.mark.parametrize(("center", "words"), [(torch.zeros(48), "direction"), (torch.ones(3), "48 numbers")])
def test_a_centre_without_a_direction_is_refused(center, words, neuron, space):
    with pytest.raises(ParameterError, match=words):
        tuning_map(neuron, space, center)
