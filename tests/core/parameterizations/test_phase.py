"""MaCo's phase-only images: the reference's formula, and magnitudes that optimisation cannot change."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from networks import CPU, conv_net, quick, random_images, streams

import phosphene as ph
from phosphene._types import FrozenArray
from phosphene.errors import ParameterError
from phosphene.optimizers import NAdam
from phosphene.parameterizations import Phase, PowerLaw
from phosphene.parameterizations.spectra import magnitude_of

SHAPES = [(3, (12, 10)), (1, (7, 9)), (5, (8, 5)), (3, (5, 4)), (1, (6, 1))]
MATRIX = np.array([[0.26, 0.09, 0.02], [0.27, 0, -0.05], [0.27, -0.09, 0.03]]) / 0.4619524


def canvas(parameterization, n=2, dtype=torch.float64):
    return parameterization.build(n, streams(n).fork("start"), device=CPU, dtype=dtype)


def literal(phase, magnitude, width):
    """One image: standardised phases, a spectrum that is its own mirror image, its inverse transform, standardised."""
    phase = (phase - phase.mean()) / (phase.std() + 1e-5)
    channels, height, _ = phase.shape
    full = np.zeros((channels, height, width), complex)
    for y in range(height):
        for x in range(width):
            my, mx = -y % height, -x % width
            # Of a frequency and its mirror image, the first in reading order of the half that is stored is kept.
            if x > width // 2 or (x == mx and y > my):
                full[:, y, x] = magnitude[:, my, mx] * np.exp(-1j * phase[:, my, mx])
            else:
                full[:, y, x] = magnitude[:, y, x] * np.exp(1j * phase[:, y, x])
    image = np.fft.ifft2(full).real * np.sqrt(height * width)
    return (image - image.mean()) / (image.std() + 1e-5)


@pytest.mark.parametrize(("channels", "size"), SHAPES)
@pytest.mark.parametrize("gain", [1.0, 0.6])
def test_the_image_is_the_references_standardised_per_image(channels, size, gain):
    made = canvas(Phase(*size, channels=channels, gain=gain), 3)
    magnitude = PowerLaw().magnitude(channels, *size).numpy()
    for i, image in enumerate(made().detach().numpy()):
        latent = gain * literal(made.phase[i].detach().numpy(), magnitude, size[1])
        mixed = np.einsum("kc,chw->khw", MATRIX, latent) if channels == 3 else latent
        np.testing.assert_allclose(image, 1 / (1 + np.exp(-mixed)), atol=1e-6)


def own_mirror(height, width):
    """Frequencies that are their own mirror image, and so real."""
    mask = np.zeros((height, width // 2 + 1), bool)
    for y in {0, height // 2} if height % 2 == 0 else {0}:
        for x in {0, width // 2} if width % 2 == 0 else {0}:
            mask[y, x] = True
    return mask


@pytest.mark.parametrize(("channels", "size"), SHAPES[:4])
def test_magnitudes_are_the_given_ones_up_to_one_factor_however_far_the_phases_are_moved(channels, size):
    net = conv_net(channels, size)
    given = np.abs(np.fft.rfft2(random_images(1, channels, size)[0] - 0.5)).astype(np.float32)
    made = Phase(*size, channels=channels, magnitude=given, decorrelate="none")
    result = quick(
        net, ph.Channel("conv2", 1), parameterization=made, optimizer=NAdam(lr=1.0), steps=12, dtype=torch.float64
    )
    assert result.scores[0][-1] > result.scores[0][0]
    latent = torch.logit(result.images[0].double()).numpy()
    ratio = np.abs(np.fft.rfft2(latent, norm="ortho")) / given
    kept = ratio[:, ~own_mirror(*size)]
    assert kept.max() / kept.min() < 1.001


def test_phases_start_from_a_standard_normal_distribution():
    made = canvas(Phase(40, 41), 3)
    assert made.phase.std().item() == pytest.approx(1, rel=0.03)
    assert [name for name, _ in made.named_parameters()] == ["phase"]


@pytest.mark.parametrize(("channels", "size"), SHAPES)
def test_an_image_is_started_from_where_nothing_is_standardised(channels, size):
    images = random_images(2, channels, size)
    made = canvas(Phase(*size, channels=channels, magnitude="image", standardize=False, start=images))
    torch.testing.assert_close(made(), images, rtol=0, atol=1e-4)
    gated = canvas(Phase(*size, channels=channels, magnitude="image", standardize=False, start=images, gate=5.0))
    torch.testing.assert_close(gated(), images, rtol=0, atol=1e-4)
    with torch.no_grad():
        made.phase.add_(1)
    made.assign(images)
    torch.testing.assert_close(made(), images, rtol=0, atol=1e-4)


def test_with_given_magnitudes_an_image_leaves_its_phases():
    image = random_images(1, 1, (8, 9))
    made = canvas(Phase(8, 9, channels=1, standardize=False), 1)
    made.assign(image)
    latent = torch.logit(made().detach())
    ours, theirs = torch.fft.rfft2(latent), torch.fft.rfft2(torch.logit(image.clamp(2e-5, 1 - 2e-5)))
    torch.testing.assert_close(ours / ours.abs(), theirs / theirs.abs(), rtol=0, atol=1e-5)
    magnitude = PowerLaw().magnitude(1, 8, 9)[None]
    torch.testing.assert_close(torch.fft.rfft2(latent, norm="ortho").abs(), magnitude, rtol=1e-5, atol=1e-7)


def test_a_gate_multiplies_each_magnitude_by_a_sigmoid():
    given = np.full((1, 6, 5), 2.0, np.float32)
    open_, gated = (
        canvas(Phase(6, 8, channels=1, magnitude=given[:, :, :5], standardize=False, gate=gate), 1)
        for gate in (None, 5.0)
    )
    factor = 1 / (1 + np.exp(-5.0))
    torch.testing.assert_close(gated.latent(), open_.latent() * factor, rtol=1e-12, atol=1e-12)
    with torch.no_grad():
        gated.gate[:, :, 2, 2] = -40.0
        gated.gate[:, :, 2, 0] = -40.0
    spectrum = torch.fft.rfft2(gated.latent(), norm="ortho").abs()
    assert spectrum[0, 0, [2, 4], 0].max() < 1e-12  # the mirror image in the first column goes along
    assert spectrum[0, 0, 2, 2] < 1e-12
    assert spectrum[0, 0, 2, 1].item() == pytest.approx(2 * factor)


@pytest.mark.parametrize(("height", "width"), [(16, 12), (9, 7), (8, 5)])
@pytest.mark.parametrize("alpha", [0.0, 1.0, 1.6])
def test_the_power_law_gives_unit_variance_and_its_slope(height, width, alpha):
    magnitude = PowerLaw(alpha, (1.0, 0.5)).magnitude(2, height, width).numpy()
    f = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    expected = np.maximum(f, 1 / max(height, width)) ** -alpha
    np.testing.assert_allclose(magnitude[0] / magnitude[0, 0, 0], expected / expected[0, 0], rtol=1e-10)
    np.testing.assert_allclose(magnitude[1], magnitude[0] / 2)
    rows, columns = np.arange(height)[:, None], np.arange(width)[None]
    whole = magnitude[0][np.where(columns <= width // 2, rows, -rows % height), np.minimum(columns, -columns % width)]
    assert (whole**2).mean() == pytest.approx(1)


def test_an_array_of_another_size_serves_by_its_frequencies():
    rule = PowerLaw(1.0)
    large = rule.magnitude(1, 64, 64)
    small = magnitude_of(FrozenArray.of(large), 1, 32, 32)
    # Frequencies of the small image are frequencies of the large one too.
    torch.testing.assert_close(small[0, :16, :17], large[0, :32:2, ::2].float().double(), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(small[0, 17:, :17], large[0, 34::2, ::2].float().double(), rtol=1e-6, atol=1e-6)


def test_another_size_keeps_the_rule():
    made = Phase(9, 8, magnitude=np.ones((3, 9, 5)), gate=2.0)
    assert (made.sized(5, 6).height, made.sized(5, 6).magnitude) == (5, made.magnitude)
    assert (made.sized(5, 6).magnitudes() == 1).all()


def test_an_image_is_refused_where_phases_are_standardised():
    with pytest.raises(ParameterError, match="cannot be taken where phases are standardised; use ph.Phase"):
        canvas(Phase(6, 5)).assign(random_images(2, 3, (6, 5)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"magnitude": "image"}, "standardize is True; expected False where an image is started from"),
        ({"start": np.zeros((3, 6, 5))}, "standardize is True; expected False where an image is started from"),
        ({"magnitude": "photograph"}, "magnitude is 'photograph'; expected a Spectrum, an array or 'image'"),
        ({"magnitude": np.ones((2, 6, 3))}, r"magnitude has shape \(2, 6, 3\); expected \(3, h, w // 2 \+ 1\)"),
        ({"magnitude": -np.ones((3, 6, 3))}, "magnitude is 'an array with negative values'; expected magnitudes"),
        ({"magnitude": PowerLaw(1.0, (1.0, 1.0))}, "weights is .*; expected 3 numbers, one for each channel"),
        ({"gate": 51.0}, "gate is 51.0; expected None or a number from -50 to 50"),
    ],
)
def test_a_parameter_out_of_range_is_refused(options, message):
    with pytest.raises(ParameterError, match=message):
        Phase(6, 5, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"alpha": -1.0}, "alpha is -1.0; expected a number from 0 to 8"), ({"weights": (-1.0,)}, "weights is .*from 0")],
)
def test_a_power_law_out_of_range_is_refused(options, message):
    with pytest.raises(ParameterError, match=message):
        PowerLaw(**options)
