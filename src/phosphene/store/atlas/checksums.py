"""The checksum of a row: SHA-256 of a form in which equal rows are equal bytes, and different rows different ones."""

from __future__ import annotations

import hashlib
import struct
from typing import Any

#: Hex digits that are kept: 128 bits, far more than chance can meet.
DIGITS = 32
_WHOLE = struct.Struct("<cq").pack
_REAL = struct.Struct("<cd").pack


def checksum(row: Any) -> str:
    """The checksum of a frozen dataclass of numbers, texts, bytes, None, tuples, and dataclasses of these."""
    pieces: list[bytes] = []
    _add(row, pieces)
    return hashlib.sha256(b"".join(pieces)).hexdigest()[:DIGITS]


def _add(value: Any, pieces: list[bytes]) -> None:
    # Each value starts with its type, and what has a length with its length: no two values share a form.
    kind = type(value)
    if kind is float:
        pieces.append(_REAL(b"f", value))
    elif kind is int:
        pieces.append(_WHOLE(b"i", value))
    elif kind is str:
        data = value.encode("utf-8", "surrogatepass")
        pieces += (_WHOLE(b"s", len(data)), data)
    elif kind is bytes:
        pieces += (_WHOLE(b"b", len(value)), value)
    elif value is None:
        pieces.append(b"n")
    else:
        items = value if kind is tuple else [getattr(value, name) for name in value.__dataclass_fields__]
        pieces.append(_WHOLE(b"t", len(items)))
        for item in items:
            _add(item, pieces)
