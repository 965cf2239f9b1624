"""What a black box is: images in, responses out, and never a gradient."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import cast

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._component import Component, check
from phosphene._types import JSON
from phosphene.errors import ArgumentError, ImageError, ParameterError

#: Images at a time, and trials of an image, at most, so that a stranger's picture cannot ask for any number.
MAX_BATCH, MAX_REPEATS = 4096, 10_000

#: Images (n, c, h, w) in [0, 1], float32, to responses (n, k), float64 on the CPU; NaN is a response that was lost.
Respond = Callable[[Tensor], Tensor]


class BlackBox(abc.ABC):
    """Something that answers images with numbers: k responses for each, such as one of each recorded unit.

    Implementations are frozen values; what they need to answer is held while :meth:`open`'s block lasts.
    """

    @property
    @abc.abstractmethod
    def name(self) -> str:
        """What it is called in plots and reports, such as "blocks.8:7"."""

    @property
    def n_responses(self) -> int | None:
        """Responses to an image, k; None where only the answers tell."""
        return None

    @abc.abstractmethod
    def open(self, device: torch.device) -> AbstractContextManager[Respond]:
        """While the block lasts, what responds to images; networks of this process compute on ``device``."""

    @abc.abstractmethod
    def describe(self) -> dict[str, JSON]:
        """What it is, for the record; :func:`phosphene.scorers.reopen` reads it.

        Raises:
            RecipeError: it has no JSON form.
        """


class BoxComponent(Component, BlackBox, abc.ABC, base=True):
    """A black box that is described by its fields alone."""

    def describe(self) -> dict[str, JSON]:
        return self.to_json()


def check_count(name: str, value: object, most: int) -> None:
    """Refuse a number of images or trials that is none, or out of bounds.

    Raises:
        ParameterError: naming the parameter, its value and the bounds.
    """
    fits = isinstance(value, int) and not isinstance(value, bool) and 0 < value <= most
    check(fits, name, value, f"a whole number from 1 to {most}")


def checked_images(images: object) -> Float[Tensor, "n c h w"]:
    """Images as boxes are given them: detached, float32.

    Raises:
        ImageError: the value is no tensor (n, c, h, w) of numbers in [0, 1].
    """
    if not isinstance(images, Tensor) or images.ndim != 4 or not images.is_floating_point():
        found = f"shape {tuple(images.shape)}, {images.dtype}" if isinstance(images, Tensor) else type(images).__name__
        raise ImageError(f"images are {found}; expected a tensor of floating point numbers (n, c, h, w) in [0, 1]")
    if images.numel() and not bool(((images >= 0) & (images <= 1)).all()):
        low, high = float(images.min()), float(images.max())
        raise ImageError(f"images have values from {low:.3g} to {high:.3g}; expected numbers in [0, 1]")
    return images.detach().to(torch.float32)


def padded_batches(images: Tensor, size: int) -> Iterator[tuple[Tensor, int]]:
    """Batches of exactly ``size`` images, and how many of each are meant; black ones fill the last.

    The last bits of a network's answer depend on how many images it is shown at once, so that is always the same.
    """
    for first in range(0, len(images), size):
        some = images[first : first + size]
        missing = some.new_zeros(size - len(some), *some.shape[1:])
        yield torch.cat([some, missing]), len(some)


def as_responses(values: object, n: int, who: str) -> Float[Tensor, "n k"]:
    """What somebody answered to ``n`` images, as responses (n, k); what is not finite is lost (NaN).

    Raises:
        ArgumentError: these are no real numbers.
        ParameterError: there is not one row for each image.
    """
    try:
        array = np.asarray(_detached(values))
        array = array.astype(np.float64, casting="same_kind") if array.dtype.kind in "iufb" else array
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"{who} answered with {_shown(values)}, which is no array of numbers: {error}") from None
    if array.dtype != np.float64:
        raise ArgumentError(f"{who} answered with {_shown(values)}; expected real numbers, one for each image")
    if array.ndim not in (1, 2) or len(array) != n or (array.ndim == 2 and array.shape[1] == 0):
        expected = f"({n},), or ({n}, k) for k responses to each"
        raise ParameterError(f"{who} answered {n} images with numbers of shape {array.shape}; expected {expected}")
    found = torch.from_numpy(array.reshape(n, -1) if array.size else array.reshape(n, max(1, array[:1].size)))
    return torch.where(found.isfinite(), found, torch.nan)


def _detached(values: object) -> object:
    """Tensors, alone or in a list, without their gradients, which NumPy would stumble over."""
    if isinstance(values, list | tuple):
        return [_detached(value) for value in cast("Sequence[object]", values)]
    return values.detach().cpu() if isinstance(values, Tensor) else values


def _shown(values: object) -> str:
    text = repr(values)
    return f"{type(values).__name__} {text if len(text) < 60 else text[:59] + '…'}"
