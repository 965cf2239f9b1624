"""The p-norm's projection against a literal formula in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from networks import random_images

from phosphene.errors import ParameterError
from phosphene.projections import FixNorm, PNorm


@pytest.mark.parametrize("p", [1.0, 2.0, 3.5])
@pytest.mark.parametrize("per", ["image", "value"])
@pytest.mark.parametrize(("channels", "size"), [(3, (5, 4)), (1, (3, 7))])
def test_an_images_distance_from_grey_is_scaled_to_the_norm(p, per, channels, size):
    image = random_images(3, channels, size)
    found = PNorm(0.7, p, center=0.4, per=per).project(image, 0).numpy()
    for before, after in zip(image.numpy(), found, strict=True):
        away = before - 0.4
        mean = np.mean if per == "value" else np.sum
        norm = mean(np.abs(away) ** p) ** (1 / p)
        np.testing.assert_allclose(after, 0.4 + 0.7 * away / norm, atol=1e-12)


def test_the_euclidean_norm_is_that_of_fix_norm():
    image = random_images(2, 3, (5, 4))
    torch.testing.assert_close(PNorm(2.0).project(image, 0), FixNorm(2.0, 0.5).project(image, 0), rtol=0, atol=1e-12)


def test_an_upper_bound_leaves_what_is_nearer_and_the_centre_stays():
    image = torch.stack([torch.full((1, 2, 2), v, dtype=torch.float64) for v in (0.55, 0.9, 0.5)])
    found = PNorm(0.4, p=1.0, bound="most").project(image, 0)
    torch.testing.assert_close(
        found[:, 0, 0, 0], torch.tensor([0.55, 0.6, 0.5], dtype=torch.float64), rtol=0, atol=1e-12
    )
    assert torch.equal(PNorm(0.4).project(image[2:], 0), image[2:])


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: PNorm(0.0), "norm is 0.0; expected a number above 0"),
        (lambda: PNorm(1.0, 0.5), "p is 0.5; expected a number from 1 to 32"),
        (lambda: PNorm(1.0, center=float("nan")), "center is nan; expected a finite number"),
        (lambda: PNorm(1.0, per="pixel"), "per is 'pixel'; expected 'image' or 'value'"),
        (lambda: PNorm(1.0, bound="least"), "bound is 'least'; expected 'exact' or 'most'"),
    ],
)
def test_parameters_out_of_range_are_refused(build, message):
    with pytest.raises(ParameterError, match=message):
        build()
