"""File names for units."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable

_LONGEST = 120  # characters; file systems allow 255 bytes, and suffixes and folders need room
_DIGEST = 10  # hex digits that keep shortened names apart


def file_stem(text: str) -> str:
    """A file name without suffix for the text of a unit or objective: safe in every file system, readable by people.

    Colons become underscores, anything else that a file system or a shell could mind becomes a hyphen; very long
    names are cut and end in a digest of the whole.

    >>> file_stem("blocks.8:7@3,4")
    'blocks.8_7@3,4'
    >>> file_stem("classifier:tabby, tabby cat")
    'classifier_tabby-tabby-cat'
    """
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    stem = re.sub(r"[^A-Za-z0-9._@,+=-]|,(?!\d)", "-", ascii_text.replace(":", "_"))
    stem = re.sub(r"-{2,}", "-", stem).strip("-.") or "unnamed"
    if len(stem) <= _LONGEST:
        return stem
    digest = hashlib.sha256(text.encode()).hexdigest()[:_DIGEST]
    return f"{stem[: _LONGEST - _DIGEST - 1]}-{digest}"


def distinct_stems(texts: Iterable[str]) -> list[str]:
    """A file name without suffix for each text, no two alike even where case does not count.

    >>> distinct_stems(["blocks.8:7", "blocks.8:7"])
    ['blocks.8_7', 'blocks.8_7-2']
    """
    stems: list[str] = []
    taken: set[str] = set()
    for text in texts:
        stem = candidate = file_stem(text)
        n = 1
        while candidate.lower() in taken:
            n += 1
            candidate = f"{stem}-{n}"
        taken.add(candidate.lower())
        stems.append(candidate)
    return stems
