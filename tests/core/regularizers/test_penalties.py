"""Penalties against closed forms and literal loops."""

from __future__ import annotations

import pytest
import torch
from members import REGULARIZERS, name_of
from networks import random_images

import phosphene as ph
from phosphene.errors import ParameterError
from phosphene.functional.filters import BLUR_3X3, blur_normalized

SHAPES = pytest.mark.parametrize(
    ("channels", "size"), [(1, (5, 7)), (3, (4, 4)), (5, (6, 3)), (3, (1, 5)), (3, (5, 1)), (1, (1, 1))]
)


@pytest.mark.parametrize(("height", "width"), [(5, 7), (4, 4), (1, 6)])
def test_the_variation_of_a_ramp_is_its_rise(height, width):
    along_rows = torch.linspace(0, 1, width, dtype=torch.float64).expand(1, 2, height, width)
    expected = 2 * height * 1.0
    assert ph.TotalVariation().penalty(along_rows).item() == pytest.approx(expected)
    along_columns = along_rows.transpose(2, 3)
    assert ph.TotalVariation().penalty(along_columns).item() == pytest.approx(expected)


@pytest.mark.parametrize(("height", "width"), [(4, 4), (5, 3), (3, 8)])
def test_the_variation_of_a_checkerboard_counts_its_edges(height, width):
    board = ((torch.arange(height)[:, None] + torch.arange(width)[None]) % 2).double()[None, None]
    assert ph.TotalVariation().penalty(board).item() == pytest.approx((height - 1) * width + height * (width - 1))
    inner = (height - 1) * (width - 1)
    assert ph.TotalVariation(isotropic=True).penalty(board).item() == pytest.approx(inner * 2**0.5, abs=1e-3 * inner)
    assert ph.TotalVariation(isotropic=True, beta=2.0).penalty(board).item() == pytest.approx(2 * inner)
    assert ph.TotalVariation(isotropic=True, beta=4.0).penalty(board).item() == pytest.approx(4 * inner)


@SHAPES
def test_the_variation_is_a_literal_sum(channels, size):
    images = random_images(2, channels, size)
    for n in range(2):
        plain = isotropic = 0.0
        for c in range(channels):
            for y in range(size[0]):
                for x in range(size[1]):
                    here = images[n, c, y, x].item()
                    dy = images[n, c, y + 1, x].item() - here if y + 1 < size[0] else None
                    dx = images[n, c, y, x + 1].item() - here if x + 1 < size[1] else None
                    plain += abs(dy or 0) + abs(dx or 0)
                    isotropic += 0 if dy is None or dx is None else dy**2 + dx**2
        assert ph.TotalVariation().penalty(images)[n].item() == pytest.approx(plain)
        assert ph.TotalVariation(isotropic=True, beta=2.0).penalty(images)[n].item() == pytest.approx(isotropic)


@SHAPES
@pytest.mark.parametrize("constant", [0.0, 0.5, 0.3])
def test_l1_and_l2_are_distances_from_the_constant(channels, size, constant):
    images = random_images(2, channels, size)
    flat = images.flatten(1) - constant
    torch.testing.assert_close(ph.regularizers.L1(constant).penalty(images), flat.abs().sum(1))
    torch.testing.assert_close(ph.regularizers.L2(constant).penalty(images), (1e-6 + (flat**2).sum(1)) ** 0.5)
    at_rest = torch.full_like(images, constant)
    assert ph.regularizers.L1(constant).penalty(at_rest).tolist() == [0, 0]
    torch.testing.assert_close(
        ph.regularizers.L2(constant).penalty(at_rest), torch.full((2,), 1e-3, dtype=torch.float64)
    )


@pytest.mark.parametrize(("channels", "size"), [(1, (5, 7)), (3, (4, 4)), (5, (6, 3)), (3, (1, 5))])
@pytest.mark.parametrize("rate", [0.1, 0.5, 1.0])
def test_a_step_of_descent_on_the_blur_penalty_blurs_the_image(channels, size, rate):
    image = random_images(2, channels, size).requires_grad_()
    optimizer = torch.optim.SGD([image], lr=rate)
    ph.regularizers.BlurPenalty().penalty(image).sum().backward()
    before = image.detach().clone()
    optimizer.step()
    torch.testing.assert_close(
        image.detach(), (1 - rate) * before + rate * blur_normalized(before, BLUR_3X3), rtol=0, atol=1e-14
    )


@pytest.mark.parametrize("regularizer", REGULARIZERS, ids=name_of)
def test_gradients_are_finite_on_a_constant_image(regularizer):
    image = torch.full((2, 3, 5, 4), 0.5, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(regularizer.penalty(image).sum(), image)
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("regularizer", REGULARIZERS, ids=name_of)
@pytest.mark.parametrize(("channels", "size"), [(1, (1, 1)), (3, (2, 1)), (5, (3, 5))])
def test_any_size_has_a_penalty(regularizer, channels, size):
    penalty = regularizer.penalty(random_images(3, channels, size))
    assert penalty.shape == (3,)
    assert torch.isfinite(penalty).all()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: ph.TotalVariation(isotropic=True, beta=0.0), "beta is 0.0; expected a number above 0, at most 8"),
        (lambda: ph.TotalVariation(beta=2.0), "beta is 2.0; expected 1, or isotropic=True"),
        (lambda: ph.regularizers.L1(float("nan")), "constant is nan; expected a finite number"),
        (lambda: ph.regularizers.L2(float("inf")), "constant is inf"),
        (lambda: ph.regularizers.L2(epsilon=0.0), "epsilon is 0.0; expected a number above 0, at most 1"),
    ],
)
def test_a_parameter_out_of_range_is_refused(build, message):
    with pytest.raises(ParameterError, match=message):
        build()
