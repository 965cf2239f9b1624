"""PNG files that carry a JSON document beside their pixels.

The document is ASCII JSON in one uncompressed ``tEXt`` chunk with the keyword ``phosphene``
(PNG specification, third edition, 11.3.3.2). It is read by walking the chunks, so that no decoder's limit on texts
applies and nothing is inflated; sizes are bounded before anything is parsed.
"""

from __future__ import annotations

import io
import json
import os
import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, PngImagePlugin

from phosphene.errors import ImageError, RecipeError, StorageError
from phosphene.store.atomic import read_bytes, write_bytes
from phosphene.store.documents import parse_json

KEYWORD = "phosphene"
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MAX_FILE = 1 << 30  # bytes
_MAX_DOCUMENT = 64 << 20  # bytes; a direction over 100 000 channels takes about 2 MB
_MAX_PIXELS = 1 << 26  # 8192 x 8192, far below what exhausts memory
_MODES = {"L", "RGB", "RGBA"}


def encode_png(image: npt.NDArray[np.uint8], document: Mapping[str, Any] | None = None) -> bytes:
    """The bytes of a PNG of ``image`` (h w or h w c with c 1, 3 or 4; uint8), with ``document`` inside.

    Raises `ImageError` for an array that is no such image, `RecipeError` for a document that JSON cannot express.
    """
    shape = image.shape[:2] if image.ndim == 3 and image.shape[2] == 1 else image.shape
    fits = len(shape) == 2 or (len(shape) == 3 and shape[2] in (3, 4))
    if image.dtype != np.uint8 or not fits or 0 in shape:
        raise ImageError(
            f"an array of shape {image.shape} and type {image.dtype} cannot be a PNG; "
            "expected uint8 of shape (h, w), (h, w, 1), (h, w, 3) or (h, w, 4)"
        )
    texts = PngImagePlugin.PngInfo()
    if document is not None:
        texts.add_text(KEYWORD, _to_json(document))
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image.reshape(shape))).save(buffer, format="PNG", pnginfo=texts)
    return buffer.getvalue()


def write_png(
    path: str | os.PathLike[str], image: npt.NDArray[np.uint8], document: Mapping[str, Any] | None = None
) -> Path:
    """Write ``image`` (uint8; h w or h w c) with ``document`` to ``path``, wholly or not at all; returns the path.

    Raises `ImageError`, `RecipeError` (see `encode_png`) and `StorageError` (see `write_bytes`).
    """
    return write_bytes(path, encode_png(image, document))


def read_png_document(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The document that `write_png` put into ``path``. It is data: nothing in it is run, imported or loaded.

    Raises `StorageError` for a file that cannot be read, is no intact PNG or carries no document, and `RecipeError`
    for a document that is no JSON object.
    """
    keyword = KEYWORD.encode() + b"\0"
    for kind, body in _chunks(Path(path)):
        if kind == b"tEXt" and body.startswith(keyword):
            if len(body) > _MAX_DOCUMENT:
                raise StorageError(f"{path}: its document is too large: {len(body)} bytes, at most {_MAX_DOCUMENT}")
            return parse_json(body[len(keyword) :], path)
    raise StorageError(
        f"{path} carries no phosphene document: it was not saved by phosphene, or another program removed its texts"
    )


def read_png_pixels(path: str | os.PathLike[str]) -> npt.NDArray[np.uint8]:
    """The pixels of an 8-bit PNG: uint8 of shape (h, w) when grey, otherwise (h, w, 3) or (h, w, 4).

    Raises `StorageError` for a file that cannot be read, is no intact PNG, or is larger than 2^26 pixels.
    """
    data = _png_bytes(Path(path))
    height, width = _size(data, path)
    if height * width > _MAX_PIXELS:
        raise StorageError(f"{path} is too large: {width} x {height} pixels came, at most {_MAX_PIXELS} are read")
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as opened:
            opened.load()
            mode, pixels = opened.mode, np.asarray(opened)
    except (OSError, SyntaxError, ValueError, zlib.error, struct.error) as error:
        raise _damaged(path, str(error)) from error
    if mode not in _MODES:
        raise StorageError(f"{path} holds pixels of mode {mode}; expected 8-bit grey, RGB or RGBA: convert it first")
    return pixels


def _to_json(document: Mapping[str, Any]) -> str:
    try:
        return json.dumps(document, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise RecipeError(f"the document cannot be written as JSON: {error}; expected plain finite values") from error


def _png_bytes(path: Path) -> bytes:
    data = read_bytes(path, limit=_MAX_FILE)
    if not data.startswith(_SIGNATURE):
        raise StorageError(f"{path} is not a PNG file; expected a picture that phosphene saved")
    return data


def _size(data: bytes, path: str | os.PathLike[str]) -> tuple[int, int]:
    # IHDR is the first chunk by the standard: length, type, width, height.
    if len(data) < 24 or data[12:16] != b"IHDR":
        raise _damaged(path, "it has no header")
    width, height = struct.unpack(">II", data[16:24])
    return height, width


def _chunks(path: Path) -> Iterator[tuple[bytes, bytes]]:
    """Type and body of each chunk up to the end mark; checks lengths and checksums."""
    data = _png_bytes(path)
    at, kind = len(_SIGNATURE), b""
    while kind != b"IEND":
        if at + 12 > len(data):
            raise _damaged(path, "it ends too early")
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        end = at + 8 + length
        if end + 4 > len(data):
            raise _damaged(path, "it ends too early")
        body = data[at + 8 : end]
        if zlib.crc32(body, zlib.crc32(kind)) != int.from_bytes(data[end : end + 4], "big"):
            raise _damaged(path, f"the checksum of its chunk {kind!r} is wrong")
        yield kind, body
        at = end + 4


def _damaged(path: str | os.PathLike[str], why: str) -> StorageError:
    return StorageError(f"{path} is a damaged PNG: {why}; fetch or render it again")
