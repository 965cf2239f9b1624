"""Laplacian pyramids (Burt and Adelson 1983) with the kernel 1 4 6 4 1, with the borders of two systems.

"tensorflow" is that of DeepDream in TensorFlow: zeros beyond the borders, so that a constant is underrated there.
"matlab" is that of MATLAB's ``deepDreamImage``: the image mirrored with its border pixels repeated, on the way back
after zeros were laid between the pixels, so that a constant is overrated at the borders. Both are exact inside, and
what a coarse level gets wrong is in the fine one: merging what was split gives the image back.

Sums of shifted slices rather than convolutions: the same bits in every batch and on every device's precision, and a
few copies of the image in memory at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.functional.resizing import resize

Style = Literal["tensorflow", "matlab"]

#: Burt and Adelson's kernel of a = 0.375 along one axis.
KERNEL = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)
_REACH = len(KERNEL) // 2


def split(image: Float[Tensor, "n c h w"], levels: int, style: Style) -> list[Tensor]:
    """What remains after ``levels`` halvings, and the details that each lost: ``levels + 1`` images, coarsest first."""
    pieces: list[Tensor] = []
    for _ in range(levels):
        coarse = reduce(image, style)
        blurred = expand(coarse, (image.shape[2], image.shape[3]), style)
        pieces.append(torch.sub(image, blurred, out=blurred))
        image = coarse
    return [image, *reversed(pieces)]


def merge(pieces: Sequence[Tensor], style: Style) -> Float[Tensor, "n c h w"]:
    """The image whose pieces these are, coarsest first; the inverse of :func:`split`. The pieces stay as they are."""
    image = pieces[0]
    for detail in pieces[1:]:
        image = expand(image, (detail.shape[2], detail.shape[3]), style).add_(detail)
    return image


def reduce(image: Float[Tensor, "n c h w"], style: Style) -> Float[Tensor, "n c p q"]:
    """Blur, and keep every second pixel of every second row: half the size, rounded up."""
    for axis in (2, 3):
        tensorflow = style == "tensorflow"
        padded = _zero_padded(image, axis, _head(image.shape[axis])) if tensorflow else _mirrored(image, axis)
        image = _weighted(padded, axis, 2, -(-image.shape[axis] // 2))
    return image


def expand(image: Float[Tensor, "n c p q"], size: tuple[int, int], style: Style) -> Float[Tensor, "n c h w"]:
    """Lay zeros between the pixels and blur with four times the kernel; ``size`` is the one before :func:`reduce`.

    In MATLAB's style 2m − 1 pixels come of m, and are resized where the size was even.
    """
    for axis in (2, 3):
        image = _expanded_tf(image, axis, size[axis - 2]) if style == "tensorflow" else _expanded_matlab(image, axis)
    return image if style == "tensorflow" else resize(image, size, "half_pixel")


def _slice(image: Tensor, axis: int, first: int, stride: int, n: int) -> Tensor:
    """``n`` rows (axis 2) or columns (axis 3) from ``first`` on, every ``stride``-th; a view."""
    chosen = slice(first, first + stride * (n - 1) + 1, stride)
    return image[:, :, chosen] if axis == 2 else image[..., chosen]


def _weighted(padded: Tensor, axis: int, stride: int, n: int, gain: float = 1.0) -> Tensor:
    """The kernel at ``n`` places of a padded image, ``stride`` apart."""
    total = _slice(padded, axis, 0, stride, n) * (gain * KERNEL[0])
    for tap, weight in enumerate(KERNEL[1:], start=1):
        total.add_(_slice(padded, axis, tap, stride, n), alpha=gain * weight)
    return total


def _like(image: Tensor, axis: int, n: int) -> Tensor:
    """Zeros of the image's shape with ``n`` rows or columns."""
    shape = list(image.shape)
    shape[axis] = n
    return image.new_zeros(shape)


def _head(extent: int) -> int:
    """Zeros before the first pixel where TensorFlow pads a stride of 2 to "SAME": one fewer than behind the last pixel
    if the size is even.
    """
    return _REACH - 1 if extent % 2 == 0 else _REACH


def _zero_padded(image: Tensor, axis: int, head: int) -> Tensor:
    """``head`` zeros before the image, and so many behind it that the kernel's reach is padded on both sides."""
    extent = image.shape[axis]
    padded = _like(image, axis, extent + 2 * _REACH)
    _slice(padded, axis, head, 1, extent).copy_(image)
    return padded


def _expanded_tf(image: Tensor, axis: int, extent: int) -> Tensor:
    """The transpose of the strided blur, times 2 along this axis."""
    n = image.shape[axis]
    total = _like(image, axis, 2 * n + len(KERNEL) - 2)
    for tap, weight in enumerate(KERNEL):
        _slice(total, axis, tap, 2, n).add_(image, alpha=2 * weight)
    return _slice(total, axis, _head(extent), 1, extent)


def _expanded_matlab(image: Tensor, axis: int) -> Tensor:
    n = image.shape[axis]
    spread = _like(image, axis, 2 * n - 1)
    _slice(spread, axis, 0, 2, n).copy_(image)
    return _weighted(_mirrored(spread, axis), axis, 1, 2 * n - 1, gain=2.0)


def _mirrored(image: Tensor, axis: int) -> Tensor:
    """Mirrored beyond the borders, the border pixels repeated; as often as a small image needs it."""
    extent = image.shape[axis]
    padded = _zero_padded(image, axis, _REACH)
    for at in (*range(-_REACH, 0), *range(extent, extent + _REACH)):
        turn = at % (2 * extent)
        source = min(turn, 2 * extent - 1 - turn)
        _slice(padded, axis, at + _REACH, 1, 1).copy_(_slice(image, axis, source, 1, 1))
    return padded
