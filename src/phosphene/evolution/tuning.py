"""Tuning maps: how the score falls off around a favourite stimulus, on a half sphere of codes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene import store
from phosphene._component import check
from phosphene.evolution import plots
from phosphene.parameterizations import Parameterization
from phosphene.parameterizations.generators import Generator
from phosphene.render import display
from phosphene.render.run import usable_device
from phosphene.scorers import BlackBox, Scorer, as_scorer
from phosphene.spaces import Space, as_space

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL.Image import Image


#: Number of a map's first trial: evolutions end long before.
_FIRST_TRIAL = 2**40


@dataclass(frozen=True, eq=False)
class TuningMap:
    """Scores on a half sphere of codes about a centre.

    Attributes:
        angles_deg: the angles (n,), for rows (elevation) and columns (azimuth) alike; the middle one is 0.
        codes: (n, n, d); the middle one is the centre.
        images: (n, n, c, h, w) in [0, 1].
        scores: (n, n), NaN for lost ones.
    """

    angles_deg: Float[Tensor, " n"]
    codes: Float[Tensor, "n n d"]
    images: Float[Tensor, "n n c h w"]
    scores: Float[Tensor, "n n"]

    def plot(self) -> Figure:
        """The map in colours.

        Raises:
            MissingExtraError: matplotlib is not installed.
        """
        return plots.plot_tuning(self.scores, self.angles_deg)

    def sheet(self) -> Image:
        """All images at their places, elevation upwards, each with its score."""
        rows = [(i, j) for i in reversed(range(len(self.scores))) for j in range(len(self.scores))]
        pixels = [display.to_uint8(self.images[i, j]) for i, j in rows]
        return display.contact_sheet(pixels, [f"{float(self.scores[i, j]):.3g}" for i, j in rows], len(self.scores))

    def save_data(self, path: str | Path) -> Path:
        """Write angles, codes and scores as a compressed ``.npz`` without pickles.

        Raises:
            StorageError: the file cannot be written.
        """
        tensors = {"angles_deg": self.angles_deg, "codes": self.codes, "scores": self.scores}
        return store.write_arrays(path, {name: tensor.numpy() for name, tensor in tensors.items()})


def tuning_map(  # noqa: PLR0913 - an entry point, keyword-only
    scorer: Scorer | BlackBox | Callable[..., object],
    space: Space | Parameterization | Generator,
    center: Float[Tensor, " d"],
    *,
    n: int = 9,
    span_deg: float = 180.0,
    directions: Float[Tensor, "2 d"] | None = None,
    trajectory: Float[Tensor, "g d"] | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> TuningMap:
    """Score the images of a grid on the sphere through a code, spanned by three orthogonal directions: the code itself
    and two others (Wang and Ponce 2022, "Tuning landscapes of the ventral stream").

    The code at azimuth θ and elevation φ is |center| · (cos φ cos θ · e₁ + cos φ sin θ · e₂ + sin φ · e₃), e₁ along the
    centre.

    Args:
        scorer: as for :func:`evolve`.
        space: as for :func:`evolve`.
        center: the code in the middle, such as ``result.code``; not 0.
        n: points along each angle, odd, so that the centre is one of them.
        span_deg: the angles reach from minus half of it to plus half.
        directions: two directions (2, d), made orthogonal to the centre and to each other; by default the first two
            principal components of ``trajectory``, or random ones.
        trajectory: codes (g, d) on the way to the centre, such as ``result.trajectory.means``.
        seed: seed of random directions, and of a scorer's simulated noise.
        device: where images are decoded and scored.

    Raises:
        ParameterError: an argument is out of range, or the directions lie on one line with the centre.
    """
    scorer, space = as_scorer(scorer), as_space(space)
    check(1 < n <= 99 and n % 2 == 1, "n", n, "an odd number from 3 to 99")
    check(0 < span_deg <= 360, "span_deg", span_deg, "an angle above 0, at most 360")
    center = torch.as_tensor(center).double()
    check(center.shape == (space.dim,), "center", tuple(center.shape), f"a code of {space.dim} numbers")
    axes = _axes(center, _directions(directions, trajectory, center, seed))
    angles = torch.linspace(-span_deg / 2, span_deg / 2, n, dtype=torch.float64)
    codes = (center.norm() * sphere_grid(axes, angles)).float()
    used = usable_device(device)
    # Trials of their own, which no evolution from this seed has had.
    first = _FIRST_TRIAL + seed * n * n
    with torch.no_grad(), scorer.open(used, n_scored=first) as score:
        images = space.open(used)(codes.flatten(0, 1))
        scores = score(images).to("cpu", torch.float64)
    images = images.to("cpu", torch.float32)
    return TuningMap(angles.float(), codes, images.unflatten(0, (n, n)), scores.view(n, n))


def sphere_grid(axes: Float[Tensor, "3 d"], angles_deg: Float[Tensor, " n"]) -> Float[Tensor, "n n d"]:
    """Unit vectors at elevation (rows) and azimuth (columns), for orthonormal axes, the first in the middle."""
    angles = angles_deg * math.pi / 180
    elevation, azimuth = angles[:, None], angles[None, :]
    weights = [
        elevation.cos() * azimuth.cos(),
        elevation.cos() * azimuth.sin(),
        elevation.sin().expand(-1, len(angles)),
    ]
    return torch.stack(weights, 2) @ axes


def _directions(given: Tensor | None, trajectory: Tensor | None, center: Tensor, seed: int) -> Float[Tensor, "k d"]:
    """Directions to choose from, the best first."""
    random = torch.randn(2, len(center), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    if given is not None:
        fits = given.ndim == 2 and given.shape == (2, len(center))
        check(fits, "directions", tuple(given.shape), f"two directions of {len(center)} numbers")
        return given.double()
    if trajectory is None or len(trajectory) < 3:
        return random
    check(trajectory.shape[1] == len(center), "trajectory", tuple(trajectory.shape), f"codes of {len(center)} numbers")
    steps = trajectory.double() - trajectory.double().mean(0)
    # Left out is what the way shares with the centre: it leads there.
    steps = steps - (steps @ center)[:, None] * center / center.square().sum().clamp(min=1e-300)
    found = torch.linalg.svd(steps, full_matrices=False).Vh[:2]
    # A way on one line, or of repeated points, has no second component.
    return torch.cat([found, random])


def _axes(center: Tensor, directions: Tensor) -> Float[Tensor, "3 d"]:
    """Three orthonormal axes: the centre's, and two from the directions (Gram and Schmidt)."""
    check(float(center.norm()) > 0, "center", "a code of zeros", "a code with a direction")
    axes = [center / center.norm()]
    for direction in directions:
        rest = direction.clone()
        for _ in range(2):  # twice is enough, for what the first time rounds away
            for axis in axes:
                rest = rest - (rest @ axis) * axis
        if float(rest.norm()) > 1e-6 * float(direction.norm()) > 0 and len(axes) < 3:
            axes.append(rest / rest.norm())
    check(len(axes) == 3, "directions", "directions on one line with the centre", "two that are independent of it")
    return torch.stack(axes)
