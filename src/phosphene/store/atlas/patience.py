"""Trying again: stores far away fail now and then, and mean nothing by it."""

from __future__ import annotations

import errno
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from phosphene.errors import PhospheneError, StorageError

T = TypeVar("T")

#: Errors that another attempt meets as well: full, forbidden, or no such thing.
_FINAL = frozenset(
    getattr(errno, name)
    for name in (
        *("ENOSPC", "EDQUOT", "EFBIG", "EACCES", "EPERM", "EROFS", "EEXIST", "ENOENT", "ENOTDIR", "EISDIR"),
        *("ENAMETOOLONG", "ELOOP", "ENOSYS", "EMFILE"),
    )
)
_FINAL_KINDS = (
    *(PhospheneError, FileNotFoundError, FileExistsError, PermissionError, IsADirectoryError, NotADirectoryError),
    *(ImportError, TypeError, AttributeError, NotImplementedError, KeyboardInterrupt, SystemExit),
)


def passing(error: BaseException) -> bool:
    """Whether another attempt may succeed: a throttled, broken or slow connection, a busy disk."""
    return not isinstance(error, _FINAL_KINDS) and getattr(error, "errno", None) not in _FINAL


@dataclass(frozen=True)
class Patience:
    """How often something is tried, and how long is waited before it is tried again.

    Attributes:
        attempts: in all; at least 1.
        wait_s: before the second; each later wait is twice as long.
    """

    attempts: int = 7
    wait_s: float = 0.2

    def insist(self, call: Callable[[], T]) -> T:
        """What ``call`` gives, tried again where its error may pass; the last error is raised."""
        for attempt in range(self.attempts - 1):
            try:
                return call()
            except Exception as error:
                if not passing(error):
                    raise
                time.sleep(self.wait_s * 2**attempt)
        return call()


def within(limit_s: float, call: Callable[[], T], what: str) -> T:
    """What ``call`` gives, if it does so in ``limit_s`` seconds; else it is left to itself in its thread.

    Raises:
        StorageError: it took longer; the message starts with ``what``. Whatever ``call`` raises is raised here.
    """
    answers: queue.SimpleQueue[tuple[bool, object]] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put((True, call()))
        except BaseException as error:  # whatever it is belongs to the thread that asked
            answers.put((False, error))

    threading.Thread(target=ask, name="phosphene-atlas-address", daemon=True).start()
    try:
        succeeded, answer = answers.get(timeout=limit_s)
    except queue.Empty:
        raise StorageError(
            f"{what} did not answer within {limit_s:g} seconds; check the address, the network and storage_options"
        ) from None
    if isinstance(answer, BaseException) and not succeeded:
        raise answer
    return answer  # pyright: ignore[reportReturnType] - the queue knows no types
