"""Laplacian pyramids against literal loops, and the facts that are known of both systems."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from networks import random_images

from phosphene.functional.pyramid import expand, merge, reduce, split

STYLES = ("tensorflow", "matlab")
KERNEL = np.array([1, 4, 6, 4, 1]) / 16


def tf_matrix(n: int) -> np.ndarray:
    """The strided blur with TensorFlow's SAME padding as a matrix (m, n)."""
    m = (n + 1) // 2
    pad = max(2 * (m - 1) + 5 - n, 0) // 2
    matrix = np.zeros((m, n))
    for i in range(m):
        for k in range(5):
            at = 2 * i + k - pad
            if 0 <= at < n:
                matrix[i, at] += KERNEL[k]
    return matrix


def symmetric(at: int, n: int) -> int:
    while not 0 <= at < n:
        at = -1 - at if at < 0 else 2 * n - 1 - at
    return at


def symmetric_blur(n: int) -> np.ndarray:
    matrix = np.zeros((n, n))
    for i in range(n):
        for k in range(5):
            matrix[i, symmetric(i + k - 2, n)] += KERNEL[k]
    return matrix


def half_pixel(n_in: int, n_out: int) -> np.ndarray:
    matrix = np.zeros((n_out, n_in))
    for i in range(n_out):
        at = (i + 0.5) * n_in / n_out - 0.5
        for k in (int(np.floor(at)), int(np.floor(at)) + 1):
            matrix[i, min(max(k, 0), n_in - 1)] += 1 - abs(at - k)
    return matrix


def down(n: int, style: str) -> np.ndarray:
    return tf_matrix(n) if style == "tensorflow" else symmetric_blur(n)[::2]


def up(n: int, style: str) -> np.ndarray:
    if style == "tensorflow":
        return 2 * tf_matrix(n).T
    m = (n + 1) // 2
    spread = np.zeros((2 * m - 1, m))
    spread[::2] = np.eye(m)
    blurred = 2 * symmetric_blur(2 * m - 1) @ spread
    return blurred if n % 2 else half_pixel(n - 1, n) @ blurred


def separable(image: torch.Tensor, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    return np.einsum("pi,ncij,qj->ncpq", rows, image.numpy(), columns)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("size", [(8, 6), (9, 7), (5, 12), (1, 1), (1, 6), (2, 3)])
@pytest.mark.parametrize(("n", "channels"), [(1, 1), (2, 3)])
def test_reduce_and_expand_are_their_literal_matrices(style, size, n, channels):
    image = random_images(n, channels, size)
    coarse = reduce(image, style)
    np.testing.assert_allclose(coarse.numpy(), separable(image, down(size[0], style), down(size[1], style)), atol=1e-13)
    fine = expand(coarse, size, style)
    np.testing.assert_allclose(fine.numpy(), separable(coarse, up(size[0], style), up(size[1], style)), atol=1e-13)


@pytest.mark.parametrize("size", [(8, 6), (9, 7), (5, 12)])
def test_the_tensorflow_blur_is_a_strided_convolution_and_its_transpose(size):
    image = random_images(2, 1, size)
    kernel = torch.from_numpy(np.outer(KERNEL, KERNEL))[None, None]
    (top, bottom), (left, right) = ((1, 2) if n % 2 == 0 else (2, 2) for n in size)
    padded = torch.nn.functional.pad(image, (left, right, top, bottom))
    coarse = torch.nn.functional.conv2d(padded, kernel, stride=2)
    torch.testing.assert_close(reduce(image, "tensorflow"), coarse, rtol=0, atol=1e-13)
    fine = torch.nn.functional.conv_transpose2d(coarse, 4 * kernel, stride=2)
    fine = fine[:, :, top : top + size[0], left : left + size[1]]
    torch.testing.assert_close(expand(coarse, size, "tensorflow"), fine, rtol=0, atol=1e-13)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("size", [(64, 64), (65, 63), (45, 91), (3, 17), (1, 1)])
@pytest.mark.parametrize("levels", [0, 1, 4])
def test_merging_what_was_split_gives_the_image_back(style, size, levels):
    image = random_images(2, 3, size)
    before = image.clone()
    pieces = split(image, levels, style)
    torch.testing.assert_close(merge(pieces, style), image, rtol=0, atol=1e-12)
    assert torch.equal(image, before)
    expected = [size]
    for _ in range(levels):
        expected.append(tuple((n + 1) // 2 for n in expected[-1]))
    expected = [expected[-1], *expected[-2::-1]] if levels else expected
    assert [tuple(piece.shape[2:]) for piece in pieces] == expected


@pytest.mark.parametrize("style", STYLES)
def test_a_piece_is_what_its_halving_lost(style):
    image = random_images(1, 2, (13, 10))
    coarsest, middle, finest = split(image, 2, style)
    half = reduce(image, style)
    torch.testing.assert_close(finest, image - expand(half, (13, 10), style), rtol=0, atol=1e-14)
    torch.testing.assert_close(middle, half - expand(reduce(half, style), (7, 5), style), rtol=0, atol=1e-14)
    torch.testing.assert_close(coarsest, reduce(half, style), rtol=0, atol=1e-14)


def passed(n: int, style: str) -> torch.Tensor:
    ones = torch.ones(1, 1, n, n, dtype=torch.float64)
    return expand(reduce(ones, style), (n, n), style)[0, 0]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("n", [32, 33])
def test_a_constant_passes_unchanged_away_from_the_borders(style, n):
    inside = passed(n, style)[8:-8, 8:-8]
    torch.testing.assert_close(inside, torch.ones_like(inside), rtol=0, atol=1e-14)


def test_tensorflows_corners_keep_less_than_half_of_a_constant():
    corners = passed(64, "tensorflow")[[0, -1], [0, -1]]
    assert corners.tolist() == pytest.approx([0.22, 0.41], abs=0.005)


def test_matlabs_edges_and_corners_overshoot():
    image = passed(33, "matlab")
    assert image[16, 0].item() == image[0, 16].item() == pytest.approx(1.375)
    assert image[0, 0].item() == pytest.approx(1.375**2)


@pytest.mark.parametrize("style", STYLES)
def test_an_images_pieces_do_not_depend_on_its_company(style):
    images = random_images(3, 2, (11, 14))
    together = split(images, 3, style)
    for i in range(3):
        for one, all_ in zip(split(images[i : i + 1], 3, style), together, strict=True):
            assert torch.equal(one[0], all_[i])
