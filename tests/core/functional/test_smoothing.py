"""Box blur, frequency smoothing and measures against SciPy, NumPy and loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from networks import random_images
from scipy import ndimage

from phosphene.functional import norms
from phosphene.functional.boxblur import box_blur
from phosphene.functional.filters import gaussian_radius, smooth_frequencies


@pytest.mark.parametrize("side", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("size", [(7, 10), (4, 3), (1, 6), (1, 1), (2, 2)])
def test_the_box_blur_is_the_mean_with_mirrored_borders(side, size):
    images = random_images(2, 3, size)
    # SciPy's "mirror" is cv2's reflect-101.
    expected = ndimage.uniform_filter(images.numpy(), (1, 1, side, side), mode="mirror")
    np.testing.assert_allclose(box_blur(images, side).numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("size", [(6, 8), (7, 5), (1, 4), (1, 1)])
@pytest.mark.parametrize("power", [0.0, 0.5, 3.0])
def test_frequency_smoothing_weighs_every_frequency_of_a_full_transform(size, power):
    images = random_images(2, 3, size)
    f = np.hypot(np.fft.fftfreq(size[0])[:, None], np.fft.fftfreq(size[1])[None])
    expected = np.fft.ifft2(np.fft.fft2(images.numpy()) * (1 - f) ** power)
    found = smooth_frequencies(images, power)
    np.testing.assert_allclose(found.numpy(), expected.real, atol=1e-13)
    torch.testing.assert_close(found.mean((2, 3)), images.mean((2, 3)), rtol=0, atol=1e-13)


@pytest.mark.parametrize(("sigma", "radius"), [(0.1, 1), (0.5, 2), (1.0, 4), (2.5, 10)])
def test_a_gaussian_is_cut_where_scipy_cuts_it(sigma, radius):
    assert gaussian_radius(sigma) == radius


MEASURES = {
    "mean_abs": lambda g: np.abs(g).mean(),
    "sd": np.std,
    "rms": lambda g: np.sqrt((g**2).mean()),
    "l2": lambda g: np.sqrt((g**2).sum()),
    "max": lambda g: np.abs(g).max(),
}


@pytest.mark.parametrize("name", MEASURES)
@pytest.mark.parametrize("shape", [(3, 2, 5, 4), (2, 7), (1, 1, 1, 1)])
def test_a_measure_is_its_formula_image_by_image(name, shape):
    images = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = norms.MEASURES[name](images)
    assert found.tolist() == pytest.approx([MEASURES[name](image) for image in images.numpy()], abs=1e-12)


def test_the_corrected_deviation_divides_by_one_fewer_but_by_one_at_least():
    images = random_images(2, 3, (4, 5))
    assert norms.sd(images, 1).tolist() == pytest.approx([np.std(i, ddof=1) for i in images.numpy()])
    assert norms.sd(random_images(2, 1, (1, 1)), 1).tolist() == [0.0, 0.0]


def test_the_measures_are_all_listed():
    assert set(norms.MEASURES) == set(MEASURES)
