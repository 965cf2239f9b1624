"""Spectra against NumPy and the reference sheet's golden rows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from networks import random_images

from phosphene.functional.spectrum import decay_scale, frequencies, periodic_part, to_image, to_spectrum

SIZES = [(4, 4), (5, 5), (6, 9), (9, 6), (1, 7), (8, 1)]


def test_frequencies_have_the_golden_rows():
    golden = [[0, 0.25, 0.5], [0.25, 0.353553, 0.559017], [0.5, 0.559017, 0.707107], [0.25, 0.353553, 0.559017]]
    np.testing.assert_allclose(frequencies(4, 4), golden, atol=1e-6)


def test_the_scale_has_the_golden_rows():
    golden = [[4, 4, 2], [4, 2.828427, 1.788854], [2, 1.788854, 1.414214], [4, 2.828427, 1.788854]]
    np.testing.assert_allclose(decay_scale(4, 4, 1.0), golden, atol=1e-6)


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_frequencies_are_those_of_a_literal_loop(height, width):
    found = frequencies(height, width)
    assert found.shape == (height, width // 2 + 1)
    for row in range(height):
        for column in range(width // 2 + 1):
            fy = (row if row <= (height - 1) // 2 else row - height) / height
            assert found[row, column] == pytest.approx((fy**2 + (column / width) ** 2) ** 0.5, abs=1e-12)


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("decay", [0.0, 1.0, 1.5])
def test_the_scale_of_the_mean_is_the_longer_side_to_the_decay(height, width, decay):
    scale = decay_scale(height, width, decay)
    assert scale[0, 0].item() == pytest.approx(max(height, width) ** decay)
    np.testing.assert_allclose(scale, 1 / np.maximum(frequencies(height, width), 1 / max(height, width)) ** decay)


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_to_image_is_numpys_orthonormal_inverse_transform(height, width):
    spectrum = torch.randn(
        2, 3, height, width // 2 + 1, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    expected = np.fft.irfft2(spectrum[..., 0].numpy() + 1j * spectrum[..., 1].numpy(), s=(height, width), norm="ortho")
    np.testing.assert_allclose(to_image(spectrum, height, width), expected, atol=1e-12)


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_to_spectrum_is_numpys_orthonormal_transform(height, width):
    images = random_images(2, 3, (height, width))
    found = to_spectrum(images)
    expected = np.fft.rfft2(images.numpy(), norm="ortho")
    np.testing.assert_allclose(found[..., 0], expected.real, atol=1e-12)
    np.testing.assert_allclose(found[..., 1], expected.imag, atol=1e-12)


def test_lucids_unnormalised_transform_with_its_square_root_is_ours():
    """Lucid: irfft2d(spectrum · √(wh) · scale), which is divided by wh; ours: the orthonormal one."""
    spectrum = torch.randn(1, 1, 6, 5, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    plain = np.fft.irfft2(np.sqrt(48) * (spectrum[..., 0].numpy() + 1j * spectrum[..., 1].numpy()), s=(6, 8))
    np.testing.assert_allclose(to_image(spectrum, 6, 8), plain, atol=1e-12)


@pytest.mark.parametrize("size", [(9, 12), (8, 7), (5, 5)])
def test_the_periodic_part_solves_moisans_equation(size):
    height, width = size
    image = torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    part = periodic_part(image)
    smooth = image - part
    # The smooth part's periodic Laplacian is the image's jumps across the border, pixel by pixel.
    for y in range(height):
        for x in range(width):
            neighbours = [((y - 1) % height, x), ((y + 1) % height, x), (y, (x - 1) % width), (y, (x + 1) % width)]
            laplacian = sum(smooth[..., a, b] for a, b in neighbours) - 4 * smooth[..., y, x]
            jump = torch.zeros(2, 3, dtype=torch.float64)
            if y in (0, height - 1):
                jump = jump + image[..., height - 1 - y, x] - image[..., y, x]
            if x in (0, width - 1):
                jump = jump + image[..., y, width - 1 - x] - image[..., y, x]
            torch.testing.assert_close(laplacian, jump, rtol=0, atol=1e-10)
    torch.testing.assert_close(part.mean((2, 3)), image.mean((2, 3)), rtol=0, atol=1e-12)


def test_a_ramps_cross_in_the_spectrum_is_a_tenth_in_its_periodic_part():
    ramp = torch.linspace(0, 1, 16, dtype=torch.float64).expand(1, 1, 12, 16).contiguous()
    plain, periodic = (torch.fft.rfft2(x).abs()[0, 0, 0, 1:].sum() for x in (ramp, periodic_part(ramp)))
    assert float(periodic) < 0.1 * float(plain)
