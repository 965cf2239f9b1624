"""Waiting for the file in which a rig answers, until it has stopped growing."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from phosphene._component import check
from phosphene.errors import StorageError

SUFFIXES = (".csv", ".tsv", ".txt", ".npz", ".h5", ".hdf5", ".mat")
_STEM = "responses"
#: What a file of responses is called, in words.
RIGHT_NAMES = f"{_STEM} with one of {', '.join(SUFFIXES)}"
_MISNAMED = re.compile(r"(?!\.).*(response|score|result)", re.IGNORECASE)
_LONGEST_POLL_S = 60.0


@dataclass(frozen=True)
class ResponseFile:
    """A file of responses as it was when it was looked at; once it is replaced or written to it is another value.

    Attributes:
        path: where it lies.
        size: in bytes.
        modified_ns: when it was last written to, in nanoseconds of the file system's clock.
        inode: the file system's own number of it.
    """

    path: Path
    size: int
    modified_ns: int
    inode: int


@dataclass(frozen=True)
class Patience:
    """How a file is waited for.

    Attributes:
        poll_s: seconds from one look to the next.
        settle_s: seconds for which neither size nor time of the file may change: a rig may write slowly.
        timeout_s: seconds after which waiting ends with an error; None waits for ever.
        missing_s: seconds for which a file in which something is missing must not have changed before it is taken.
    """

    poll_s: float = 0.1
    settle_s: float = 0.5
    timeout_s: float | None = None
    missing_s: float = 0.0

    def __post_init__(self) -> None:
        check(0 < self.poll_s <= _LONGEST_POLL_S, "poll_s", self.poll_s, f"seconds, above 0, at most {_LONGEST_POLL_S}")
        check(0 <= self.settle_s < float("inf"), "settle_s", self.settle_s, "seconds from 0")
        check(0 <= self.missing_s < float("inf"), "patience_s", self.missing_s, "seconds from 0")
        check(self.timeout_s is None or self.timeout_s >= 0, "timeout_s", self.timeout_s, "seconds from 0, or None")


def response_files(folder: str | os.PathLike[str]) -> tuple[ResponseFile, ...]:
    """What is called ``responses`` in a folder, with the suffix of a kind that is read, whatever the case; by name.

    Raises:
        StorageError: the folder cannot be read.
    """
    found = list[ResponseFile]()
    for path in _listed(Path(folder)):
        if path.stem.lower() != _STEM or path.suffix.lower() not in SUFFIXES:
            continue
        try:
            seen = path.stat()
        except FileNotFoundError:  # it was replaced in this moment, or is a link to nothing
            continue
        except OSError as error:
            raise StorageError(f"{path} cannot be read: {error.strerror}; check who owns it") from error
        found.append(ResponseFile(path, seen.st_size, seen.st_mtime_ns, seen.st_ino))
    return tuple(found)


def find_responses(folder: str | os.PathLike[str]) -> ResponseFile | None:
    """The file of responses in a folder; None if there is none yet.

    Raises:
        StorageError: the folder cannot be read, or there are two.
    """
    return only_file(response_files(folder))


def misnamed_responses(folder: str | os.PathLike[str]) -> tuple[str, ...]:
    """Names in a folder that may be meant for responses, such as ``response.csv`` or ``responses (1).mat``.

    Raises:
        StorageError: the folder cannot be read.
    """
    read = {seen.path for seen in response_files(folder)}
    others = (path for path in _listed(Path(folder)) if path not in read and path.suffix.lower() != ".png")
    return tuple(path.name for path in others if _MISNAMED.match(path.name))


def wait_for_responses(
    folder: str | os.PathLike[str],
    *,
    patience: Patience = Patience(),
    other_than: tuple[ResponseFile, ...] = (),
    stop: Callable[[], bool] | None = None,
) -> ResponseFile | None:
    """Wait until there is a file of responses that no longer changes; between looks the process sleeps.

    Args:
        folder: a block's folder.
        patience: how often to look, how long the file must rest, and how long to wait.
        other_than: what :func:`response_files` found and was no good: wait until something of it has changed.
        stop: asked at each look whether to give up.

    Returns:
        The file, or None when ``stop`` said so.

    Raises:
        StorageError: the time is over; the message names files that may be meant. There are two files of responses. The
            folder cannot be read.
    """
    settled = settled_files(folder, patience=patience, other_than=other_than, stop=stop)
    return only_file(settled)


def settled_files(
    folder: str | os.PathLike[str],
    *,
    patience: Patience,
    other_than: tuple[ResponseFile, ...] = (),
    stop: Callable[[], bool] | None = None,
) -> tuple[ResponseFile, ...]:
    """As :func:`wait_for_responses`, but all files of responses, of which there may be two; none when stopped."""
    began = time.monotonic()
    seen, since = (), began
    while stop is None or not stop():
        files, now = response_files(folder), time.monotonic()
        if files != seen:
            seen, since = files, now
        if files and files != other_than and now - since >= patience.settle_s:
            return files
        if patience.timeout_s is not None and now - began >= patience.timeout_s:
            raise _too_late(Path(folder), patience.timeout_s, seen)
        time.sleep(patience.poll_s)
    return ()


def _too_late(folder: Path, timeout_s: float, seen: tuple[ResponseFile, ...]) -> StorageError:
    if seen:
        names = ", ".join(file.path.name for file in seen)
        return StorageError(f"{folder}: {names} did not settle into something new within {timeout_s:g} s; replace it")
    near = misnamed_responses(folder)
    hint = f" (is {near[0]!r} meant? rename it)" if near else ""
    return StorageError(f"{folder}: no responses came within {timeout_s:g} s{hint}; expected {RIGHT_NAMES}")


def only_file(files: tuple[ResponseFile, ...]) -> ResponseFile | None:
    """The one file among ``files``, if there is any; two are an error, as nobody could say which one counts."""
    if len(files) > 1:
        names = " and ".join(file.path.name for file in files)
        raise StorageError(
            f"{files[0].path.parent} holds {names}; expected one file of responses: move the others away"
        )
    return files[0] if files else None


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise StorageError(f"{folder} cannot be read: {error.strerror}; expected the folder of a block") from error
