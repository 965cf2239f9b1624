"""Noise, blur, colour: literal formulas and distributions."""

from __future__ import annotations

import pytest
import torch
from members import PHOTOMETRIC, canvas_channels, name_of
from networks import SIZE, look, pipeline, random_images

from phosphene import transforms as t
from phosphene.functional.filters import gaussian_blur


@pytest.mark.parametrize(("channels", "size"), [(3, (32, 30)), (1, (40, 33)), (5, (20, 21))])
def test_noise_is_normal_of_the_given_standard_deviation(channels, size):
    images = random_images(2, channels, size)
    noise = look([t.GaussianNoise(0.2)], images, views=8) - images.repeat_interleave(8, 0)
    assert noise.std().item() == pytest.approx(0.2, rel=0.03)
    assert noise.mean().abs() < 0.005
    assert noise.flatten(1).corrcoef().fill_diagonal_(0).abs().max() < 0.15
    assert noise.abs().max() < 0.2 * 6


def test_noise_is_new_in_every_step_and_the_same_for_every_look_of_a_step():
    images = random_images(1, 3, SIZE)
    made = pipeline([t.GaussianNoise(0.1)], images)
    first = made.look(0)
    assert torch.equal(first(images), first(images))
    assert not torch.equal(first(images), made.look(1)(images))


@pytest.mark.parametrize(("channels", "size"), [(3, (12, 10)), (1, (9, 14)), (5, (11, 11))])
def test_blur_of_a_fixed_width_is_the_gaussian_filter(channels, size):
    images = random_images(2, channels, size)
    expected = gaussian_blur(images, torch.tensor([1.2, 1.2], dtype=torch.float64), 4)
    torch.testing.assert_close(look([t.GaussianBlur(1.2, 1.2)], images), expected, rtol=0, atol=1e-6)


def test_blur_widths_are_uniform():
    point = torch.zeros(1, 1, 31, 31, dtype=torch.float64)
    point[0, 0, 15, 15] = 1
    profile = look([t.GaussianBlur(0.8, 2.0)], point, views=300).sum((1, 2))
    spread = ((torch.arange(31) - 15.0).square() * profile).sum(1).sqrt()
    assert 0.75 < spread.min() < 0.9
    assert 1.85 < spread.max() <= 2.0
    assert spread.mean().item() == pytest.approx(1.39, abs=0.06)


def test_brightness_shifts_all_values_alike():
    images = random_images(1, 3, SIZE)
    shift = look([t.ColorJitter(brightness=0.2)], images, views=300) - images
    assert shift.flatten(1).std(1).max() < 1e-6
    amounts = shift.mean((1, 2, 3))
    assert -0.2 <= amounts.min() < -0.18
    assert 0.18 < amounts.max() <= 0.2
    assert amounts.mean().abs() < 0.03


def test_contrast_changes_the_distance_from_mid_grey():
    images = random_images(1, 3, SIZE)
    ratio = (look([t.ColorJitter(contrast=0.4)], images, views=200) - 0.5) / (images - 0.5)
    factors = ratio.flatten(1).median(1).values
    torch.testing.assert_close(ratio, factors[:, None, None, None].expand_as(ratio), rtol=1e-4, atol=1e-4)
    assert 0.6 <= factors.min() < 0.65
    assert 1.35 < factors.max() <= 1.4


@pytest.mark.parametrize("channels", [3, 5])
def test_saturation_changes_the_distance_from_the_pixels_own_grey(channels):
    images = random_images(1, channels, SIZE)
    views = look([t.ColorJitter(saturation=0.9)], images, views=200)
    torch.testing.assert_close(views.mean(1), images.mean(1).expand(200, -1, -1), rtol=0, atol=1e-6)
    ratio = (views - views.mean(1, keepdim=True)).flatten(1).norm(dim=1) / (
        images - images.mean(1, keepdim=True)
    ).norm()
    assert 0.1 - 1e-6 <= ratio.min() < 0.2
    assert 1.8 < ratio.max() <= 1.9 + 1e-6


def test_saturation_leaves_a_grey_image_as_it_is():
    images = random_images(2, 1, SIZE)
    torch.testing.assert_close(look([t.ColorJitter(saturation=1.0)], images), images, rtol=0, atol=1e-6)


@pytest.mark.parametrize("transform", PHOTOMETRIC, ids=name_of)
@pytest.mark.parametrize(("channels", "size"), [(3, (5, 7)), (1, (1, 4)), (5, (8, 3))])
def test_gradients_flow_through_every_photometric_transform_to_their_own_image(transform, channels, size):
    images = random_images(2, canvas_channels(transform, channels), size).requires_grad_()
    views = look([transform], images, views=2)
    assert views.shape == (4, channels, *size)
    (gradient,) = torch.autograd.grad(views[2:].sum(), images)
    assert (gradient[0] == 0).all()
    # A transparent pixel's colours reach the view in the share of its opacity.
    reach = images[1, -1:].mean().item() if images.shape[1] > channels else 1.0
    assert gradient[1, :channels].sum() == pytest.approx(2 * reach * gradient[1, :channels].numel(), rel=0.6)
