"""The plane is cut as a loop would cut it; means and whitening are those of NumPy's own formulas."""

from __future__ import annotations

import numpy as np
import pytest

from phosphene.atlas.activations.bins import bins, means, whitening


def literal(points: np.ndarray, size: int) -> dict[tuple[int, int], list[int]]:
    found: dict[tuple[int, int], list[int]] = {}
    for i, (x, y) in enumerate(points):
        place = (min(int(y * size), size - 1), min(int(x * size), size - 1))
        found.setdefault(place, []).append(i)
    return found


@pytest.mark.parametrize("size", [1, 3, 10, 200])
def test_every_point_lies_in_the_cell_that_a_loop_finds(size: int) -> None:
    points = np.random.default_rng(size).random((500, 2))
    points[:4] = [[0, 0], [1, 1], [1, 0], [0, 1]]
    found = {(each.row, each.column): each.members.tolist() for each in bins(points, size)}
    assert found == literal(points, size)


def test_cells_come_row_by_row_from_the_top_and_small_ones_are_left_out() -> None:
    points = np.array([[0.9, 0.1], [0.1, 0.1], [0.9, 0.9], [0.95, 0.05]])
    assert [(each.row, each.column) for each in bins(points, 2)] == [(0, 0), (0, 1), (1, 1)]
    (only,) = bins(points, 2, least=2)
    assert (only.row, only.column, only.members.tolist()) == (0, 1, [0, 3])


def test_no_cell_is_large_enough() -> None:
    points, vectors = np.random.default_rng(0).random((20, 2)), np.ones((20, 3), np.float32)
    assert bins(points, 1, least=21) == ()
    assert means(vectors, ()).shape == (0, 3)


def test_means_are_those_of_a_loop() -> None:
    draw = np.random.default_rng(0)
    points, vectors = draw.random((300, 2)), draw.normal(size=(300, 5)).astype(np.float32)
    found = bins(points, 4)
    expected = [
        sum(vectors[i].astype(float) for i in literal(points, 4)[b.row, b.column]) / len(b.members) for b in found
    ]
    assert np.allclose(means(vectors, found), expected, atol=1e-6)


def test_whitening_is_the_inverse_of_the_mean_products() -> None:
    vectors = (np.random.default_rng(0).normal(size=(400, 6)) @ np.diag([5, 1, 1, 2, 0.5, 1])).astype(np.float32)
    products = np.mean([np.outer(row, row) for row in vectors.astype(float)], axis=0)
    assert np.allclose(whitening(vectors, ridge=0), np.linalg.inv(products), rtol=1e-4, atol=1e-5)
    eye = np.eye(6) * np.trace(products) / 6
    assert np.allclose(whitening(vectors, ridge=0.5), np.linalg.inv(products + 0.5 * eye), rtol=1e-4, atol=1e-5)


def test_whitened_vectors_have_no_favoured_direction() -> None:
    vectors = (np.random.default_rng(1).normal(size=(4000, 4)) @ np.diag([9, 1, 3, 0.3])).astype(np.float32)
    half = np.linalg.cholesky(whitening(vectors, ridge=0).astype(float))
    assert np.allclose(np.cov((vectors @ half).T, bias=True), np.eye(4), atol=0.02)


@pytest.mark.parametrize("ridge", [0, 1e-3, 3])
def test_silent_channels_and_few_vectors_are_whitened_to_finite_numbers(ridge: float) -> None:
    vectors = np.zeros((3, 5), np.float32)
    assert np.isfinite(whitening(vectors, ridge=ridge)).all()
    vectors[:, 1] = [1, 2, 3]
    assert np.isfinite(whitening(vectors, ridge=ridge)).all()


def test_a_ridge_beyond_all_leaves_directions_as_they_are() -> None:
    vectors = (np.random.default_rng(2).normal(size=(100, 4)) @ np.diag([9, 1, 3, 0.3])).astype(np.float32)
    turned = vectors[:5] @ whitening(vectors, ridge=1e6)
    lengths = np.linalg.norm(turned, axis=1) * np.linalg.norm(vectors[:5], axis=1)
    assert np.allclose((turned * vectors[:5]).sum(1) / lengths, 1, atol=1e-6)
