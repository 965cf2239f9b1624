"""Affine maps and the one resampling against literal implementations."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from networks import random_images

from phosphene.functional.geometry import affine, normalized, resample, rotation, scaling, translation


def points(matrix, *xy):
    return [
        tuple(round(v, 9) for v in (matrix @ torch.tensor([x, y, 1.0], dtype=torch.float64))[:2].tolist())
        for x, y in xy
    ]


def shift(x, y):
    return translation(torch.tensor([x, y], dtype=torch.float64))


def test_maps_move_points_as_they_say():
    assert points(shift(2.0, -1.0), (1, 1)) == [(3, 0)]
    assert points(scaling(torch.tensor([2.0, 0.5], dtype=torch.float64)), (1, 4)) == [(2, 2)]
    quarter = rotation(torch.tensor(90.0, dtype=torch.float64))
    assert points(quarter, (1, 0), (0, 1)) == [(0, 1), (-1, 0)]  # clockwise on the screen, where y points down
    linear = torch.tensor([[1.0, 2.0], [0.0, 3.0]], dtype=torch.float64)
    assert points(affine(linear, torch.tensor([5.0, 6.0], dtype=torch.float64)), (1, 1)) == [(8, 9)]


def test_four_quarter_turns_are_the_identity():
    quarter = rotation(torch.tensor(90.0, dtype=torch.float64))
    torch.testing.assert_close(torch.linalg.matrix_power(quarter, 4), torch.eye(3, dtype=torch.float64))


def literal_bilinear(image, matrix, size, fill):
    """Look up every view pixel by hand; ``fill`` gives the value of an integer place (y, x) outside the image."""
    channels, height, width = image.shape
    out = torch.zeros(channels, *size, dtype=torch.float64)
    for i in range(size[0]):
        for j in range(size[1]):
            point = torch.tensor([j - (size[1] - 1) / 2, i - (size[0] - 1) / 2, 1.0], dtype=torch.float64)
            x, y = (matrix @ point)[:2].tolist()
            x, y = x + (width - 1) / 2, y + (height - 1) / 2
            x0, y0 = math.floor(x), math.floor(y)
            for dy in (0, 1):
                for dx in (0, 1):
                    weight = (1 - abs(x - x0 - dx)) * (1 - abs(y - y0 - dy))
                    out[:, i, j] += weight * fill(image, y0 + dy, x0 + dx)
    return out


def zeros(image, y, x):
    inside = 0 <= y < image.shape[1] and 0 <= x < image.shape[2]
    return image[:, y, x] if inside else torch.zeros(image.shape[0], dtype=torch.float64)


def wrap(image, y, x):
    return image[:, y % image.shape[1], x % image.shape[2]]


def mirrored(i, n):
    i = i % (2 * n)
    return i if i < n else 2 * n - 1 - i


def mirror(image, y, x):
    return image[:, mirrored(y, image.shape[1]), mirrored(x, image.shape[2])]


@pytest.mark.parametrize(("padding", "fill"), [("zeros", zeros), ("wrap", wrap), ("reflection", mirror)])
@pytest.mark.parametrize(("channels", "size", "view"), [(3, (6, 5), (4, 7)), (1, (5, 8), (5, 8)), (5, (4, 4), (3, 2))])
def test_resampling_is_the_literal_bilinear_lookup(padding, fill, channels, size, view):
    images = random_images(2, channels, size)
    maps = torch.stack([shift(0.3, -0.6) @ rotation(torch.tensor(a, dtype=torch.float64)) @ scaling(torch.tensor([s, 1.1 * s], dtype=torch.float64))
                        for a, s in ((0.0, 1.0), (20.0, 0.8), (-50.0, 1.2), (90.0, 0.5))])  # fmt: skip
    found = resample(images, normalized(maps, size, view), view, padding=padding)
    assert found.shape == (4, channels, *view)
    for i in range(4):
        torch.testing.assert_close(found[i], literal_bilinear(images[i // 2], maps[i], view, fill), rtol=0, atol=1e-9)


def test_the_views_of_an_image_follow_each_other():
    images = random_images(2, 3, (5, 6))
    maps = torch.stack([shift(float(k), 0.0) for k in (0, 1, 0, 2)])
    found = resample(images, normalized(maps, (5, 6), (5, 6)), (5, 6), padding="wrap")
    for view, (image, k) in enumerate([(0, 0), (0, 1), (1, 0), (1, 2)]):
        torch.testing.assert_close(found[view], images[image].roll(-k, 2), rtol=0, atol=1e-9)


@pytest.mark.parametrize("supersample", [2, 3])
def test_supersampling_is_the_mean_over_a_finer_grid(supersample):
    images, matrix = random_images(1, 3, (12, 9)), rotation(torch.tensor([10.0], dtype=torch.float64))
    fine = (4 * supersample, 3 * supersample)
    found = resample(images, normalized(matrix, (12, 9), (4, 3)), (4, 3), supersample=supersample)
    rescaled = matrix @ scaling(torch.tensor([[1 / supersample] * 2], dtype=torch.float64))
    expected = F.avg_pool2d(resample(images, normalized(rescaled, (12, 9), fine), fine), supersample)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-9)


def test_resampling_is_differentiable_and_its_gradient_is_right():
    images = random_images(1, 2, (4, 5)).requires_grad_()
    theta = normalized(rotation(torch.tensor([30.0], dtype=torch.float64)), (4, 5), (3, 3))
    for padding in ("zeros", "wrap", "reflection"):
        assert torch.autograd.gradcheck(
            lambda x, p=padding: resample(x, theta, (3, 3), padding=p, supersample=2), (images,)
        )


@pytest.fixture
def threads():
    """Sets the number of threads; put back afterwards."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize("padding", ["zeros", "wrap", "reflection"])
