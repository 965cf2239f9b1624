"""Norms of an image against literal sums, closed forms and what one step of descent does."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from members import ALPHA_REGULARIZERS, REGULARIZERS, name_of
from networks import conv_net, random_images

import phosphene as ph
from phosphene.errors import ImageError, ParameterError
from phosphene.functional.filters import BLUR_3X3, blur_normalized
from phosphene.regularizers import AlphaNorm, BlurAlphaPenalty, MeanAlpha, SpectralPenalty, WeightDecay

SHAPES = pytest.mark.parametrize(
    ("channels", "size"), [(1, (5, 7)), (3, (4, 4)), (5, (6, 3)), (3, (1, 5)), (3, (5, 1)), (1, (1, 1)), (2, (7, 8))]
)


def descent(regularizer, images, rate):
    """One step of plain descent."""
    given = images.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(regularizer.penalty(given).sum(), given)
    return images - rate * gradient


@SHAPES
@pytest.mark.parametrize("alpha", [1.0, 2.0, 6.0])
def test_an_alpha_norm_is_a_literal_sum_of_powers(channels, size, alpha):
    images = random_images(2, channels, size)
    center, scale = tuple(0.4 + 0.05 * c for c in range(channels)), tuple(0.2 + 0.1 * c for c in range(channels))
    expected = [0.0, 0.0]
    for n in range(2):
        for c in range(channels):
            for value in images[n, c].flatten().tolist():
                expected[n] += abs((value - center[c]) / scale[c]) ** alpha
    assert AlphaNorm(alpha, center, scale).penalty(images).tolist() == pytest.approx(expected)


def test_the_zoos_alpha_norm_is_that_of_the_normalised_image():
    mean, sd = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    images = random_images(2, 3, (5, 6))
    normal = (images - torch.tensor(mean)[:, None, None]) / torch.tensor(sd)[:, None, None]
    torch.testing.assert_close(
        AlphaNorm(6.0, mean, sd).penalty(images), (normal**6).sum((1, 2, 3)), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize(("isotropic", "beta"), [(False, 1.0), (True, 2.0)])
def test_a_variation_in_other_units_is_that_of_the_divided_image(isotropic, beta):
    images, scale = random_images(2, 3, (5, 6)), (0.25, 0.5, 2.0)
    divided = images / torch.tensor(scale)[:, None, None]
    plain, scaled = ph.TotalVariation(isotropic, beta), ph.TotalVariation(isotropic, beta, scale)
    torch.testing.assert_close(scaled.penalty(images), plain.penalty(divided), rtol=1e-9, atol=1e-12)


def test_an_alpha_norm_of_one_value_stands_for_every_channel():
    images = random_images(2, 3, (5, 6))
    assert torch.equal(
        AlphaNorm(4.0, (0.25,), (2.0,)).penalty(images), AlphaNorm(4.0, (0.25,) * 3, (2.0,) * 3).penalty(images)
    )


@SHAPES
@pytest.mark.parametrize("constant", [0.0, 0.5])
def test_weight_decay_brings_values_a_share_of_the_way_to_the_constant(channels, size, constant):
    images, rate = random_images(2, channels, size), 0.3
    torch.testing.assert_close(descent(WeightDecay(constant), images, rate), (1 - rate) * images + rate * constant)
    assert WeightDecay(constant).penalty(images)[1].item() == pytest.approx(
        0.5 * ((images[1] - constant) ** 2).sum().item()
    )


def literal_loss(image, sigma):
    """The sum over all frequencies of the full transform, one at a time."""
    h, w = image.shape
    total = 0.0
    for u in range(h):
        for v in range(w):
            wave = np.exp(-2j * np.pi * (u * np.arange(h)[:, None] / h + v * np.arange(w)[None] / w))
            power = abs((image * wave).sum()) ** 2 / (h * w)
            fy, fx = min(u, h - u) / h, min(v, w - v) / w
            total += (1 - math.exp(-2 * (math.pi * sigma) ** 2 * (fy**2 + fx**2))) * power
    return total / 2


@SHAPES
@pytest.mark.parametrize("sigma", [0.3, 1.0, 2.5])
def test_a_spectral_penalty_is_a_literal_sum_over_frequencies(channels, size, sigma):
    images = random_images(2, channels, size)
    expected = [sum(literal_loss(plane, sigma) for plane in image.numpy()) for image in images]
    assert SpectralPenalty(sigma).penalty(images).tolist() == pytest.approx(expected, abs=1e-12)


@SHAPES
def test_descent_on_a_spectral_penalty_is_a_blur(channels, size):
    """Blurring is an L2 norm that grows with frequency: (1 - k) x + k blur(x), the blur a product in Fourier space."""
    images, sigma, rate = random_images(2, channels, size), 0.8, 0.4
    f = np.hypot(np.fft.fftfreq(size[0])[:, None], np.fft.fftfreq(size[1])[None])
    blurred = np.fft.ifft2(np.fft.fft2(images.numpy()) * np.exp(-2 * (np.pi * sigma * f) ** 2)).real
    expected = (1 - rate) * images + rate * torch.from_numpy(blurred)
    torch.testing.assert_close(descent(SpectralPenalty(sigma), images, rate), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("sigma", [0.5, 4.0])
def test_a_constant_image_costs_no_frequency_and_a_very_wide_blur_all_but_the_mean(sigma):
    assert SpectralPenalty(sigma).penalty(torch.full((2, 3, 5, 6), 0.7, dtype=torch.float64)).abs().max() < 1e-12
    images = random_images(2, 3, (5, 6))
    wide = SpectralPenalty(1000.0).penalty(images)
    torch.testing.assert_close(wide, 0.5 * (images - images.mean((2, 3), keepdim=True)).square().sum((1, 2, 3)))


@pytest.mark.parametrize("channels", [2, 4, 5])
def test_alpha_is_the_channel_after_all_others(channels):
    images = random_images(3, channels, (5, 7))
    opacity = images[:, channels - 1 : channels]
    torch.testing.assert_close(MeanAlpha().penalty(images), opacity.mean((1, 2, 3)))
    blurred = blur_normalized(opacity, BLUR_3X3)
    torch.testing.assert_close(BlurAlphaPenalty().penalty(images), 0.5 * (opacity - blurred).square().sum((1, 2, 3)))


def test_descent_on_the_blur_of_alpha_blurs_alpha_only():
    images, rate = random_images(2, 4, (5, 7)), 0.3
    found = descent(BlurAlphaPenalty(), images, rate)
    assert torch.equal(found[:, :3], images[:, :3])
    expected = (1 - rate) * images[:, 3:] + rate * blur_normalized(images[:, 3:], BLUR_3X3)
    torch.testing.assert_close(found[:, 3:], expected)


def test_a_product_with_the_mean_alpha_weighs_a_unit_by_its_transparency():
    images = random_images(2, 4, (5, 7))
    product = ph.regularizers.L1() * (1 - MeanAlpha())
    compiled = ph.objectives.compile_objectives([product] * 2, conv_net(4, (5, 7)))
    expected = ph.regularizers.L1().penalty(images) * (1 - images[:, 3].mean((1, 2)))
    torch.testing.assert_close(compiled(ph.objectives.Scene(images, {}, 1)), expected)


@pytest.mark.parametrize("regularizer", ALPHA_REGULARIZERS, ids=name_of)
@pytest.mark.parametrize("channels", [1, 3])
def test_an_image_without_alpha_is_refused(regularizer, channels):
    with pytest.raises(
        ImageError, match=f"the image has {channels} channels? and no alpha; render {channels + 1} channels, the last"
    ):
        regularizer.penalty(random_images(1, channels, (4, 4)))


@pytest.mark.parametrize("regularizer", [*REGULARIZERS, *ALPHA_REGULARIZERS], ids=name_of)
def test_every_gradient_is_that_of_finite_differences_unless_a_part_is_held_constant(regularizer):
    if isinstance(regularizer, ph.regularizers.BlurPenalty | BlurAlphaPenalty | ph.regularizers.BilateralPenalty):
        return  # their closed forms are tested instead
    images = random_images(1, 4, (4, 5)).requires_grad_()
    assert torch.autograd.gradcheck(regularizer.penalty, (images,), eps=1e-7, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("regularizer", ALPHA_REGULARIZERS, ids=name_of)
def test_penalties_on_alpha_come_back_from_their_json_form(regularizer):
    assert ph.objectives.Objective.from_json(regularizer.to_json()) == regularizer


def test_another_number_of_values_than_channels_is_refused():
    with pytest.raises(ParameterError, match="2 values are given for images of 3 channels; give 3, or 1"):
        AlphaNorm(6.0, (0.1, 0.2)).penalty(random_images(1, 3, (4, 4)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: AlphaNorm(0.5), "alpha is 0.5; expected a number from 1 to 32"),
        (lambda: AlphaNorm(6.0, ()), "center is .*; expected finite numbers"),
        (lambda: AlphaNorm(6.0, (0.5,), (0.0,)), "scale is .*; expected numbers above 0"),
        (lambda: ph.TotalVariation(scale=(0.0,)), "scale is .*; expected numbers above 0"),
        (lambda: WeightDecay(math.inf), "constant is inf; expected a finite number"),
        (lambda: SpectralPenalty(0.0), "sigma is 0.0; expected a number above 0"),
    ],
)
def test_parameters_out_of_range_are_refused(make, message):
    with pytest.raises(ParameterError, match=message):
        make()
