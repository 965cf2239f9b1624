"""Linear interpolation over images, rows and columns, against loops over every entry."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from networks import random_images

from phosphene.errors import ParameterError
from phosphene.functional.interpolation import Interpolation, interpolation_matrix

SIZES = [((2, 3, 4), (5, 9, 8)), ((1, 1, 1), (3, 4, 5)), ((3, 5, 4), (3, 10, 7)), ((2, 6, 5), (6, 6, 5))]


def literal(values, n_out, axis, *, corner, offset):
    """One axis at a time, entry by entry: Lucid's resize_bilinear_nd, then its symmetric padding and its crop."""
    values = np.moveaxis(np.asarray(values), axis, 0)
    n_in, made = values.shape[0], []
    for i in range(n_out):
        at = i * n_in / n_out if corner else (i + 0.5) * n_in / n_out - 0.5
        at = min(max(at, 0), n_in - 1)
        low = int(at)
        high = min(low + 1, n_in - 1)
        made.append((low + 1 - at) * values[low] + (at - low) * values[high])
    padded = np.pad(np.stack(made), [(offset, 0)] + [(0, 0)] * (values.ndim - 1), mode="symmetric")
    return np.moveaxis(padded[:n_out], 0, axis)


@pytest.mark.parametrize("corner", [False, True])
@pytest.mark.parametrize("offset", [(0, 0, 0), (1, 2, 3)])
@pytest.mark.parametrize(("low", "full"), SIZES)
def test_interpolation_is_the_literal_one_along_each_axis(low, full, offset, corner):
    values = random_images(low[0], 2, low[1:])
    expected = values.numpy()
    for axis, n_out, shift in zip((0, 2, 3), full, offset, strict=True):
        expected = literal(expected, n_out, axis, corner=corner, offset=shift)
    found = Interpolation(low, full, values, corner=corner, offset=offset)(values)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("n_out", "n_in"), [(8, 2), (7, 3), (5, 5), (9, 1)])
def test_the_matrix_is_torchs_own_enlargement(n_out, n_in):
    values = random_images(1, 1, (n_in, n_in))
    matrix = interpolation_matrix(n_out, n_in)
    expected = F.interpolate(values, (n_out, n_out), mode="bilinear", align_corners=False)
    torch.testing.assert_close(matrix @ values @ matrix.T, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("corner", [False, True])
@pytest.mark.parametrize(("n_out", "n_in", "offset"), [(8, 2, 0), (7, 3, 2), (5, 5, 5), (1, 1, 1)])
def test_weights_are_shares_so_that_a_constant_stays_constant(n_out, n_in, offset, corner):
    matrix = interpolation_matrix(n_out, n_in, corner=corner, offset=offset)
    assert (matrix >= 0).all()
    torch.testing.assert_close(matrix.sum(1), torch.ones(n_out, dtype=torch.float64), rtol=0, atol=1e-12)


def test_the_same_number_of_entries_is_the_identity():
    values = random_images(3, 2, (4, 5))
    assert torch.equal(Interpolation((3, 4, 5), (3, 4, 5), values)(values), values)
    assert torch.equal(interpolation_matrix(4, 4), torch.eye(4, dtype=torch.float64))


@pytest.mark.parametrize("corner", [False, True])
@pytest.mark.parametrize(("low", "full"), SIZES)
def test_what_was_interpolated_is_found_again_and_the_rest_is_least_squares(low, full, corner):
    values, image = random_images(low[0], 2, low[1:]), random_images(full[0], 2, full[1:], seed=3)
    made = Interpolation(low, full, values, corner=corner)
    torch.testing.assert_close(made.inverse(made(values)), values, rtol=0, atol=1e-9)
    found = made.inverse(image).requires_grad_()
    (gradient,) = torch.autograd.grad((made(found) - image).square().sum(), found)
    assert gradient.abs().max() < 1e-9


def test_gradients_lie_in_memory_like_their_tensors():
    """Torch's fused optimizers walk over a gradient as if it lay like its parameter."""
    values = random_images(2, 3, (4, 5)).requires_grad_()
    made = Interpolation((2, 4, 5), (6, 8, 10), values.detach(), corner=True)
    (gradient,) = torch.autograd.grad((made(values) * random_images(6, 3, (8, 10))).sum(), values)
    assert gradient.stride() == values.stride()


@pytest.mark.parametrize("offset", [-1, 5])
def test_an_offset_beyond_the_axis_is_refused(offset):
    with pytest.raises(ParameterError, match=f"offset is {offset}; expected a number from 0 to the axis's 4 entries"):
        interpolation_matrix(4, 2, offset=offset)
