"""Colour against the reference sheet's golden figures and NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from networks import random_images

from phosphene.errors import ImageError
from phosphene.functional.color import IMAGENET_MEAN, imagenet_matrix, measured_matrix, mix

GOLDEN = [[0.562829, 0.194825, 0.043295], [0.584476, 0, -0.108236], [0.584476, -0.194825, 0.064942]]


def test_lucids_matrix_is_the_golden_one():
    np.testing.assert_allclose(imagenet_matrix().numpy(), GOLDEN, atol=1e-6)


def test_the_inverse_of_lucids_matrix_is_the_golden_one():
    golden = [[0.57744] * 3, [2.77171, -0.30797, -2.36109], [3.11818, -6.12087, 3.11818]]
    np.testing.assert_allclose(np.linalg.inv(imagenet_matrix().numpy().astype(float)), golden, atol=2e-5)


def test_the_first_decorrelated_colour_is_the_matrixs_first_column():
    unit = torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1)
    np.testing.assert_allclose(
        mix(imagenet_matrix().tensor(), unit).flatten(), [0.562829, 0.584476, 0.584476], atol=1e-6
    )


def test_the_mean_colour_is_lucids():
    assert IMAGENET_MEAN == (0.48, 0.46, 0.41)


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_mix_is_a_matrix_product_at_every_pixel(channels):
    images = random_images(2, channels, (3, 4))
    matrix = random_images(1, 1, (channels + 1, channels), seed=3)[0, 0]
    expected = np.einsum("kc,nchw->nkhw", matrix.numpy(), images.numpy())
    np.testing.assert_allclose(mix(matrix, images), expected, atol=1e-12)


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_a_measured_matrix_is_a_square_root_of_the_colours_covariance(channels):
    mixing = (
        torch.randn(channels, channels, generator=torch.Generator().manual_seed(2), dtype=torch.float64) * 0.1
        + torch.eye(channels) * 0.3
    )
    images = [mix(mixing, random_images(1, channels, size, seed))[0] for seed, size in enumerate([(20, 30), (15, 7)])]
    pixels = np.concatenate([i.flatten(1).numpy() for i in images], axis=1)
    found = measured_matrix(images).numpy().astype(float)
    covariance = np.cov(pixels, bias=True).reshape(channels, channels)
    product = found @ found.T
    np.testing.assert_allclose(product / np.trace(product), covariance / np.trace(covariance), atol=1e-5)
    norms = np.linalg.norm(found, axis=0)
    assert norms.max() == pytest.approx(1, abs=1e-6)
    assert (np.diff(norms) <= 1e-6).all()
    assert (found.sum(0) >= -1e-6).all()


def test_white_noise_through_a_matrix_has_its_covariance():
    matrix = imagenet_matrix().tensor(dtype=torch.float64)
    noise = torch.randn(1, 3, 200, 200, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    np.testing.assert_allclose(np.cov(mix(matrix, noise)[0].flatten(1).numpy()), matrix @ matrix.T, atol=0.01)


def test_a_measured_matrix_of_grey_images_can_be_inverted():
    grey = [image.expand(3, -1, -1) for image in random_images(3, 1, (6, 5))]
    assert np.isfinite(np.linalg.inv(measured_matrix(grey).numpy().astype(float))).all()


def test_a_measured_matrix_of_no_images_is_refused():
    with pytest.raises(ImageError, match="no images is not defined; give at least one"):
        measured_matrix([])


def test_a_measured_matrix_of_unlike_images_is_refused():
    with pytest.raises(ImageError, match="expected images of 3 channels, got one of 1"):
        measured_matrix([torch.rand(3, 4, 4, generator=torch.Generator()), torch.zeros(1, 4, 4)])
