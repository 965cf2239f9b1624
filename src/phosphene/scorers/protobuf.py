"""The encoding of Protocol Buffers, as far as names must be found in a message: its fields, one after the other."""

from __future__ import annotations

from collections.abc import Iterator

from phosphene.errors import NetworkError

#: Wire types of Protocol Buffers.
_VARINT, _64_BIT, _BYTES, _32_BIT = 0, 1, 2, 5


def read_fields(message: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    """Number and value of each field of a message; of fixed-width numbers only that they are there.

    Raises:
        NetworkError: these bytes are no message.
    """
    at = 0
    while at < len(message):
        key, at = _read_varint(message, at)
        kind, value = key & 7, 0
        if kind == _BYTES:
            length, at = _read_varint(message, at)
            value = message[at : at + length]
            at += length
        elif kind == _VARINT:
            value, at = _read_varint(message, at)
        else:
            at += {_64_BIT: 8, _32_BIT: 4}.get(kind, len(message) + 1)
        if at > len(message):
            raise NetworkError("the file is no ONNX model, or is cut off")
        yield key >> 3, value


def read_messages(inside: list[memoryview], number: int) -> list[memoryview]:
    """The messages under a field of other messages."""
    return [v for message in inside for n, v in read_fields(message) if n == number and isinstance(v, memoryview)]


def read_text(value: memoryview | int) -> str:
    """What a field of text says; a number says nothing."""
    return bytes(value).decode(errors="replace") if isinstance(value, memoryview) else ""


def written(number: int, content: bytes) -> bytes:
    """A field that holds a message or a text."""
    return bytes([number << 3 | _BYTES]) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    low, high = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + _varint(high) if high else bytes([low])


def _read_varint(message: memoryview, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, the lowest first, and where it ends."""
    value = shift = 0
    while at < len(message) and shift < 64:
        byte = message[at]
        value, at, shift = value | (byte & 0x7F) << shift, at + 1, shift + 7
        if byte < 0x80:
            return value, at
    raise NetworkError("the file is no ONNX model, or is cut off")
