"""Which numbers of a model's output are responses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.errors import ArgumentError, NetworkError, UnitRangeError

Places = tuple[tuple[int, ...], ...]


def checked_index(index: object) -> Places | None:
    """A place, or a list of places, as a tuple of places; None stays.

    Raises:
        ArgumentError: it is none of these.

    >>> checked_index(3), checked_index((3, 5, 5)), checked_index([3, (4, 0)])
    (((3,),), ((3, 5, 5),), ((3,), (4, 0)))
    """
    if index is None:
        return None
    if _is_place(index):
        return (cast("tuple[int, ...]", tuple(index) if isinstance(index, Sequence) else (index,)),)
    entries = cast("Sequence[Any]", index) if isinstance(index, Sequence) and not isinstance(index, str) else ()
    places = [tuple(place) if isinstance(place, list | tuple) else (place,) for place in entries]
    if not places or not all(map(_is_place, places)):
        raise ArgumentError(f"index is {index!r:.80}; expected a place such as 3 or (3, 5, 5), or a list of places")
    return tuple(places)


def _is_place(value: object) -> bool:
    """Whether a value is a whole number from 0, or a tuple of these: lists are lists of places."""
    numbers = cast("tuple[Any, ...]", value) if isinstance(value, tuple) else (value,)
    return len(numbers) > 0 and all(map(_is_count, numbers))


def _is_count(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and int(value) >= 0


def read_output(answer: Any, n: int, index: Places | None, *, who: str) -> Float[Tensor, "n k"]:
    """The responses (n, k), float64, that an output (n, …) holds: the means over what each place leaves open.

    Raises:
        NetworkError: the output is no array with a row for each image.
        UnitRangeError: it has no such place.
    """
    if not isinstance(answer, np.ndarray) or answer.dtype.kind not in "iufb" or answer.shape[:1] != (n,):
        found = f"shape {answer.shape}, {answer.dtype}" if isinstance(answer, np.ndarray) else type(answer).__name__
        raise NetworkError(f"{who} puts out {found} for {n} images; expected numbers, a row for each image")
    rows = torch.from_numpy(answer.astype(np.float64))
    if index is None:
        return rows.reshape(n, -1)
    return torch.stack([_read(rows, place, who) for place in index], 1)


def _read(rows: Float[Tensor, "n ..."], place: tuple[int, ...], who: str) -> Float[Tensor, " n"]:
    shape = tuple(rows.shape[1:])
    if len(place) > len(shape) or any(i >= size for i, size in zip(place, shape, strict=False)):
        raise UnitRangeError(f"{place} was asked for, but {who} puts out {shape} for an image, numbered from 0")
    return rows[(slice(None), *place)].reshape(len(rows), -1).mean(1)
