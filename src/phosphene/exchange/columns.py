"""What the columns and arrays of a response file may be called."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

#: The stimulus' name, the best first, as a table may repeat the manifest's columns; "stimulusid" and "tevokedresp" are
#: what XDream's rigs write (Xiao & Kreiman 2020).
STIMULUS = (
    "stimulus",
    "stimulusid",
    "stimulusids",
    "stimuli",
    "id",
    "ids",
    "name",
    "names",
    "file",
    "files",
    "filename",
)
RESPONSES = ("responses", "response", "scores", "score", "tevokedresp")
TRIAL = ("trial", "trials")
#: Columns of the manifest that are no channels, where a rig adds its own columns to them.
_MANIFEST = ("position", "candidate", "isreference")
_CHANNEL = re.compile(r"(responses?|scores?|tevokedresp|channel|ch|unit)\d*")


def plain(name: str) -> str:
    """A column's name without case, blanks, hyphens and underscores."""
    return re.sub(r"[\s_-]", "", name).lower()


def find(names: Iterable[str], wanted: Sequence[str]) -> str | None:
    """The name that stands first in ``wanted``, as it is written."""
    by_plain = {plain(name): name for name in reversed(list(names))}
    return next((by_plain[name] for name in wanted if name in by_plain), None)


def channels(names: Sequence[str]) -> tuple[list[int], list[int]]:
    """Which columns are channels by their name: response, score, channel, ch or unit, with or without a number; and
    which others are neither these nor a stimulus, a trial or a column of the manifest.
    """
    known = {*STIMULUS, *TRIAL, *_MANIFEST}
    called = [i for i, name in enumerate(names) if _CHANNEL.fullmatch(plain(name))]
    return called, [i for i, name in enumerate(names) if i not in called and plain(name) not in known]
