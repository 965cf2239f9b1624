"""Linear interpolation along any axes of a batch of images, its own axis of images included (Lucid's
``resize_bilinear_nd``).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from phosphene.errors import ParameterError


def interpolation_matrix(
    n_out: int, n_in: int, *, corner: bool = False, offset: int = 0
) -> Float[Tensor, "n_out n_in"]:
    """The weights by which ``n_in`` values make ``n_out``, float64; every row sums to 1.

    Args:
        n_out: values to make.
        n_in: values to make them of.
        corner: align the first entries' corners, ``i · n_in / n_out``, as TensorFlow 1 and so Lucid do, which shifts
            the picture by up to half a coarse entry; otherwise their middles, ``(i + 1/2) · n_in / n_out − 1/2``.
        offset: move the result along by so many entries, what comes in at the front mirrored with its edge repeated.

    Raises:
        ParameterError: an offset outside [0, n_out].

    >>> interpolation_matrix(4, 2)[:, 1].tolist()
    [0.0, 0.25, 0.75, 1.0]
    >>> interpolation_matrix(4, 2, corner=True)[:, 1].tolist()
    [0.0, 0.5, 1.0, 1.0]
    """
    if not 0 <= offset <= n_out:
        raise ParameterError(f"offset is {offset}; expected a number from 0 to the axis's {n_out} entries")
    index = np.arange(n_out)
    at = index * n_in / n_out if corner else (index + 0.5) * n_in / n_out - 0.5
    at = np.clip(at, 0, n_in - 1)
    low = np.floor(at).astype(int)
    weights = np.zeros((n_out, n_in))
    np.add.at(weights, (index, low), 1 - (at - low))
    np.add.at(weights, (index, np.minimum(low + 1, n_in - 1)), at - low)
    return torch.from_numpy(weights[np.where(index < offset, offset - 1 - index, index - offset)])


class Interpolation:
    """Linear interpolation of (b, c, p, q) to (n, c, h, w), over images, rows and columns.

    Attributes:
        low: images, rows and columns (b, p, q) of what comes in.
        full: images, rows and columns (n, h, w) of what comes out.
    """

    def __init__(
        self,
        low: tuple[int, int, int],
        full: tuple[int, int, int],
        like: Tensor,
        *,
        corner: bool = False,
        offset: tuple[int, int, int] = (0, 0, 0),
    ) -> None:
        self.low, self.full = low, full
        # torch's own enlargement is quicker than products with matrices of mostly zeros.
        self.quick = not corner and not any(offset[1:])
        self.matrices = [
            None if a == b and not shift else interpolation_matrix(b, a, corner=corner, offset=shift).to(like)
            for a, b, shift in zip(low, full, offset, strict=True)
        ]

    def __call__(self, low: Float[Tensor, "b c p q"]) -> Float[Tensor, "n c h w"]:
        if self.quick:
            images = _along(low, (self.matrices[0], None, None))
            same = self.low[1:] == self.full[1:]
            return images if same else F.interpolate(images, self.full[1:], mode="bilinear", align_corners=False)
        return _along(low, self.matrices)

    def inverse(self, image: Float[Tensor, "n c h w"]) -> Float[Tensor, "b c p q"]:
        """What is interpolated to the nearest of ``image``, in the sense of least squares."""
        return _along(image, [None if m is None else torch.linalg.pinv(m.double()).to(image) for m in self.matrices])


def _along(values: Tensor, matrices: Sequence[Tensor | None]) -> Tensor:
    """Matrices along images, rows and columns; products that leave gradients in the order of their tensors."""
    images, rows, columns = matrices
    if images is not None:
        values = (images.to(values) @ values.flatten(1)).unflatten(1, values.shape[1:])
    if rows is not None:
        values = rows.to(values) @ values
    return values if columns is None else values @ columns.to(values).T
