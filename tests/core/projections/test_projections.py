"""Projections against literal formulas in NumPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from networks import random_images
from scipy import ndimage

from phosphene import optimizers as o
from phosphene import projections as p
from phosphene.errors import ParameterError


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_clipping_clamps_every_value(channels):
    image = 3 * random_images(2, channels, (5, 4)) - 1
    np.testing.assert_array_equal(p.Clip().project(image, 0).numpy(), np.clip(image.numpy(), 0, 1))
    np.testing.assert_array_equal(p.Clip(-0.2, 0.7).project(image, 0).numpy(), np.clip(image.numpy(), -0.2, 0.7))


def test_clipping_takes_bounds_for_each_channel():
    image = 3 * random_images(2, 3, (5, 4)) - 1
    low, high = (-0.4, -0.46, -0.48), 0.5
    found = p.Clip(low, high).project(image, 0)
    for channel in range(3):
        np.testing.assert_array_equal(found[:, channel].numpy(), np.clip(image[:, channel].numpy(), low[channel], high))


def test_bounds_for_other_channels_than_the_images_are_refused():
    with pytest.raises(ParameterError, match=r"Clip has bounds for 3 channels, but the image has 1"):
        p.Clip((0, 0, 0)).project(random_images(1, 1, (2, 2)), 0)


@pytest.mark.parametrize("center", [0.0, 0.5])
def test_a_fixed_norm_is_each_images_distance_from_the_centre(center):
    image = random_images(3, 2, (5, 4)) - 0.3
    image[2] = center
    found = p.FixNorm(2.0, center).project(image, 0)
    for i in range(2):
        away = image[i].numpy() - center
        np.testing.assert_allclose(found[i].numpy(), center + 2 * away / math.sqrt((away**2).sum()), atol=1e-12)
    assert torch.equal(found[2], image[2])


def test_a_capped_norm_shortens_only_what_is_longer():
    image = torch.stack([torch.full((1, 2, 2), 0.1), torch.full((1, 2, 2), 3.0), torch.zeros(1, 2, 2)]).double()
    found = p.CapNorm(1.0).project(image, 0)
    assert torch.equal(found[0], image[0])
    assert found[1].flatten().tolist() == pytest.approx([0.5] * 4)
    assert torch.equal(found[2], image[2])


@pytest.mark.parametrize(("mean", "sd"), [(0.5, 0.2), (None, 0.1), (0.3, None), (None, None), (0.5, 0.0)])
def test_a_fixed_contrast_sets_mean_and_deviation_of_each_image(mean, sd):
    image = random_images(2, 3, (6, 5))
    found = p.FixContrast(mean, sd).project(image, 0).numpy()
    for i, own in enumerate(image.numpy()):
        factor = 1.0 if sd is None else sd / own.std()
        expected = (own - own.mean()) * factor + (own.mean() if mean is None else mean)
        np.testing.assert_allclose(found[i], expected, atol=1e-12)


def test_a_constant_image_gets_the_mean_only():
    found = p.FixContrast(0.4, 0.2).project(torch.full((1, 1, 3, 3), 0.9, dtype=torch.float64), 0)
    assert found.flatten().tolist() == pytest.approx([0.4] * 9, abs=1e-12)


def test_quantising_is_a_passage_through_bytes():
    image = 1.4 * random_images(2, 3, (6, 5)) - 0.2
    expected = np.uint8(np.round(np.clip(image.numpy(), 0, 1) * 255)) / 255
    np.testing.assert_allclose(p.Quantize().project(image, 0).numpy(), expected, atol=1e-15)
    assert set(p.Quantize(2).project(image, 0).unique().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize("percentile", [0.0, 10.0, 50.0, 100.0])
def test_the_pixels_nearest_to_grey_become_grey(percentile):
    image = random_images(2, 3, (5, 4))
    found = p.ClipSmallNorm(percentile).project(image, 0)
    for i in range(2):
        distance = np.sqrt(((image[i].numpy() - 0.5) ** 2).sum(0)).flatten()
        chosen = np.argsort(distance)[: int(20 * percentile / 100)]
        expected = image[i].numpy().reshape(3, -1).copy()
        expected[:, chosen] = 0.5
        np.testing.assert_array_equal(found[i].numpy().reshape(3, -1), expected)


@pytest.mark.parametrize("sigma", [0.8, 2.0])
def test_the_blur_is_scipys(sigma):
    image = random_images(2, 3, (15, 18))
    expected = ndimage.gaussian_filter(image.numpy(), (0, 0, sigma, sigma), mode="mirror")
    np.testing.assert_allclose(p.Blur(sigma).project(image, 0).numpy(), expected, atol=1e-12)


def test_a_scheduled_blur_fades_with_the_steps():
    image, blur = random_images(1, 3, (12, 12)), p.Blur(2.0, o.Linear(4))
    for step in range(4):
        expected = p.Blur(2.0 * (1 - step / 4)).project(image, 0)
        torch.testing.assert_close(blur.project(image, step), expected, rtol=0, atol=1e-12)
    assert torch.equal(blur.project(image, 4), image)


def test_the_box_blur_is_a_uniform_filter():
    image = random_images(2, 3, (9, 8))
    expected = ndimage.uniform_filter(image.numpy(), (1, 1, 5, 5), mode="mirror")
    np.testing.assert_allclose(p.BoxBlur(5).project(image, 0).numpy(), expected, atol=1e-12)


def test_smoothing_frequencies_weighs_them():
    image = random_images(2, 3, (8, 7))
    f = np.hypot(np.fft.fftfreq(8)[:, None], np.fft.fftfreq(7)[None])
    expected = np.fft.ifft2(np.fft.fft2(image.numpy()) * (1 - f) ** 2).real
    np.testing.assert_allclose(p.SmoothFrequencies(2.0).project(image, 0).numpy(), expected, atol=1e-13)


@pytest.mark.parametrize(
    "projection",
    [p.Blur(1.0, every=4, phase=1), p.BoxBlur(3, every=4, phase=1), p.SmoothFrequencies(1.0, every=4, phase=1)],
)
def test_a_periodic_projection_acts_after_every_so_many_steps(projection):
    image = random_images(1, 3, (6, 5))
    acted = [step for step in range(12) if not torch.equal(projection.project(image, step), image)]
    # The zoo counts its steps from 1 and blurs before the steps 4, 8, 12 …
    assert acted == [step for step in range(12) if (step + 2) % 4 == 0]


def test_a_periodic_projection_without_a_phase_acts_after_whole_periods():
    image, blur = random_images(1, 3, (6, 5)), p.BoxBlur(3, every=3)
    assert [s for s in range(9) if not torch.equal(blur.project(image, s), image)] == [2, 5, 8]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: p.Clip(0.5, 0.4), r"low, high is \(0.5, 0.4\); expected numbers, low <= high"),
        (lambda: p.Clip((0, 0), (1, 1, 1)), r"low, high is .*; expected equal lengths"),
        (lambda: p.Clip(()), r"low, high is .*; expected numbers"),
        (lambda: p.Clip(float("nan")), r"low, high is .*; expected numbers"),
        (lambda: p.FixNorm(0.0), r"norm is 0.0; expected a number above 0"),
        (lambda: p.CapNorm(1.0, float("inf")), r"center is inf; expected a finite number"),
        (lambda: p.FixContrast(mean=float("nan")), r"mean is nan; expected a finite number, or None"),
        (lambda: p.FixContrast(sd=-1.0), r"sd is -1.0; expected a number from 0, or None"),
        (lambda: p.Quantize(1), r"levels is 1; expected a whole number from 2 to 65536"),
        (lambda: p.ClipSmallNorm(101.0), r"percentile is 101.0; expected a number from 0 to 100"),
        (lambda: p.ClipSmallNorm(center=float("inf")), r"center is inf; expected a finite number"),
        (lambda: p.Blur(-1.0), r"sigma is -1.0; expected a number from 0 to 64"),
        (lambda: p.Blur(every=0), r"every is 0; expected a whole number from 1"),
        (lambda: p.Blur(every=2, phase=2), r"phase is 2; expected a whole number from 0, below every"),
        (lambda: p.BoxBlur(0), r"side is 0; expected a whole number from 1 to 255"),
        (lambda: p.SmoothFrequencies(-1.0), r"power is -1.0; expected a number from 0 to 64"),
    ],
)
def test_parameters_out_of_range_are_refused(build, message):
    with pytest.raises(ParameterError, match=message):
        build()
