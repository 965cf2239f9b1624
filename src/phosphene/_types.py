"""Small immutable values that every room shares: JSON, and arrays that can be hashed and compared."""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from phosphene.errors import ArgumentError, ParameterError

JSON = dict[str, "JSON"] | list["JSON"] | str | int | float | bool | None

# 256 MiB of float32: far above any image or direction, far below what a hostile document could ask for.
_MAX_ELEMENTS = 2**26
_MAX_AXES = 8
#: Forms in which an array's values are written.
_FORMS = MappingProxyType({"float32": np.dtype("<f4"), "uint8": np.dtype("u1")})


@dataclass(frozen=True)
class FrozenArray:
    """An immutable float32 array, equal and hashable by content, with a JSON form.

    Attributes:
        shape: the array's shape.
        data: its values in C order, little-endian float32.
    """

    shape: tuple[int, ...]
    data: bytes

    @classmethod
    def of(cls, values: object) -> FrozenArray:
        """Freeze a tensor, an array or nested sequences of numbers.

        Raises:
            ArgumentError: if ``values`` cannot be read as numbers.
            ParameterError: if any value is not finite.
        """
        if isinstance(values, FrozenArray):
            return values
        if isinstance(values, Tensor):
            values = values.detach().to("cpu", torch.float32).numpy()
        try:
            with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused below
                array = np.ascontiguousarray(np.asarray(values, dtype="<f4"))
        except (TypeError, ValueError, OverflowError) as error:
            raise ArgumentError(
                f"expected numbers, an array or a tensor; got {type(values).__name__}: {error}"
            ) from None
        if not np.isfinite(array).all():
            raise ParameterError("an array holds values that are not finite; give finite numbers")
        return cls(tuple(array.shape), array.tobytes())

    def numpy(self) -> np.ndarray[Any, np.dtype[Any]]:
        """A fresh NumPy copy, float32."""
        return np.frombuffer(self.data, dtype="<f4").reshape(self.shape).copy()

    def tensor(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> Tensor:
        """A fresh tensor copy."""
        return torch.from_numpy(self.numpy()).to(device=device, dtype=dtype)

    def to_json(self) -> dict[str, JSON]:
        """``{"shape": [...], "float32": base64 of the deflated bytes}``; of 8-bit pictures, whose values are multiples
        of 1/255, ``"uint8"`` with the multiples, which takes a fraction of the space.
        """
        values = self.numpy()
        with np.errstate(invalid="ignore", over="ignore"):
            multiples = np.rint(values * 255)
            is_picture = bool(((multiples >= 0) & (multiples <= 255)).all())
        levels = multiples.astype(np.uint8) if is_picture else np.empty(0, np.uint8)
        if is_picture and values.size and np.array_equal(_of_levels(levels).view("<i4"), values.view("<i4")):
            return {"shape": list(self.shape), "uint8": _deflated(levels.tobytes())}
        return {"shape": list(self.shape), "float32": _deflated(self.data)}

    @classmethod
    def from_json(cls, document: object) -> FrozenArray:
        """Read :meth:`to_json`'s form, or plain nested lists of numbers.

        Raises:
            ParameterError: if the document is damaged, too large, or its size does not fit its shape.
        """
        if isinstance(document, Sequence) and not isinstance(document, str):
            return cls.of(document)
        form = next((key for key in _FORMS if isinstance(document, dict) and set(document) == {"shape", key}), None)
        if form is None or not isinstance(document, dict):
            raise ParameterError("expected an array: a list of numbers or {'shape': …, 'float32' or 'uint8': …}")
        shape, text = document["shape"], document[form]
        size = _read_size(shape)
        if not isinstance(text, str):
            raise ParameterError("expected an array's shape as whole numbers and its data as text")
        kind = _FORMS[form]
        values = np.frombuffer(_inflate(text, kind.itemsize * size), dtype=kind)
        values = _of_levels(values) if form == "uint8" else values
        try:
            return cls.of(values.reshape(shape))
        except ValueError as error:
            raise ParameterError(f"an array cannot have the shape {shape}: {error}") from None


def _read_size(shape: object) -> int:
    """How many values a shape from a document has; it may be anything, and ask for any amount of memory."""
    counts = (
        isinstance(shape, list) and len(shape) <= _MAX_AXES and all(type(n) is int and 0 <= n < 2**63 for n in shape)
    )
    if not counts or not isinstance(shape, list):
        raise ParameterError("expected an array's shape as whole numbers and its data as text")
    size = math.prod(shape)
    if size > _MAX_ELEMENTS:
        raise ParameterError(f"an array of {size} values is larger than the {_MAX_ELEMENTS} that are read")
    return size


def _of_levels(levels: np.ndarray[Any, np.dtype[Any]]) -> np.ndarray[Any, np.dtype[Any]]:
    """8-bit levels as values in [0, 1]."""
    return levels.astype("<f4") / np.float32(255)


def _deflated(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data, 6)).decode("ascii")


def _inflate(text: str, size: int) -> bytes:
    """Decode base64 of deflated bytes without ever holding more than ``size`` + 1 bytes."""
    try:
        inflater = zlib.decompressobj()
        data = inflater.decompress(base64.b64decode(text, validate=True), size + 1)
    except (ValueError, zlib.error) as error:
        raise ParameterError(f"an array's data is damaged: {error}") from None
    if len(data) != size:
        raise ParameterError(f"an array's data does not fit its shape: expected {size} bytes")
    return data
