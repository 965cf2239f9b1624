"""Tensors that are interpolated from smaller ones."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from phosphene.compat.lucent.optvis.param.spatial import Param, noise
from phosphene.errors import ParameterError
from phosphene.functional.interpolation import Interpolation

Offset = int | bool | Sequence[int | bool] | None


def lowres_tensor(
    shape: Sequence[int], underlying_shape: Sequence[int], offset: Offset = None, sd: float = 0.01
) -> Param:
    """A tensor (n, c, h, w) that is interpolated linearly from a smaller one, over images, rows and columns; channels
    stay.

    The first entries are aligned, as in Lucid; Lucent aligns the last ones, too, and moves other axes than it is told.

    Args:
        shape: images, channels, rows and columns of the tensor.
        underlying_shape: the same of what is optimised; at most as many.
        offset: move the result along by so many entries, of each axis or for each axis; True is half a coarse entry.
        sd: standard deviation of the start.

    Raises:
        ParameterError: the two shapes or the offsets do not fit each other.
    """
    full, low = tuple(shape), tuple(underlying_shape)
    if len(full) != 4 or len(low) != 4 or full[1] != low[1] or any(a < b for a, b in zip(full, low, strict=True)):
        raise ParameterError(
            f"shape {full} cannot be interpolated from {low}; expected (n, c, h, w), none smaller, c equal"
        )
    images, _, rows, columns = _moves(full, low, offset)
    tensor = noise(low, sd)
    enlarge = Interpolation(
        (low[0], low[2], low[3]),
        (full[0], full[2], full[3]),
        tensor.detach(),
        corner=True,
        offset=(images if low[0] < full[0] else 0, rows, columns),
    )

    def inner() -> Tensor:
        return enlarge(tensor)

    return [tensor], inner


def _moves(full: Sequence[int], low: Sequence[int], offset: Offset) -> list[int]:
    """By how many entries each axis is moved."""
    given = [offset] * 4 if offset is None or isinstance(offset, int) else list(offset)
    if len(given) != 4:
        raise ParameterError(f"offset is {offset!r}; expected a number, or one for each of the four axes")
    return [a // (2 * b) if move is True else int(move or 0) for a, b, move in zip(full, low, given, strict=True)]
