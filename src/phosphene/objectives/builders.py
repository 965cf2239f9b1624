"""Ways to name objectives: a row between two, a random direction, a direction in whitened space."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from phosphene._algebra import Objective
from phosphene._component import check
from phosphene._types import FrozenArray
from phosphene.errors import LayoutError
from phosphene.units import Direction, Position


def interpolate(first: Objective, second: Objective, n: int) -> list[Objective]:
    """``(1 - w) · first + w · second`` for n images, w from 0 to 1 in equal steps (Lucid's ``channel_interpolate``).

    Raises:
        ParameterError: n is less than 2, so that there are no two ends.
    """
    check(n >= 2, "n", n, "at least 2 images, one for each end")
    weights = [i / (n - 1) for i in range(n)]
    return [(1 - w) * first + w * second for w in weights]


def random_direction(layer: str, n_channels: int, seed: int) -> Direction:
    """A direction of N(0, 1) in each of ``n_channels`` channels, the same for the same seed (Distill's random
    directions).

    Raises:
        ParameterError: there are no channels.
    """
    check(n_channels >= 1, "n_channels", n_channels, "a whole number from 1")
    generator = torch.Generator().manual_seed(seed)
    return Direction(layer, torch.randn(n_channels, generator=generator))


def whitened_direction(
    layer: str, vector: Any, whitening: Any, *, position: Position | int | None = None, cossim_power: float = 0.0
) -> Direction:
    """The direction ``vector · S`` (Lucid's ``direction_neuron_S`` and ``direction_neuron_cossim_S`` of its activation
    atlas, where S is the inverse of the activations' correlation matrix and the power 2 to 4).

    Lucid's cosine there leaves out the direction's norm, and its dot product is a mean over channels; here both are
    those of :class:`phosphene.units.Direction`.

    Args:
        layer: name of the layer.
        vector: one number per channel.
        whitening: the matrix S (channels × channels).
        position: one position only; None averages over all.
        cossim_power: power of the cosine.

    Raises:
        LayoutError: the matrix does not fit the vector.
    """
    direction, matrix = FrozenArray.of(vector), FrozenArray.of(whitening)
    if len(direction.shape) != 1 or matrix.shape != direction.shape * 2:
        raise LayoutError(
            f"a direction of {direction.shape} needs a whitening matrix of {direction.shape * 2}; got {matrix.shape}"
        )
    whitened = direction.numpy().astype(np.float64) @ matrix.numpy().astype(np.float64)
    return Direction(layer, whitened, position=position, cossim_power=cossim_power)
