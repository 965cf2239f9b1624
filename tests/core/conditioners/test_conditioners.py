"""Conditioners against literal formulas in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage

from phosphene import conditioners as c
from phosphene.errors import ParameterError
from phosphene.functional.pyramid import split


def gradients(n=2, channels=3, size=(9, 7), seed=0):
    return torch.randn(n, channels, *size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def condition(conditioner, gradient, step=0):
    return conditioner.condition(gradient.clone(), step)


NORMS = {
    "mean_abs": lambda g: np.abs(g).mean(),
    "sd": lambda g: g.std(),
    "rms": lambda g: np.sqrt((g**2).mean()),
    "l2": lambda g: np.sqrt((g**2).sum()),
    "max": lambda g: np.abs(g).max(),
}


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("eps", [0.0, 1e-8, 0.5])
@pytest.mark.parametrize(("channels", "size"), [(3, (9, 7)), (1, (4, 4)), (5, (1, 6))])
def test_normalising_divides_each_image_by_its_own_norm(norm, eps, channels, size):
    gradient = gradients(3, channels, size)
    expected = np.stack([g / (NORMS[norm](g) + eps) for g in gradient.numpy()])
    np.testing.assert_allclose(condition(c.Normalize(norm, eps), gradient).numpy(), expected, atol=1e-12)


def test_the_corrected_deviation_is_matlabs():
    gradient = gradients()
    expected = np.stack([g / (g.std(ddof=1) + 1e-9) for g in gradient.numpy()])
    found = condition(c.Normalize("sd", eps=1e-9, correction=1), gradient)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-12)


def test_the_sign_is_steepest_ascent_in_the_largest_value():
    gradient = gradients()
    gradient[0, 0, 0, 0] = 0
    np.testing.assert_array_equal(condition(c.Normalize("sign"), gradient).numpy(), np.sign(gradient.numpy()))


@pytest.mark.parametrize("norm", [*NORMS, "sign"])
def test_a_gradient_of_zero_stays_zero_without_a_guard(norm):
    gradient = gradients()
    gradient[0] = 0
    found = condition(c.Normalize(norm, eps=0.0), gradient)
    assert torch.equal(found[0], torch.zeros_like(found[0]))
    assert found[1].abs().sum() > 0


@pytest.mark.parametrize("norm", [*NORMS, "sign"])
def test_a_normalised_gradient_does_not_depend_on_its_scale(norm):
    gradient, normalize = gradients(), c.Normalize(norm, eps=0.0)
    torch.testing.assert_close(condition(normalize, 7 * gradient), condition(normalize, gradient), rtol=0, atol=1e-12)


def test_a_step_of_the_mean_absolute_norm_moves_pixels_by_one_on_average():
    found = condition(c.Normalize("mean_abs", eps=0.0), gradients())
    assert found.abs().mean((1, 2, 3)).tolist() == pytest.approx([1.0, 1.0])


@pytest.mark.parametrize("style", ["tensorflow", "matlab"])
@pytest.mark.parametrize(("channels", "size"), [(3, (20, 17)), (1, (9, 16))])
def test_every_level_of_the_pyramid_is_divided_by_its_root_mean_square(style, channels, size):
    gradient = gradients(2, channels, size)
    found = condition(c.LaplacianNormalize(3, style), gradient)
    for i in range(2):
        # The pyramid is linear, so its levels can be merged one at a time.
        pieces = split(gradient[i : i + 1], 3, style)
        scaled = [p.numpy() / max(np.sqrt((p.numpy() ** 2).mean()), 1e-10) for p in pieces]
        image = torch.from_numpy(scaled[0])
        for detail in scaled[1:]:
            halved = torch.zeros(1, channels, *detail.shape[2:], dtype=torch.float64)
            raised = split(halved, 1, style)
            raised[0], raised[1] = image, torch.from_numpy(detail)
            image = c.normalize.merge(raised, style)
        torch.testing.assert_close(found[i : i + 1], image, rtol=0, atol=1e-12)


@pytest.mark.parametrize("style", ["tensorflow", "matlab"])
def test_a_laplacian_normalised_gradient_does_not_depend_on_its_scale(style):
    gradient, normalize = gradients(2, 3, (31, 24)), c.LaplacianNormalize(style=style)
    difference = condition(normalize, 7 * gradient) - condition(normalize, gradient)
    assert difference.abs().max() < 1e-13


def test_laplacian_normalised_white_noise_has_twice_its_size_and_stronger_low_frequencies():
    gradient = gradients(1, 3, (128, 128))
    found = condition(c.LaplacianNormalize(), gradient)
    assert found.square().mean().sqrt().item() == pytest.approx(2.0, abs=0.2)

    def low_share(image):
        power = torch.fft.rfft2(image).abs().square().sum((0, 1))
        return (power[:8, :8].sum() / power.sum()).item()

    assert low_share(found) > 10 * low_share(gradient)


def test_the_guard_bounds_the_division_of_a_level():
    gradient = torch.full((1, 1, 8, 8), 1e-12, dtype=torch.float64)
    assert condition(c.LaplacianNormalize(0, eps=1e-10), gradient).max().item() == pytest.approx(1e-2)
    assert condition(c.LaplacianNormalize(0, "matlab"), gradient).max().item() == pytest.approx(1e-4)
    assert condition(c.LaplacianNormalize(2, eps=0.0), 0 * gradient).abs().max() == 0


@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.0])
def test_the_blurred_gradient_is_scipys(sigma):
    gradient = gradients(2, 2, (15, 18))
    expected = ndimage.gaussian_filter(gradient.numpy(), (0, 0, sigma, sigma), mode="mirror")
    np.testing.assert_allclose(condition(c.BlurGradient(sigma), gradient).numpy(), expected, atol=1e-12)


def test_the_smoothed_gradient_weighs_frequencies():
    gradient = gradients(2, 3, (8, 7))
    f = np.hypot(np.fft.fftfreq(8)[:, None], np.fft.fftfreq(7)[None])
    expected = np.fft.ifft2(np.fft.fft2(gradient.numpy()) * (1 - f) ** 2).real
    np.testing.assert_allclose(condition(c.SmoothGradient(2.0), gradient).numpy(), expected, atol=1e-13)


def test_a_gradient_is_clipped_by_each_images_own_norm():
    gradient = gradients()
    gradient[1] *= 1e-6
    found = condition(c.ClipGradient(0.1), gradient)
    assert found[0].norm().item() == pytest.approx(0.1)
    torch.testing.assert_close(found[0] / found[0].norm(), gradient[0] / gradient[0].norm(), rtol=0, atol=1e-12)
    assert torch.equal(found[1], gradient[1])
    assert torch.equal(condition(c.ClipGradient(0.1), 0 * gradient), 0 * gradient)


def test_a_gradient_is_clipped_value_by_value():
    gradient = gradients()
    np.testing.assert_array_equal(
        condition(c.ClipGradient(0.3, "value"), gradient).numpy(), np.clip(gradient.numpy(), -0.3, 0.3)
    )


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: c.Normalize("l1"), r"norm is 'l1'; expected one of \['mean_abs'"),
        (lambda: c.Normalize(eps=-1.0), r"eps is -1.0; expected a number from 0"),
        (lambda: c.Normalize("sd", correction=2), r"correction is 2; expected 0 or 1"),
        (lambda: c.Normalize("rms", correction=1), r"correction is 1; expected 0 unless norm is 'sd'"),
        (lambda: c.LaplacianNormalize(-1), r"levels is -1; expected a whole number from 0 to 16"),
        (lambda: c.LaplacianNormalize(style="caffe"), r"style is 'caffe'; expected 'tensorflow' or 'matlab'"),
        (lambda: c.LaplacianNormalize(eps=float("inf")), r"eps is inf; expected a number from 0, or None"),
        (lambda: c.BlurGradient(-0.5), r"sigma is -0.5; expected a number from 0 to 64"),
        (lambda: c.SmoothGradient(-0.5), r"power is -0.5; expected a number from 0 to 64"),
        (lambda: c.ClipGradient(0.0), r"limit is 0.0; expected a number above 0"),
        (lambda: c.ClipGradient(norm="max"), r"norm is 'max'; expected 'l2' or 'value'"),
    ],
)
def test_parameters_out_of_range_are_refused(build, message):
    with pytest.raises(ParameterError, match=message):
        build()
