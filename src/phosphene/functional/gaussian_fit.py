"""A two-dimensional Gaussian fitted to a map, such as that of a receptive field."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from phosphene.errors import ImageError, MissingExtraError, ParameterError

#: Evaluations that a fit may take.
_MAX_EVALUATIONS = 4000


@dataclass(frozen=True)
class Gaussian:
    """``offset + amplitude · exp(-(u² / (2 sigma_x²) + v² / (2 sigma_y²)))``, u and v the distances from (x0, y0) along
    axes turned by ``angle_deg``.

    Attributes:
        amplitude: height above the offset.
        x0: column of the centre, in pixels; a pixel's own centre is a whole number, the first column is 0.
        y0: row of the centre.
        sigma_x: standard deviation along the axis that is nearest to the rows' direction, in pixels.
        sigma_y: standard deviation across it.
        angle_deg: turn of the first axis from the x-axis towards the y-axis, which points down, in [-45, 45).
        offset: value far away.
        r_squared: share of the map's variance that the fit explains; 1 is all.
    """

    amplitude: float
    x0: float
    y0: float
    sigma_x: float
    sigma_y: float
    angle_deg: float
    offset: float
    r_squared: float = 1.0

    def values(self, height: int, width: int) -> Float[Tensor, "h w"]:
        """The Gaussian on a grid of ``height`` × ``width`` pixels, float64."""
        y, x = torch.meshgrid(*(torch.arange(n, dtype=torch.float64) for n in (height, width)), indexing="ij")
        numbers = (self.amplitude, self.x0, self.y0, self.sigma_x, self.sigma_y, math.radians(self.angle_deg))
        flat = _gaussian((x.numpy(), y.numpy()), *numbers, self.offset)
        return torch.from_numpy(flat).view(height, width)


def fit_gaussian(values: Float[Tensor, "h w"]) -> Gaussian:
    """The Gaussian nearest to a map in the least squares, by Levenberg and Marquardt's method from the map's moments.

    The centre may lie outside of the map, where a field is cut off by the border.

    Args:
        values: the map; at least 7 values that are not all the same.

    Raises:
        ImageError: it is no map (h, w) of finite values, or has too few.
        ParameterError: it is constant, or no Gaussian can be found.
        MissingExtraError: scipy is not installed.
    """
    if values.ndim != 2 or values.numel() < 7 or not bool(torch.isfinite(values).all()):
        raise ImageError(f"the map has shape {tuple(values.shape)}; expected finite values (h, w), at least seven")
    table = values.detach().to("cpu", torch.float64).numpy()
    size = float(np.ptp(table))
    if size == 0:
        raise ParameterError("the map is the same everywhere; expected one with a peak to which a Gaussian fits")
    # At a height of 1, so that tolerances mean the same for every map.
    low = float(table.min())
    found = _fitted((table - low) / size)
    amplitude, x0, y0, sigma_x, sigma_y, angle, offset = (float(value) for value in found)
    made = _named(amplitude * size, (x0, y0), (sigma_x, sigma_y), angle=angle, offset=offset * size + low)
    rest = made.values(*table.shape).numpy() - table
    share = 1 - float((rest**2).sum() / ((table - table.mean()) ** 2).sum())
    return Gaussian(**{**vars(made), "r_squared": share})


def _gaussian(grid: Any, *numbers: float) -> NDArray[np.float64]:
    amplitude, x0, y0, sigma_x, sigma_y, angle, offset = numbers
    x, y = grid[0] - x0, grid[1] - y0
    u, v = x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)
    exponent = np.minimum(u**2 / (2 * sigma_x**2) + v**2 / (2 * sigma_y**2), 700.0)  # below which exp is 0 in float64
    return np.asarray(offset + amplitude * np.exp(-exponent)).ravel()


def _fitted(table: NDArray[np.float64]) -> NDArray[np.float64]:
    try:
        from scipy.optimize import OptimizeWarning, curve_fit
    except ImportError:
        raise MissingExtraError("a Gaussian fit", "lab") from None
    fit: Any = curve_fit
    height, width = table.shape
    y, x = np.mgrid[:height, :width].astype(np.float64)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", OptimizeWarning)  # of the covariance, which is not asked for
            found, _ = fit(_gaussian, (x, y), table.ravel(), p0=_moments(table, x, y), maxfev=_MAX_EVALUATIONS)
    except RuntimeError as error:
        raise ParameterError(f"no Gaussian fits this map ({error}); look at the map itself") from None
    return found


def _moments(
    table: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[float, float, float, float, float, float, float]:
    """Where to start: centre and axes of what rises above half, the offset from the median."""
    offset = float(np.median(table))
    weights = np.clip(table - max(offset, 0.5), 0, None)
    weights = weights / weights.sum()
    x0, y0 = float((weights * x).sum()), float((weights * y).sum())
    spread_x, spread_y = (weights * (x - x0) ** 2).sum(), (weights * (y - y0) ** 2).sum()
    together = float((weights * (x - x0) * (y - y0)).sum())
    angle = 0.5 * math.atan2(2 * together, float(spread_x - spread_y))
    middle, half = (spread_x + spread_y) / 2, math.hypot(float(spread_x - spread_y) / 2, together)
    # What rises above half of a peak is narrower than the peak: by about two thirds in its standard deviation.
    long, short = (1.5 * math.sqrt(max(float(m), 0.1)) for m in (middle + half, middle - half))
    return 1.0 - offset, x0, y0, long, short, angle, offset


def _named(
    amplitude: float, center: tuple[float, float], sigmas: tuple[float, float], *, angle: float, offset: float
) -> Gaussian:
    """The same Gaussian with positive standard deviations and the first axis within 45° of the rows."""
    first, second = map(abs, sigmas)
    quarters = math.floor((math.degrees(angle) + 45) / 90)
    if quarters % 2:
        first, second = second, first
    return Gaussian(amplitude, *center, first, second, math.degrees(angle) - 90 * quarters, offset)
