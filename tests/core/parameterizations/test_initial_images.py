"""The start images' statistics: the reference sheet's figures for the Fourier parameterization, and plain noise for pixels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from networks import CPU, streams

import phosphene as ph
from phosphene.functional.color import IMAGENET_MEAN


def latent(parameterization, n=8):
    """Start images before colour and range, float64."""
    canvas = parameterization.build(n, streams(n).fork("start"), device=CPU, dtype=torch.float64)
    return torch.logit(canvas()).detach()


@pytest.mark.parametrize(("side", "golden"), [(64, 0.0168), (128, 0.0187), (224, 0.0196)])
def test_the_fourier_start_has_the_golden_standard_deviation(side, golden):
    image = latent(ph.Fourier(side, side, channels=1, decorrelate="none"), n=10)
    assert image.std((1, 2, 3)).mean().item() == pytest.approx(golden, abs=1e-3)


def test_the_power_spectrum_of_the_start_falls_with_the_square_of_the_frequency():
    image = latent(ph.Fourier(128, 128, channels=1, decorrelate="none"), n=16)[:, 0].numpy()
    power = (np.abs(np.fft.fft2(image)) ** 2).mean(0)
    radius = np.hypot(np.fft.fftfreq(128)[:, None], np.fft.fftfreq(128)[None])
    band = (radius > 2 / 128) & (radius < 0.5)
    slope = np.polyfit(np.log(radius[band]), np.log(power[band]), 1)[0]
    assert slope == pytest.approx(-2.0, abs=0.05)


@pytest.mark.parametrize("decay", [0.0, 0.5, 1.5])
def test_the_decay_is_half_the_slope_of_the_power(decay):
    image = latent(ph.Fourier(96, 96, channels=1, decorrelate="none", decay=decay), n=8)[:, 0].numpy()
    power = (np.abs(np.fft.fft2(image)) ** 2).mean(0)
    radius = np.hypot(np.fft.fftfreq(96)[:, None], np.fft.fftfreq(96)[None])
    band = (radius > 2 / 96) & (radius < 0.5)
    assert np.polyfit(np.log(radius[band]), np.log(power[band]), 1)[0] == pytest.approx(-2 * decay, abs=0.1)


@pytest.mark.parametrize("kind", [ph.Pixels, ph.Fourier])
@pytest.mark.parametrize("sd", [0.005, 0.02])
def test_the_standard_deviation_scales_with_sd_and_gain(kind, sd):
    base = latent(kind(17, 12, channels=1, sd=0.01))
    torch.testing.assert_close(latent(kind(17, 12, channels=1, sd=sd)), base * sd / 0.01, rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(latent(kind(17, 12, channels=1, gain=2.5)), base * 2.5, rtol=1e-6, atol=1e-9)


def test_pixels_start_from_noise_of_the_given_standard_deviation():
    image = latent(ph.Pixels(40, 41, channels=3, decorrelate="none", sd=0.03))
    assert image.std().item() == pytest.approx(0.03, rel=0.02)
    assert image.mean().abs() < 5e-4


def test_the_fourier_image_is_numpys_transform_of_its_spectrum_a_quarter_of_it():
    made = ph.Fourier(9, 7, channels=3, decay=1.3, gain=0.8, decorrelate="none")
    canvas = made.build(2, streams(2).fork("start"), device=CPU, dtype=torch.float64)
    s = canvas.spectrum.detach().numpy() * np.asarray(made.scale())
    image = np.fft.irfft2(s[..., 0] + 1j * s[..., 1], s=(9, 7), norm="ortho") * 0.8 / 4
    np.testing.assert_allclose(canvas().detach(), 1 / (1 + np.exp(-image)), atol=1e-12)


@pytest.mark.parametrize("kind", [ph.Pixels, ph.Fourier])
def test_colours_are_mixed_by_lucids_matrix(kind):
    plain = latent(kind(6, 7, decorrelate="none"))
    matrix = np.array([[0.26, 0.09, 0.02], [0.27, 0, -0.05], [0.27, -0.09, 0.03]]) / 0.4619524
    np.testing.assert_allclose(latent(kind(6, 7)), np.einsum("kc,nchw->nkhw", matrix, plain), atol=1e-8)


@pytest.mark.parametrize("kind", [ph.Pixels, ph.Fourier])
@pytest.mark.parametrize(("channels", "size"), [(1, (5, 8)), (3, (7, 7)), (5, (4, 9))])
def test_without_noise_the_start_is_grey_or_lucids_mean_colour(kind, channels, size):
    def start(**options):
        return kind(*size, channels=channels, sd=0.0, **options).build(
            2, streams(2).fork("start"), device=CPU, dtype=torch.float64
        )()

    assert start().shape == (2, channels, *size)
    assert (start() == 0.5).all()
    assert (start(range="clip", decorrelate="none") == 0.5).all()
    mean = IMAGENET_MEAN if channels == 3 else (0.5,) * channels
    torch.testing.assert_close(start(range="clip")[0, :, 0, 0], torch.tensor(mean, dtype=torch.float64))
