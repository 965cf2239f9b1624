"""Synthetic Gaussians give their parameters back."""

from __future__ import annotations

import builtins
import math

import numpy as np
import pytest
import torch

from phosphene.errors import ImageError, MissingExtraError, ParameterError
from phosphene.functional.gaussian_fit import Gaussian, fit_gaussian

NAMES = ("amplitude", "x0", "y0", "sigma_x", "sigma_y", "angle_deg", "offset")


def literal(g, height, width):
    table = np.zeros((height, width))
    a = math.radians(g.angle_deg)
    for y in range(height):
        for x in range(width):
            u = (x - g.x0) * math.cos(a) + (y - g.y0) * math.sin(a)
            v = -(x - g.x0) * math.sin(a) + (y - g.y0) * math.cos(a)
            table[y, x] = g.offset + g.amplitude * math.exp(-0.5 * ((u / g.sigma_x) ** 2 + (v / g.sigma_y) ** 2))
    return torch.from_numpy(table)


@pytest.mark.parametrize(
    "wanted",
    [
        Gaussian(2.0, 20.0, 14.0, 5.0, 3.0, 30.0, 0.1),
        Gaussian(1e-6, 10.3, 25.8, 2.0, 4.5, -20.0, 1e-7),
        Gaussian(1e5, 22.0, 15.0, 3.0, 6.0, 40.0, -5.0),
        Gaussian(1.0, 30.0, 30.0, 2.5, 1.5, -44.0, 0.0),
        Gaussian(3.0, -1.5, 12.0, 6.0, 4.0, 10.0, 0.2),
    ],
)
def test_parameters_of_a_synthetic_gaussian_are_recovered(wanted):
    found = fit_gaussian(literal(wanted, 36, 44))
    for name in NAMES:
        assert getattr(found, name) == pytest.approx(getattr(wanted, name), rel=1e-4, abs=1e-4 * abs(wanted.amplitude))
    assert found.r_squared == pytest.approx(1.0)
    torch.testing.assert_close(found.values(36, 44), literal(found, 36, 44), rtol=1e-9, atol=0)


def test_noise_leaves_the_parameters_where_they_are_and_lowers_the_share_explained():
    wanted = Gaussian(1.0, 20.0, 14.0, 5.0, 3.0, 30.0, 0.1)
    noise = 0.1 * torch.randn(36, 44, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = fit_gaussian(literal(wanted, 36, 44) + noise)
    assert [found.x0, found.y0, found.sigma_x, found.sigma_y] == pytest.approx([20, 14, 5, 3], abs=0.3)
    assert found.angle_deg == pytest.approx(30, abs=3)
    assert 0.6 < found.r_squared < 0.95


def test_a_wide_axis_far_from_the_rows_is_called_the_second():
    turned = fit_gaussian(literal(Gaussian(1.0, 20.0, 18.0, 6.0, 2.0, 80.0, 0.0), 36, 44))
    assert (turned.sigma_x, turned.sigma_y, turned.angle_deg) == pytest.approx((2.0, 6.0, -10.0))


def test_what_is_no_map_is_refused():
    with pytest.raises(
        ImageError, match=r"the map has shape \(2, 3\); expected finite values \(h, w\), at least seven"
    ):
        fit_gaussian(torch.zeros(2, 3))
    with pytest.raises(ImageError, match="expected finite values"):
        fit_gaussian(torch.full((5, 5), torch.nan))
    with pytest.raises(ParameterError, match="the map is the same everywhere"):
        fit_gaussian(torch.ones(5, 5))


def test_a_fit_that_does_not_end_says_so(monkeypatch):
    monkeypatch.setattr("phosphene.functional.gaussian_fit._MAX_EVALUATIONS", 3)
    with pytest.raises(ParameterError, match="no Gaussian fits this map"):
        fit_gaussian(literal(Gaussian(1.0, 20.0, 18.0, 6.0, 2.0, 30.0, 0.0), 36, 44))


def test_without_scipy_the_install_line_is_shown(monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("scipy"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r"a Gaussian fit needs the extra 'lab'.*phosphene\[lab\]"):
        fit_gaussian(torch.eye(5))
