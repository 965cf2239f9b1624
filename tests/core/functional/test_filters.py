"""Filters against literal loops and SciPy's conventions."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from networks import random_images

from phosphene.functional.filters import BLUR_3X3, blur_normalized, gaussian_blur


@pytest.mark.parametrize(("channels", "size"), [(1, (4, 6)), (3, (5, 5)), (5, (1, 3))])
def test_the_normalised_blur_is_a_literal_weighted_mean(channels, size):
    images = random_images(2, channels, size)
    found = blur_normalized(images, BLUR_3X3)
    for n in range(2):
        for c in range(channels):
            for y in range(size[0]):
                for x in range(size[1]):
                    total = weight = 0.0
                    for dy in (-1, 0, 1):
                        for dx in (-1, 0, 1):
                            if 0 <= y + dy < size[0] and 0 <= x + dx < size[1]:
                                w = BLUR_3X3[dy + 1][dx + 1]
                                total, weight = total + w * images[n, c, y + dy, x + dx].item(), weight + w
                    assert found[n, c, y, x].item() == pytest.approx(total / weight, abs=1e-12)


def test_the_interior_weights_of_the_blur_are_a_tenth_and_a_fifth():
    point = torch.zeros(1, 1, 5, 5, dtype=torch.float64)
    point[0, 0, 2, 2] = 1
    expected = torch.full((3, 3), 0.1, dtype=torch.float64)
    expected[1, 1] = 0.2
    torch.testing.assert_close(blur_normalized(point, BLUR_3X3)[0, 0, 1:4, 1:4], expected)


@pytest.mark.parametrize(("channels", "size"), [(1, (9, 12)), (3, (11, 9)), (5, (9, 9))])
def test_the_gaussian_blur_is_a_literal_separable_convolution(channels, size):
    images, sigmas, radius = random_images(3, channels, size), torch.tensor([0.5, 1.0, 1.7], dtype=torch.float64), 5
    found = gaussian_blur(images, sigmas, radius)
    for i, sigma in enumerate(sigmas.tolist()):
        taps = torch.tensor(
            [math.exp(-0.5 * (k / sigma) ** 2) for k in range(-radius, radius + 1)], dtype=torch.float64
        )
        kernel = torch.outer(taps, taps) / taps.sum() ** 2
        padded = F.pad(images[i][None], (radius,) * 4, mode="reflect")
        expected = F.conv2d(padded.transpose(0, 1), kernel[None, None]).transpose(0, 1)[0]
        torch.testing.assert_close(found[i], expected, rtol=0, atol=1e-12)


def test_a_gaussian_blur_of_no_width_is_the_identity():
    images = random_images(2, 3, (6, 5))
    torch.testing.assert_close(
        gaussian_blur(images, torch.zeros(2, dtype=torch.float64), 3), images, rtol=0, atol=1e-15
    )


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (3, 1), (5, 4)])
def test_a_gaussian_blur_wider_than_the_image_keeps_a_constant(size):
    images = torch.full((2, 1, *size), 0.7, dtype=torch.float64)
    torch.testing.assert_close(gaussian_blur(images, torch.tensor([3.0, 0.1], dtype=torch.float64), 9), images)
