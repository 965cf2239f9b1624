"""What is sent to a server that responds to images, and how its answer is read."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import math
import os
from typing import Any, cast

import numpy as np
from jaxtyping import Float
from torch import Tensor

from phosphene._version import __version__
from phosphene.errors import ParameterError, StorageError
from phosphene.store import encode_png

#: Characters of a bad answer that an error shows.
_SHOWN = 200


def write_images(images: Float[Tensor, "n c h w"], form: str) -> tuple[bytes, str]:
    """The body of a request, and its type.

    Raises:
        ImageError: PNGs have one channel, three or four.
    """
    array = images.permute(0, 2, 3, 1).contiguous().numpy()
    if form == "npz":
        file = io.BytesIO()
        np.savez(file, images=array)
        return file.getvalue(), "application/octet-stream"
    levels = (array * np.float32(255)).round().astype(np.uint8)
    texts = [base64.b64encode(encode_png(image)).decode("ascii") for image in levels]
    return json.dumps({"images": texts}).encode(), "application/json"


def idempotency_key(body: bytes, number: int, nonce: bytes) -> str:
    """A name for a request, the same for each attempt at it, another where the same images are shown again.

    Args:
        body: what is sent.
        number: of the request, within its run.
        nonce: random bytes of the run, at most 56.
    """
    return hashlib.blake2b(body, digest_size=16, key=number.to_bytes(8, "little") + nonce).hexdigest()


def request_headers(token_from: str) -> dict[str, str]:
    """Headers of every request; the answer must come uncompressed, so that its size is what is received.

    Raises:
        ParameterError: the environment variable that should hold the token is not set.
    """
    headers = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": f"phosphene/{__version__}"}
    if not token_from:
        return headers
    token = os.environ.get(token_from)
    if not token:
        raise ParameterError(
            f"token_from is {token_from!r}, but no environment variable of that name is set; export it"
        )
    return headers | {"Authorization": f"Bearer {token}"}


def read_answer(answer: bytes, who: str) -> list[Any]:
    """The numbers of an answer, NaN for null.

    Raises:
        StorageError: it is not the JSON that was expected.
    """
    try:
        document = json.loads(answer)
        numbers = document["responses"] if isinstance(document, dict) else None
    except (ValueError, KeyError, RecursionError):
        numbers = None
    if not isinstance(numbers, list) or not all(map(_is_row, cast("list[Any]", numbers))):
        shown = answer[:_SHOWN].decode(errors="replace")
        raise StorageError(f'{who} answered with {shown!r}; expected the JSON {{"responses": [a number, …]}}')
    rows = [_row(row) for row in cast("list[Any]", numbers)]
    if len({len(row) for row in rows}) > 1:
        raise StorageError(f"{who} gave more responses to some images than to others; expected as many to each")
    return rows


def _row(row: Any) -> list[Any]:
    """The responses to one image, NaN for null."""
    values = cast("list[Any]", row) if isinstance(row, list) else [row]
    return [math.nan if value is None else value for value in values]


def _is_row(row: object) -> bool:
    """Whether this is a number, or a list of numbers."""
    values = cast("list[Any]", row) if isinstance(row, list) else [row]
    return all(v is None or (isinstance(v, int | float) and not isinstance(v, bool)) for v in values)
