"""The resize conventions against literal loops, SciPy and golden matrices."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from networks import random_images
from scipy import ndimage

from phosphene.errors import ParameterError
from phosphene.functional.resizing import CONVENTIONS, resize, scaled_size

SIZES = [((5, 7), (9, 8)), ((6, 4), (3, 4)), ((1, 3), (4, 7)), ((7, 5), (1, 1)), ((4, 4), (4, 9))]


def cubic(t: float, a: float = -0.75) -> float:
    t = abs(t)
    if t <= 1:
        return (a + 2) * t**3 - (a + 3) * t**2 + 1
    return a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a if t < 2 else 0.0


def coordinate(i: int, n_in: int, n_out: int, convention: str) -> float:
    if convention in ("align_corners", "ndzoom"):
        return i * (n_in - 1) / (n_out - 1) if n_out > 1 else 0.0
    if convention == "tf1":
        return i * n_in / n_out
    return (i + 0.5) * n_in / n_out - 0.5


def weights(n_in: int, n_out: int, convention: str) -> np.ndarray:
    """Row i: what output i takes from each input, one tap at a time."""
    matrix = np.zeros((n_out, n_in))
    if n_in == n_out:
        return np.eye(n_in)
    for i in range(n_out):
        at = coordinate(i, n_in, n_out, convention)
        base = math.floor(at)
        for k in range(base - 1, base + 3):
            weight = cubic(at - k) if convention == "bicubic" else max(0.0, 1 - abs(at - k))
            matrix[i, min(max(k, 0), n_in - 1)] += weight
        if convention == "matlab" and not 0 <= at <= n_in - 1:
            matrix[i] = 0
    return matrix


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize(("source", "target"), SIZES)
@pytest.mark.parametrize(("n", "channels"), [(1, 3), (2, 1)])
def test_each_convention_is_its_literal_interpolation(convention, source, target, n, channels):
    images = random_images(n, channels, source)
    rows, columns = (weights(a, b, convention) for a, b in zip(source, target, strict=True))
    expected = np.einsum("pi,ncij,qj->ncpq", rows, images.numpy(), columns)
    np.testing.assert_allclose(resize(images, target, convention).numpy(), expected, atol=1e-12)


@pytest.mark.parametrize(("source", "zoom"), [((5, 7), 1.4), ((12, 9), 1 / 1.4), ((6, 5), 0.3), ((3, 8), 2.5)])
def test_ndzoom_is_scipys_zoom_of_order_1_in_size_and_values(source, zoom):
    image = random_images(1, 1, source)
    expected = ndimage.zoom(image[0, 0].numpy(), zoom, order=1)
    size = scaled_size(source, zoom, "round")
    assert size == expected.shape
    np.testing.assert_allclose(resize(image, size, "ndzoom")[0, 0].numpy(), expected, atol=1e-12)


GOLDEN = {
    "half_pixel": [0.0, 0.25, 0.75, 1.0],
    "align_corners": [0.0, 1 / 3, 2 / 3, 1.0],
    "ndzoom": [0.0, 1 / 3, 2 / 3, 1.0],
    "tf1": [0.0, 0.5, 1.0, 1.0],
    "bicubic": [-0.10546875, 0.2265625, 0.7734375, 1.10546875],
    "matlab": [0.0, 0.25, 0.75, 0.0],
}


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_a_step_of_two_pixels_doubled_is_the_golden_row(convention):
    step = torch.tensor([[[[0.0, 1.0]]]], dtype=torch.float64)
    found = resize(step, (1, 4), convention).flatten().tolist()
    assert found == pytest.approx(GOLDEN[convention], abs=1e-12)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_the_same_size_gives_the_image_itself(convention):
    image = random_images(2, 3, (5, 4))
    assert resize(image, (5, 4), convention) is image


@pytest.mark.parametrize("convention", sorted(set(CONVENTIONS) - {"matlab"}))
def test_a_constant_stays_constant(convention):
    image = torch.full((1, 2, 5, 9), 0.3, dtype=torch.float64)
    torch.testing.assert_close(resize(image, (8, 4), convention), torch.full((1, 2, 8, 4), 0.3, dtype=torch.float64))


def test_an_unknown_convention_is_refused():
    with pytest.raises(ParameterError, match=r"convention is 'nearest'; expected one of .*'tf1'"):
        resize(random_images(1, 1, (3, 3)), (4, 4), "nearest")


@pytest.mark.parametrize("factor", [1.2, 1.3, 1.4])
def test_sizes_are_cut_in_single_or_double_precision_or_rounded(factor):
    for n in range(1, 600):
        assert scaled_size((n, 1), factor)[0] == int(n * factor)
        assert scaled_size((1, n), factor, "float32")[1] == int(np.int32(np.float32(n) * np.float32(factor)))
        assert scaled_size((n, n), factor, "round") == (round(n * factor), round(n * factor))


def test_halves_are_rounded_to_even():
    assert scaled_size((5, 7), 0.5, "round") == (2, 4)


@pytest.mark.parametrize("rounding", ["floor", "round", "float32"])
@pytest.mark.parametrize("factor", [1e10, 1e308, float("inf"), float("nan")])
def test_a_size_beyond_every_image_is_refused(rounding, factor):
    with pytest.raises(ParameterError, match=r"4 × 9 pixels times .* are too many; at most 2147483648"):
        scaled_size((4, 9), factor, rounding)
