"""Documents as scripts, which a page that was opened from disk may load where it may fetch nothing."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

Document = dict[str, Any]

#: What could end a script element, or begin a comment in one; U+2028 and U+2029 are escaped as all that is not ASCII.
_ESCAPES = ((b"<", b"\\u003c"), (b">", b"\\u003e"), (b"&", b"\\u0026"))


def script(key: str, document: Mapping[str, Any] | Sequence[Any]) -> bytes:
    r"""A script that hands ``document`` to the page under ``key``; no name in it can end the script.

    >>> script("atlas", {"name": "</script>"})
    b'phosphene.put("atlas",{"name":"\\u003c/script\\u003e"});\n'
    """
    return b"phosphene.put(" + to_json(key) + b"," + to_json(document) + b");\n"


def to_json(document: object) -> bytes:
    """JSON in ASCII, without spaces, that is harmless inside HTML too."""
    text = json.dumps(document, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    data = text.encode("ascii")
    for letter, escaped in _ESCAPES:
        data = data.replace(letter, escaped)
    return data


def rounded(value: float | None, digits: int = 5) -> float | None:
    """``digits`` digits of a number; None for what is not finite, which JSON cannot say.

    >>> rounded(1234.5678), rounded(float("nan"))
    (1234.6, None)
    """
    return float(f"{value:.{digits}g}") if value is not None and math.isfinite(value) else None
