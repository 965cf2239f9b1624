"""Laplacian pyramid: parameters of several resolutions, whose enlargements add up to the image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from phosphene._component import check
from phosphene.functional.interpolation import Interpolation
from phosphene.functional.random import Generators
from phosphene.parameterizations.base import ColoredCanvas, ColoredParameterization
from phosphene.parameterizations.pixels import disturb


@dataclass(frozen=True)
class LaplacianPyramid(ColoredParameterization):
    """Coarse structure moves at once: the sum of tensors at 1/1, 1/2, 1/4, 1/8 … of the size, each enlarged
    bilinearly (Lucid's ``laplacian_pyramid_image``).

    ``forward()`` is ``range(gain · colour matrix · Σ enlarged levels)``; every level starts from N(0, sd). Difference
    from Lucid, on purpose: levels are enlarged about their centre, where TensorFlow 1 aligns their first corner and so
    shifts coarse levels by up to 3.5 pixels.

    Attributes:
        levels: number of resolutions, each half the one before, rounded down, and at least 1 pixel.
    """

    levels: int = 4

    cites: ClassVar[tuple[str, ...]] = ("burt1983laplacian", "olah2017feature")

    def __post_init__(self) -> None:
        super().__post_init__()
        check(1 <= self.levels <= 14, "levels", self.levels, "a whole number from 1 to 14")

    def sizes(self) -> tuple[tuple[int, int], ...]:
        """Height and width of each level, the finest first.

        >>> LaplacianPyramid(10, 7).sizes()
        ((10, 7), (5, 3), (2, 1), (1, 1))
        """
        return tuple((max(1, self.height >> k), max(1, self.width >> k)) for k in range(self.levels))

    def build(self, n: int, noise: Generators, *, device: torch.device, dtype: torch.dtype) -> PyramidCanvas:
        """A canvas of ``n`` images; see :meth:`Parameterization.build`."""
        start = self.latent_start(n, noise)
        if start is None:
            levels = [self.sd * noise.normal(self.channels, *size) for size in self.sizes()]
        else:
            levels = [start, *(torch.zeros(n, self.channels, *size) for size in self.sizes()[1:])]
        return PyramidCanvas(self, [level.to(device, dtype) for level in levels])


class PyramidCanvas(ColoredCanvas):
    """The images of :class:`LaplacianPyramid`; ``levels[k]`` is (n, c, h / 2^k, w / 2^k)."""

    def __init__(self, spec: LaplacianPyramid, levels: Sequence[Float[Tensor, "n c _ _"]]) -> None:
        super().__init__(spec, latent_gain=1.0, device=levels[0].device, dtype=levels[0].dtype)
        self.levels = nn.ParameterList([level.contiguous() for level in levels])
        n, full = levels[0].shape[0], (spec.height, spec.width)
        self.enlarge = [Interpolation((n, *size), (n, *full), levels[0]) for size in spec.sizes()]

    def latent(self) -> Float[Tensor, "n c h w"]:
        """The sum of the enlarged levels, before colour and range."""
        total = self.levels[0]
        for enlarge, level in zip(self.enlarge[1:], list(self.levels)[1:], strict=True):
            total = total + enlarge(level)
        return total

    def forward(self) -> Float[Tensor, "n c h w"]:
        return self.colorize(self.latent())

    def disturb(self, rows: Tensor, noise: Generators, strength: float) -> None:
        for level in self.levels:
            disturb(level, rows, noise, strength * self.spec.sd)

    @torch.no_grad()
    def assign(self, image: Float[Tensor, "n c h w"]) -> None:
        # The finest level takes what the coarser ones leave over; they stay where the steps have brought them.
        self.levels[0].add_(self.spec.latent(image) - self.latent())
