"""The quick kernels of the loop against the slow ones that they stand for."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from phosphene.functional.geometry import affine_grid
from phosphene.functional.random import fill_normal


@pytest.mark.parametrize("size", [(5, 7), (1, 3), (8, 8), (33, 20)])
@pytest.mark.parametrize("n", [1, 3])
def test_the_grid_is_that_of_pytorch(size: tuple[int, int], n: int) -> None:
    theta = torch.randn(n, 2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(n))
    expected = F.affine_grid(theta, [n, 3, *size], align_corners=False)
    torch.testing.assert_close(affine_grid(theta, *size), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("n", [1, 3, 5, 4097])
def test_quick_noise_fills_any_number_of_values_the_same_for_the_same_seed(n: int) -> None:
    first, again = torch.full((n,), torch.nan), torch.full((n,), torch.nan)
    fill_normal(first, generator=torch.Generator().manual_seed(3))
    fill_normal(again, generator=torch.Generator().manual_seed(3))
    assert torch.isfinite(first).all()
    assert torch.equal(first, again)


def test_quick_noise_has_the_moments_and_tails_of_a_standard_normal() -> None:
    noise = torch.empty(400_000)
    fill_normal(noise, generator=torch.Generator().manual_seed(0))
    assert noise.mean().abs() < 0.006
    assert abs(noise.std() - 1) < 0.005
    assert noise.pow(3).mean().abs() < 0.03
    assert abs(noise.pow(4).mean() - 3) < 0.06
    assert 4.0 < noise.abs().max() <= 4.33
    shares = [(noise < z).double().mean() for z in (-2.0, -1.0, 0.0, 1.0, 2.0)]
    expected = torch.special.ndtr(torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0], dtype=torch.float64))
    torch.testing.assert_close(torch.stack(shares), expected, rtol=0, atol=0.003)
    # Neighbours come from one random word; they are independent all the same.
    for lag in (1, 2, 3, 4):
        assert torch.corrcoef(torch.stack([noise[:-lag], noise[lag:]]))[0, 1].abs() < 0.006