@pytest.mark.parametrize("supersample", [1, 2])
@pytest.mark.parametrize(("n", "n_views", "view"), [(1, 1, (8, 7)), (1, 3, (6, 5)), (1, 3, (7, 5)), (2, 2, (6, 5))])
def test_views_are_the_same_with_any_number_of_threads(threads, padding, supersample, n, n_views, view):
    images = random_images(n, 3, (11, 9)).requires_grad_()
    angles = torch.linspace(-70, 80, n * n_views, dtype=torch.float64)
    theta = normalized(shift(0.4, 1.3) @ rotation(angles), (11, 9), view)
    made = []
    for n_threads in (1, 2, 3):
        threads(n_threads)
        views = resample(images, theta, view, padding=padding, supersample=supersample)
        weights = random_images(*views.shape[:2], tuple(views.shape[2:]), seed=1)
        made.append((views.detach(), *torch.autograd.grad((views * weights).sum(), images)))
    for views, gradient in made[1:]:
        torch.testing.assert_close(views, made[0][0], rtol=0, atol=1e-6)
        torch.testing.assert_close(gradient, made[0][1], rtol=0, atol=1e-6)


@pytest.mark.parametrize(("n", "rows", "n_threads", "strips"), [(1, 8, 2, 2), (1, 7, 2, 1), (2, 8, 2, 2), (1, 8, 1, 1)])
def test_one_image_is_sampled_in_strips_that_divide_it(threads, monkeypatch, n, rows, n_threads, strips):
    seen, real = [], F.grid_sample
    monkeypatch.setattr(F, "grid_sample", lambda image, grid, **k: seen.append(len(grid)) or real(image, grid, **k))
    threads(n_threads)
    theta = normalized(rotation(torch.zeros(n, dtype=torch.float64)), (9, 9), (rows, 6))
    resample(random_images(n, 3, (9, 9)), theta, (rows, 6))
    assert seen == [strips]  # of two images, each is one piece
