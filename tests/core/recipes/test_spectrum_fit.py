"""The mean magnitudes of photographs, for MaCo."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from networks import random_images
from PIL import Image

from phosphene.errors import ImageError, ParameterError, StorageError
from phosphene.functional.spectrum import mean_magnitude, mirrored, resize_spectrum
from phosphene.parameterizations import Phase
from phosphene.recipes.spectrum_fit import fit_spectrum, fitted

MATRIX = np.array([[0.26, 0.09, 0.02], [0.27, 0, -0.05], [0.27, -0.09, 0.03]]) / 0.4619524


def periodic(values: np.ndarray) -> np.ndarray:
    """Moisan's periodic part of each plane, by one dense system: the smooth part's Laplacian is the jumps."""
    height, width = values.shape[-2:]
    index = np.arange(height * width).reshape(height, width)
    laplacian = -4.0 * np.eye(height * width)
    for axis, step in ((0, 1), (0, -1), (1, 1), (1, -1)):
        laplacian[index.ravel(), np.roll(index, step, axis).ravel()] += 1
    jumps = np.zeros_like(values)
    for y in range(height):
        for x in range(width):
            if y in (0, height - 1):
                jumps[..., y, x] += values[..., height - 1 - y, x] - values[..., y, x]
            if x in (0, width - 1):
                jumps[..., y, x] += values[..., y, width - 1 - x] - values[..., y, x]
    flat = jumps.reshape(-1, height * width).T
    smooth = np.linalg.lstsq(laplacian, flat, rcond=None)[0].T.reshape(values.shape)
    return values - (smooth - smooth.mean((-2, -1), keepdims=True))


@pytest.mark.parametrize(("channels", "size"), [(3, (8, 6)), (1, (7, 5)), (5, (4, 9))])
def test_the_magnitude_is_the_mean_over_decorrelated_images(channels, size):
    images = random_images(4, channels, size)
    values = images.numpy() - 0.5
    if channels == 3:
        values = np.einsum("kc,nchw->nkhw", np.linalg.inv(MATRIX), values)
    expected = np.abs(np.fft.rfft2(periodic(values), norm="ortho")).mean(0)
    np.testing.assert_allclose(mean_magnitude(images), expected, rtol=1e-5)


def test_a_folder_is_cut_resized_and_averaged(tmp_path):
    photographs = [random_images(1, 3, size, seed=i)[0] for i, size in enumerate([(20, 30), (16, 16), (33, 17)])]
    for i, photograph in enumerate(photographs):
        pixels = (photograph.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
    found = fit_spectrum(tmp_path, 8, 6)
    expected = mean_magnitude(fitted(p.float(), 8, 6) for p in photographs)
    assert found.shape == (3, 8, 4)
    torch.testing.assert_close(found.tensor(dtype=torch.float64), expected, rtol=0.02, atol=0.02)
    assert Phase(8, 6, magnitude=found).magnitudes().shape == (3, 8, 4)
    assert Phase(12, 10, magnitude=found).magnitudes().shape == (3, 12, 6)


def test_the_middle_of_the_wanted_side_ratio_is_taken():
    stripes = torch.zeros(1, 4, 12)
    stripes[:, :, 4:8] = 1
    assert torch.equal(fitted(stripes, 4, 4), torch.ones(1, 4, 4))
    assert fitted(stripes, 2, 6).shape == (1, 2, 6)
    assert torch.equal(fitted(stripes, 4, 12), stripes)


@pytest.mark.parametrize(("height", "width"), [(6, 8), (5, 7), (4, 1), (1, 6), (7, 2)])
def test_a_mirrored_spectrum_is_that_of_a_real_image(height, width):
    spectrum = torch.from_numpy(np.fft.rfft2(random_images(2, 1, (height, width)).numpy() - 0.5))
    torch.testing.assert_close(mirrored(spectrum, width), spectrum, rtol=0, atol=1e-12)
    random = torch.from_numpy(np.random.default_rng(0).normal(size=(*spectrum.shape, 2)))
    made = mirrored(torch.view_as_complex(random), width)
    again = torch.fft.rfft2(torch.fft.irfft2(made, s=(height, width)))
    own = ((made - again).abs() > 1e-9).sum((2, 3))
    assert (own <= 4).all()  # only frequencies that mirror themselves may differ: they become real


def test_a_spectrum_of_the_wanted_size_is_taken_as_it_is_and_a_flat_one_stays_flat():
    magnitude = torch.rand(3, 9, 5, dtype=torch.float64)
    assert torch.equal(resize_spectrum(magnitude, 9, 8), magnitude)
    assert torch.equal(resize_spectrum(magnitude, 9, 9), magnitude)
    for size in ((4, 4), (13, 20), (1, 1)):
        flat = resize_spectrum(torch.full((1, 9, 5), 2.0, dtype=torch.float64), *size)
        torch.testing.assert_close(flat, torch.full((1, size[0], size[1] // 2 + 1), 2.0, dtype=torch.float64))


def test_what_makes_no_spectrum_is_refused(tmp_path):
    with pytest.raises(ImageError, match="the spectrum of no images is not defined; give at least one"):
        mean_magnitude([])
    with pytest.raises(ImageError, match=r"expected images of shape \(3, 4, 4\), got one of \(3, 4, 5\)"):
        mean_magnitude([torch.zeros(3, 4, 4), torch.zeros(3, 4, 5)])
    with pytest.raises(StorageError, match="is no folder"):
        fit_spectrum(tmp_path / "none", 4, 4)
    with pytest.raises(ParameterError, match="height is 0; expected a whole number from 1 to 8192"):
        fit_spectrum(tmp_path, 0, 4)
