"""The p-norm against NumPy's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from networks import random_images

from phosphene.errors import ParameterError
from phosphene.regularizers import LpNorm


@pytest.mark.parametrize("p", [1.0, 2.0, 6.0, 32.0])
@pytest.mark.parametrize(("channels", "size"), [(3, (5, 4)), (1, (3, 7))])
@pytest.mark.parametrize("scale", [1.0, 1e-8, 1e8])
def test_it_is_numpys_norm_of_any_size(p, channels, size, scale):
    image = random_images(2, channels, size)
    expected = [np.linalg.norm(((x - 0.4) / scale).ravel(), p) for x in image.numpy()]
    found = LpNorm(p, center=(0.4,), scale=(scale,)).penalty(image)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12)


def test_its_slope_is_that_of_a_norm():
    image = random_images(1, 3, (3, 2)).requires_grad_()
    assert torch.autograd.gradcheck(LpNorm(6.0).penalty, image)


def test_a_constant_image_costs_nothing_and_has_no_slope():
    image = torch.full((2, 1, 3, 3), 0.5, requires_grad=True)
    penalty = LpNorm().penalty(image)
    assert penalty.tolist() == [0.0, 0.0]
    (slope,) = torch.autograd.grad(penalty.sum(), image)
    assert torch.equal(slope, torch.zeros_like(slope))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: LpNorm(0.5), "p is 0.5; expected a number from 1 to 32"),
        (lambda: LpNorm(center=()), r"center is \(\); expected finite numbers"),
        (lambda: LpNorm(scale=(0.0,)), r"scale is \(0.0,\); expected numbers above 0"),
    ],
)
def test_parameters_out_of_range_are_refused(build, message):
    with pytest.raises(ParameterError, match=message):
        build()
