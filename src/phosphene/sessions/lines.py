"""The lines of a journal: one of JSON for each event.

Every line has a running number, the number of lines that were written with it and follow it, and a checksum that is
chained to the line before; so a line that was changed, lost, moved or put in is noticed, and lines that were written
together count together or not at all.
"""

from __future__ import annotations

import contextlib
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phosphene._types import JSON
from phosphene.errors import StorageError
from phosphene.store.atomic import why_not_read

_LONGEST = 64 << 20  # bytes of a line
_SEAL = len(',"crc":"00000000"}')


@dataclass(frozen=True)
class Line:
    """An event on record.

    Attributes:
        number: its running number, from 0.
        at: when it was written, as information only.
        event: what happened; its key "event" says of which kind it is.
        seal: the checksum, chained over all lines up to this one.
        left: lines that were written together with it and follow it.
    """

    number: int
    at: str
    event: Mapping[str, Any]
    seal: int
    left: int = 0


@dataclass(frozen=True)
class Reading:
    """What a journal holds.

    Attributes:
        lines: those that count.
        size: bytes that they take.
        is_torn: whether something follows that a kill left unfinished, or the last line lacks its end.
    """

    lines: tuple[Line, ...]
    size: int
    is_torn: bool


def read_journal(path: Path) -> Reading:
    """The events on record; a last write that is unfinished is left out.

    Raises:
        StorageError: the file cannot be read, or is damaged other than by a write that was cut off; the message names
            the line.
    """
    lines: list[Line] = []
    size = at = 0
    count = 0
    try:
        for raw in _raw_lines(path):
            line = _parsed(path, raw, lines[-1] if lines else None)
            if line is None:
                break
            lines.append(line)
            at += len(raw)
            if line.left == 0:
                count, size = len(lines), at
        total = path.stat().st_size
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        raise StorageError(why_not_read(path, error)) from error
    return Reading(tuple(lines[:count]), size, total > size or not is_ended(path, size))


def framed(events: Sequence[Mapping[str, JSON]], *, before: Line | None, at: str) -> tuple[bytes, list[Line]]:
    """Events as lines that follow a line, and their bytes."""
    pieces: list[bytes] = []
    lines: list[Line] = []
    number, seal = (0, 0) if before is None else (before.number + 1, before.seal)
    for i, event in enumerate(events):
        left = len(events) - 1 - i
        body = _text({"n": number + i, "left": left, "at": at, **event})[:-1].encode()
        seal = zlib.crc32(body, seal)
        pieces.append(body + f',"crc":"{seal:08x}"}}\n'.encode())
        lines.append(Line(number + i, at, event, seal, left))
    return b"".join(pieces), lines


def _raw_lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while raw := file.readline(_LONGEST + 1):
            if len(raw) > _LONGEST:
                raise StorageError(f"{path} is no journal: it has a line of more than {_LONGEST} bytes")
            yield raw


def _parsed(path: Path, raw: bytes, before: Line | None) -> Line | None:
    """The line; None for a last one that was cut off."""
    number = 0 if before is None else before.number + 1
    body, seal = raw.rstrip(b"\n")[:-_SEAL], raw.rstrip(b"\n")[-_SEAL:]
    crc = zlib.crc32(body, 0 if before is None else before.seal)
    if seal == f',"crc":"{crc:08x}"}}'.encode():
        with contextlib.suppress(ValueError, KeyError, TypeError, RecursionError):
            event = json.loads(body + b"}")
            found, left, at = event.pop("n"), event.pop("left"), event.pop("at")
            if found == number and type(left) is int and isinstance(at, str) and isinstance(event.get("event"), str):
                return Line(number, at, event, crc, left)
    if not raw.endswith(b"\n"):
        return None
    raise StorageError(
        f"{path}, line {number + 1}: the journal is damaged here (the line does not fit its checksum or its place); "
        "nothing was changed: put back the line, or a copy of the journal"
    )


def is_ended(path: Path, size: int) -> bool:
    """Whether the last line of a journal's first ``size`` bytes has its end mark."""
    with path.open("rb") as file:
        file.seek(max(0, size - 1))
        return size == 0 or file.read(1) == b"\n"


def _text(event: Mapping[str, JSON]) -> str:
    return json.dumps(event, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
