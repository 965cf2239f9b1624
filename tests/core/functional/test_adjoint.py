"""A convolution's gradient is a transposed convolution; the rules of the ReLU; the energy of checkerboards."""

from __future__ import annotations

import inspect
import itertools
import math

import numpy as np
import pytest
import torch
from networks import random_images, seeded
from torch import nn

from phosphene.errors import ParameterError
from phosphene.functional.adjoint import (
    checkerboard_energy,
    conv_vjp_as_transpose,
    coverage,
    output_padding,
    relu_backward,
)

DOUBLE = torch.float64
SIZES = ((9, 9), (10, 13), (16, 11))


def gradient_of(conv: nn.Conv2d, image: torch.Tensor, seed: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    """A gradient with respect to a convolution's output, and what autograd makes of it at the input."""
    image = image.requires_grad_()
    output = conv(image)
    given = torch.randn(output.shape, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)
    return given, torch.autograd.grad(output, [image], given)[0]


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("dilation", [1, 2, 3])
@pytest.mark.parametrize("padding", [0, 1, 2])
@pytest.mark.parametrize("stride", [1, 2, 3, 5])
@pytest.mark.parametrize("kernel", [1, 2, 3, 4])
def test_a_convolutions_gradient_is_a_transposed_convolution(kernel, stride, padding, dilation, groups):
    for size, n in zip(SIZES, (1, 2, 3), strict=True):
        if min(size) + 2 * padding < dilation * (kernel - 1) + 1:
            continue
        conv = seeded(nn.Conv2d(4, 8, kernel, stride, padding, dilation, groups)).double()
        given, expected = gradient_of(conv, random_images(n, 4, size))
        torch.testing.assert_close(conv_vjp_as_transpose(conv, given, size), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", SIZES)
def test_rows_and_columns_have_settings_of_their_own(size):
    conv = seeded(nn.Conv2d(1, 3, (2, 5), (3, 2), (1, 0), (2, 1))).double()
    given, expected = gradient_of(conv, random_images(2, 1, size))
    torch.testing.assert_close(conv_vjp_as_transpose(conv, given, size), expected, rtol=0, atol=1e-12)


def test_the_transposed_convolution_is_the_adjoint_of_the_convolution():
    conv = seeded(nn.Conv2d(3, 5, 3, 2, 1, bias=False)).double()
    image = random_images(2, 3, (10, 7))
    output = conv(image)
    other = random_images(2, 5, tuple(output.shape[2:]), seed=4)
    forward = (output * other).sum()
    backward = (image * conv_vjp_as_transpose(conv, other, (10, 7))).sum()
    assert forward.item() == pytest.approx(backward.item(), rel=1e-12)


def test_a_network_written_backward_by_hand_has_the_gradient_of_autograd():
    one, two = seeded(nn.Conv2d(3, 6, 3, 2, 1)).double(), seeded(nn.Conv2d(6, 4, 5, 2, 2), seed=1).double()
    image = random_images(2, 3, (15, 12)).requires_grad_()
    hidden = one(image)
    output = two(torch.relu(hidden))
    (expected,) = torch.autograd.grad(output[:, 1].sum(), [image])
    last = torch.zeros_like(output)
    last[:, 1] = 1
    back = conv_vjp_as_transpose(two, last, (hidden.shape[2], hidden.shape[3]))
    back = conv_vjp_as_transpose(one, relu_backward(back, hidden), (15, 12))
    torch.testing.assert_close(back, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "dilation", "size", "expected"),
    [
        (3, 2, 1, 1, (224, 225), (1, 0)),
        (3, 1, 1, 1, (7, 8), (0, 0)),
        (7, 2, 3, 1, (224, 224), (1, 1)),
        (4, 2, 1, 1, (64, 63), (0, 1)),
        (3, 3, 0, 2, (12, 10), (1, 2)),
        (1, 5, 0, 1, (9, 11), (3, 0)),
    ],
)
def test_the_output_padding_is_what_the_stride_leaves_over(kernel, stride, padding, dilation, size, expected):
    conv = nn.Conv2d(1, 1, kernel, stride, padding, dilation)
    assert output_padding(conv, size) == expected


def test_rows_that_no_kernel_looks_at_have_no_gradient():
    conv = seeded(nn.Conv2d(1, 1, 2, 5)).double()
    given, gradient = gradient_of(conv, random_images(1, 1, (9, 7)))
    back = conv_vjp_as_transpose(conv, given, (9, 7))
    torch.testing.assert_close(back, gradient, rtol=0, atol=1e-15)
    assert output_padding(conv, (9, 7)) == (2, 0)
    assert back[..., 7:, :].abs().max() == 0 == back[..., 2:5, :].abs().max()


@pytest.mark.parametrize(
    ("conv", "size", "message"),
    [
        (nn.Conv2d(1, 1, 3, padding="same"), (8, 8), "padding is 'same'; expected numbers of zeros"),
        (nn.Conv2d(1, 1, 3, padding=1, padding_mode="reflect"), (8, 8), "padding is 'reflect'"),
        (nn.Conv2d(1, 1, 5), (8, 4), r"size is \(8, 4\); expected at least the size of the kernel"),
    ],
)
def test_a_convolution_without_such_an_adjoint_is_refused(conv, size, message):
    with pytest.raises(ParameterError, match=message):
        conv_vjp_as_transpose(conv, torch.zeros(1, 1, 2, 2), size)


def test_the_three_rules_of_the_relu_by_the_table_of_signs():
    for g, x in itertools.product((-2.0, 3.0), (-1.0, 4.0)):
        gradient, given = torch.tensor([g]), torch.tensor([x])
        assert relu_backward(gradient, given).item() == (g if x > 0 else 0)
        assert relu_backward(gradient, given, "deconvnet").item() == (g if g > 0 else 0)
        assert relu_backward(gradient, given, "guided").item() == (g if g > 0 and x > 0 else 0)


def test_the_exact_rule_is_autograds():
    given = (random_images(2, 3, (4, 5)) - 0.5).requires_grad_()
    gradient = random_images(2, 3, (4, 5), seed=1) - 0.5
    (expected,) = torch.autograd.grad(torch.relu(given), [given], gradient)
    assert torch.equal(relu_backward(gradient, given), expected)


def test_an_unknown_rule_is_refused():
    with pytest.raises(ParameterError, match="rule is 'lrp'; expected 'exact', 'deconvnet' or 'guided'"):
        # Without the check of annotations that the tests add.
        inspect.unwrap(relu_backward)(torch.ones(1), torch.ones(1), "lrp")  # type: ignore[arg-type]


@pytest.mark.parametrize(("size", "kernel", "stride"), [(9, 3, 2), (11, 4, 2), (12, 5, 3), (7, 2, 5), (6, 6, 1)])
def test_the_coverage_is_the_gradient_of_a_sum_of_windows(size, kernel, stride):
    row = torch.ones(1, 1, size, dtype=DOUBLE, requires_grad=True)
    windows = nn.functional.conv1d(row, torch.ones(1, 1, kernel, dtype=DOUBLE), stride=stride)
    (expected,) = torch.autograd.grad(windows.sum(), [row])
    assert torch.equal(coverage(size, kernel, stride), expected[0, 0])


@pytest.mark.parametrize(("size", "kernel", "stride"), [(3, 4, 1), (3, 0, 1), (3, 2, 0)])
def test_a_row_without_room_for_the_kernel_is_refused(size, kernel, stride):
    with pytest.raises(ParameterError, match=f"size, kernel and stride are {size}, {kernel}, {stride}; expected"):
        coverage(size, kernel, stride)


def energy_oracle(image: np.ndarray, stride: int) -> float:
    """Share of the energy by the definition of the transform, one frequency after another."""
    _, height, width = image.shape
    height, width = height - height % stride, width - width % stride
    ys, xs = np.mgrid[:height, :width]
    hit = total = 0.0
    for k, m in itertools.product(range(height), range(width)):
        if k == m == 0:
            continue
        wave = np.exp(-2j * np.pi * (k * ys / height + m * xs / width))
        energy = sum(abs((channel[:height, :width] * wave).sum()) ** 2 for channel in image)
        total += energy
        hit += energy if (k * stride) % height == 0 and (m * stride) % width == 0 else 0.0
    return hit / total


@pytest.mark.parametrize(
    ("channels", "size", "stride"), [(1, (8, 6), 2), (3, (9, 7), 2), (2, (9, 12), 3), (1, (8, 4), 4)]
)
def test_the_energy_is_the_share_at_the_strides_frequencies(channels, size, stride):
    images = random_images(2, channels, size)
    expected = [energy_oracle(image.numpy(), stride) for image in images]
    np.testing.assert_allclose(checkerboard_energy(images, stride).numpy(), expected, rtol=1e-10)


@pytest.mark.parametrize("stride", [2, 3, 4])
def test_the_energy_is_that_of_the_means_over_places_of_equal_phase(stride):
    image = random_images(1, 2, (4 * stride, 5 * stride))
    centred = image - image.mean((2, 3), keepdim=True)
    phases = centred.unflatten(3, (5, stride)).unflatten(2, (4, stride)).mean((2, 4))
    expected = phases.square().sum() * 4 * 5 / centred.square().sum()
    assert checkerboard_energy(image, stride).item() == pytest.approx(expected.item(), rel=1e-12)


def test_known_patterns_have_known_energies():
    y, x = torch.meshgrid(torch.arange(12.0, dtype=DOUBLE), torch.arange(24.0, dtype=DOUBLE), indexing="ij")
    board, stripes = (x + y) % 2, x % 3
    slow = torch.cos(2 * math.pi * x / 24)
    cases = [(board, 2, 1.0), (board, 4, 1.0), (board, 3, 0.0), (stripes, 3, 1.0), (stripes, 2, 0.0), (slow, 2, 0.0)]
    for pattern, stride, expected in cases:
        assert checkerboard_energy(pattern[None, None], stride).item() == pytest.approx(expected, abs=1e-12)
    # Of amplitudes 1/2 about the mean and 1, variances 1/4 and 1/2.
    assert checkerboard_energy((board + slow)[None, None], 2).item() == pytest.approx(1 / 3, rel=1e-12)


def test_white_noise_has_its_share_of_frequencies():
    noise = torch.randn(400, 1, 16, 24, generator=torch.Generator().manual_seed(0), dtype=DOUBLE)
    for stride in (2, 4):
        expected = (stride**2 - 1) / (16 * 24 - 1)
        assert checkerboard_energy(noise, stride).mean().item() == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
def test_what_is_constant_has_no_energy_and_scale_and_mean_do_not_matter(dtype):
    image = random_images(2, 3, (11, 9), dtype=dtype)
    assert checkerboard_energy(torch.full((1, 3, 224, 200), 0.3, dtype=dtype), 2).item() == 0
    expected = checkerboard_energy(image, 2)
    torch.testing.assert_close(checkerboard_energy(1e-3 * image + 0.2, 2), expected, rtol=1e-3, atol=0)
    torch.testing.assert_close(checkerboard_energy(image[1:], 2), expected[1:])


@pytest.mark.parametrize(("kernel", "stride"), [(2, 2), (4, 2), (6, 3), (3, 2), (5, 2), (5, 3)])
def test_only_kernels_that_the_stride_divides_cover_evenly(kernel, stride):
    inner = coverage(60, kernel, stride)[kernel : 60 - kernel - stride]
    energy = checkerboard_energy((inner[:, None] * inner[None]).view(1, 1, len(inner), -1), stride).item()
    assert energy == (0 if kernel % stride == 0 else pytest.approx(1, abs=0.05))


@pytest.mark.parametrize("stride", [0, 1, 9])
def test_a_stride_that_is_none_is_refused(stride):
    with pytest.raises(ParameterError, match=f"stride is {stride}; expected from 2 to the smaller side, 8"):
        checkerboard_energy(torch.zeros(1, 1, 8, 10), stride)
