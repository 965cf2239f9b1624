"""The bilateral penalty and the penalty on borders, against literal loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from networks import random_images

from phosphene._types import FrozenArray
from phosphene.errors import ImageError, ParameterError
from phosphene.functional.bilateral import bilateral
from phosphene.regularizers import BilateralPenalty, BoundaryComplexity

SHAPES = pytest.mark.parametrize(
    ("channels", "size"), [(1, (5, 7)), (3, (6, 6)), (5, (6, 3)), (3, (1, 5)), (3, (5, 1)), (1, (1, 1))]
)


def literal_bilateral(image, space, color, radius):
    """Of one image (c, h, w): borders reflected, no further than the image reaches."""
    _, height, width = image.shape
    found = np.zeros_like(image)
    down, right = min(radius, height - 1), min(radius, width - 1)

    def mirror(i, n):
        i = abs(i)
        return i if i < n else 2 * (n - 1) - i

    for y in range(height):
        for x in range(width):
            total, weights = 0.0, 0.0
            for dy in range(-down, down + 1):
                for dx in range(-right, right + 1):
                    other = image[:, mirror(y + dy, height), mirror(x + dx, width)]
                    gap = ((other - image[:, y, x]) ** 2).sum()
                    weight = math.exp(-(dy**2 + dx**2) / (2 * space**2)) * math.exp(-gap / (2 * color**2))
                    total, weights = total + weight * other, weights + weight
            found[:, y, x] = total / weights
    return found


@SHAPES
@pytest.mark.parametrize(("space", "color", "radius"), [(1.0, 0.2, 1), (2.0, 0.5, 3), (0.7, 5.0, 2)])
def test_the_bilateral_filter_is_a_literal_weighted_mean(channels, size, space, color, radius):
    images = random_images(2, channels, size)
    found = bilateral(images, sigma_space=space, sigma_color=color, radius=radius)
    expected = np.stack([literal_bilateral(image, space, color, radius) for image in images.numpy()])
    torch.testing.assert_close(found, torch.from_numpy(expected), rtol=1e-10, atol=1e-12)


def test_the_bilateral_filter_leaves_a_step_and_smooths_its_sides():
    step = torch.zeros(1, 3, 8, 10, dtype=torch.float64)
    step[..., 5:] = 1
    noisy = step + 0.02 * (random_images(1, 3, (8, 10)) - 0.5)
    found = bilateral(noisy, sigma_space=2.0, sigma_color=0.1, radius=3)
    assert (found - step).std() < 0.4 * (noisy - step).std()
    assert (found[..., 5] - found[..., 4]).min() > 0.97


def test_without_regard_to_colour_the_bilateral_filter_is_a_gaussian_blur():
    images = random_images(2, 3, (9, 8))
    taps = torch.exp(-0.5 * (torch.arange(-2, 3, dtype=torch.float64) / 1.3) ** 2)
    kernel = torch.outer(taps, taps) / taps.sum() ** 2
    padded = F.pad(images, (2, 2, 2, 2), mode="reflect").flatten(0, 1)[:, None]
    expected = F.conv2d(padded, kernel[None, None]).view_as(images)
    found = bilateral(images, sigma_space=1.3, sigma_color=1e6, radius=2)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-10)


@SHAPES
def test_descent_on_the_bilateral_penalty_filters_the_image(channels, size):
    images, rate = random_images(2, channels, size), 0.3
    given = images.clone().requires_grad_()
    penalty = BilateralPenalty(1.0, 0.4, 2).penalty(given)
    filtered = bilateral(images, sigma_space=1.0, sigma_color=0.4, radius=2)
    torch.testing.assert_close(penalty, 0.5 * (images - filtered).square().sum((1, 2, 3)))
    (gradient,) = torch.autograd.grad(penalty.sum(), given)
    torch.testing.assert_close(images - rate * gradient, (1 - rate) * images + rate * filtered)


def literal_boundary(image, mask, constant):
    """Of one image (c, h, w) and a mask (h, w)."""
    channels, height, width = image.shape
    total = 0.0
    for c in range(channels):
        for y in range(height):
            for x in range(width):
                blur = weights = 0.0
                for dy in range(-2, 3):
                    for dx in range(-2, 3):
                        if 0 <= y + dy < height and 0 <= x + dx < width:
                            weight = 0.5 if 2 in (abs(dy), abs(dx)) else 1.0
                            blur, weights = blur + weight * image[c, y + dy, x + dx], weights + weight
                here = image[c, y, x]
                total += ((blur / weights - here) ** 2 + 0.8 * (here - constant) ** 2) * mask[y, x]
    return total


@pytest.mark.parametrize(("channels", "size"), [(1, (9, 8)), (3, (7, 11)), (5, (6, 6))])
@pytest.mark.parametrize(("width", "constant"), [(1, 0.5), (2, 0.3), (20, 0.5), (0, 0.5)])
def test_the_complexity_of_a_border_is_a_literal_sum(channels, size, width, constant):
    images = random_images(2, channels, size)
    mask = np.ones(size)
    for y in range(size[0]):
        for x in range(size[1]):
            if width <= y < size[0] - width and width <= x < size[1] - width:
                mask[y, x] = 0
    expected = [literal_boundary(image, mask, constant) for image in images.numpy()]
    assert BoundaryComplexity(width, constant=constant).penalty(images).tolist() == pytest.approx(expected)


def test_the_wide_blurs_weights_are_seventeen_in_all():
    from phosphene.regularizers.edges import BLUR_5X5

    assert sum(map(sum, BLUR_5X5)) == 17
    assert BLUR_5X5[2] == (0.5, 1.0, 1.0, 1.0, 0.5)


def test_a_given_mask_takes_the_place_of_the_border():
    images, mask = random_images(2, 3, (6, 5)), np.random.default_rng(0).uniform(size=(6, 5)).astype(np.float32)
    expected = [literal_boundary(image, mask, 0.5) for image in images.numpy()]
    for given in (mask, mask[None], np.stack([mask] * 3)):
        found = BoundaryComplexity(mask=FrozenArray.of(given)).penalty(images)
        assert found.tolist() == pytest.approx(expected)


def test_a_mask_of_another_size_is_resized_bilinearly():
    images, mask = random_images(2, 3, (6, 5)), torch.rand(1, 1, 4, 9, generator=torch.Generator().manual_seed(0))
    fitted = F.interpolate(mask, (6, 5), mode="bilinear", align_corners=False)[0]
    found = BoundaryComplexity(mask=FrozenArray.of(mask[0, 0])).penalty(images)
    torch.testing.assert_close(
        found, BoundaryComplexity(mask=FrozenArray.of(fitted)).penalty(images), rtol=1e-6, atol=1e-8
    )


def test_what_lies_inside_the_border_costs_nothing():
    images = torch.full((1, 3, 12, 12), 0.5, dtype=torch.float64)
    images[..., 5:7, 5:7] = 1.0
    assert BoundaryComplexity(2).penalty(images).item() == 0
    assert BoundaryComplexity(4).penalty(images).item() > 0


def test_a_mask_with_other_channels_is_refused():
    with pytest.raises(ImageError, match="the mask has 2 channels, the images have 3"):
        BoundaryComplexity(mask=FrozenArray.of(np.ones((2, 4, 4)))).penalty(random_images(1, 3, (4, 4)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BilateralPenalty(sigma_space=0.0), "sigma_space is 0.0; expected a number above 0"),
        (lambda: BilateralPenalty(sigma_color=math.inf), "sigma_color is inf; expected a number above 0"),
        (lambda: BilateralPenalty(radius=0), "radius is 0; expected a whole number from 1 to 32"),
        (lambda: BoundaryComplexity(-1), "width is -1; expected a whole number from 0"),
        (lambda: BoundaryComplexity(constant=math.nan), "constant is nan; expected a finite number"),
        (lambda: BoundaryComplexity(mask=FrozenArray.of(np.ones(3))), r"mask is \(3,\); expected a mask"),
    ],
)
def test_parameters_out_of_range_are_refused(make, message):
    with pytest.raises(ParameterError, match=message):
        make()
