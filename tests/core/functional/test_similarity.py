"""``dot_cossim`` against the golden figures and a literal loop."""

from __future__ import annotations

import math

import pytest
import torch

from phosphene.functional.similarity import dot_cossim


@pytest.mark.parametrize(
    ("x", "power", "golden"), [((3, 4), 0, 3.0), ((3, 4), 1, 1.79978), ((3, 4), 2, 1.07974), ((-3, 4), 1, -0.3)]
)
def test_dot_cossim_gives_the_golden_figures(x, power, golden):
    found = dot_cossim(torch.tensor(x, dtype=torch.float64), torch.tensor([1.0, 0.0], dtype=torch.float64), power)
    assert found.item() == pytest.approx(golden, abs=1e-5)


@pytest.mark.parametrize("power", [0.0, 0.5, 3.0])
def test_dot_cossim_is_the_literal_formula(power):
    generator = torch.Generator().manual_seed(0)
    x, y = (
        torch.randn(4, 5, 6, generator=generator, dtype=torch.float64),
        torch.randn(4, 1, 6, generator=generator, dtype=torch.float64),
    )
    found = dot_cossim(x, y, power)
    for i in range(4):
        for j in range(5):
            dot = sum(a * b for a, b in zip(x[i, j].tolist(), y[i, 0].tolist(), strict=True))
            length = (
                math.sqrt(sum(a * a for a in x[i, j].tolist())) + 1e-4,
                math.sqrt(sum(b * b for b in y[i, 0].tolist())) + 1e-4,
            )
            assert found[i, j].item() == pytest.approx(dot * max(0.1, dot / length[0] / length[1]) ** power, rel=1e-10)


def test_each_row_has_its_own_power():
    x, y = torch.tensor([[3.0, 4.0]] * 3), torch.tensor([[1.0, 0.0]] * 3)
    torch.testing.assert_close(
        dot_cossim(x, y, torch.tensor([0.0, 1.0, 2.0])), torch.tensor([3.0, 1.79978, 1.07974]), rtol=0, atol=1e-5
    )


def test_its_gradient_is_finite_at_the_origin():
    x = torch.zeros(3, requires_grad=True)
    dot_cossim(x, torch.tensor([1.0, 2.0, 0.0]), 1.0).backward()
    assert torch.isfinite(x.grad).all()
