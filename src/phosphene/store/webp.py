"""WebP pictures, as an atlas keeps them: without loss, or small."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image

from phosphene.errors import ImageError, ParameterError, StorageError

#: Of a side; the format holds no more.
_LONGEST = 16383
#: Pixels that are read: 8192 x 8192, far below what exhausts memory.
_MAX_PIXELS = 1 << 26


def encode_webp(image: npt.NDArray[np.uint8], *, quality: int | None = None) -> bytes:
    """The bytes of a WebP of ``image`` (h w c with c 1, 3 or 4; uint8).

    Args:
        image: the pixels. WebP knows no grey: one channel is written as three that are alike.
        quality: 1 to 100, as libwebp counts; None loses nothing, the colours of fully transparent pixels included.

    Raises `ImageError` for an array that is no such image, `ParameterError` for another quality.
    """
    if quality is not None and not 1 <= quality <= 100:
        raise ParameterError(f"quality is {quality!r}; expected a whole number from 1 to 100, or None for no loss")
    fits = image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] in (1, 3, 4)
    if not fits or not 0 < min(image.shape[:2]) <= max(image.shape[:2]) <= _LONGEST:
        raise ImageError(
            f"an array of shape {image.shape} and type {image.dtype} cannot be a WebP; "
            f"expected uint8 of shape (h, w, 1), (h, w, 3) or (h, w, 4), sides at most {_LONGEST}"
        )
    pixels = np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image
    buffer = io.BytesIO()
    # Of methods 0 to 6. Without loss, 4 takes five times the seconds of 1 for a hundredth of the bytes (96 px icons).
    method = 1 if quality is None else 4
    Image.fromarray(np.ascontiguousarray(pixels)).save(
        buffer, format="WEBP", lossless=quality is None, quality=quality or 75, method=method, exact=True
    )
    return buffer.getvalue()


def decode_webp(data: bytes) -> npt.NDArray[np.uint8]:
    """The pixels of a WebP: uint8 of shape (h, w, 3), or (h, w, 4) where it has transparency.

    Raises `StorageError` for bytes that are no intact WebP, or hold more than 2^26 pixels.
    """
    try:
        with Image.open(io.BytesIO(data), formats=["WEBP"]) as opened:
            if opened.width * opened.height > _MAX_PIXELS:
                raise StorageError(
                    f"the picture is too large: {opened.width} x {opened.height} pixels came, "
                    f"at most {_MAX_PIXELS} are read"
                )
            opened.load()
            return np.array(opened, dtype=np.uint8)
    except StorageError:
        raise
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise StorageError(f"the bytes are no intact WebP picture: {error}; render the picture again") from error
