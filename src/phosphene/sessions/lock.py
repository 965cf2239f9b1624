"""One process at a time: a lock that the system releases when its holder ends, however that happens."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator
from pathlib import Path

from filelock import FileLock, Timeout

from phosphene.errors import StorageError
from phosphene.store import write_text
from phosphene.store.atomic import read_bytes

LOCK = "lock"
#: Who holds the lock; a file of its own, as some systems let nobody else read one that is locked.
HOLDER = "lock.pid"


@contextlib.contextmanager
def exclusive(directory: Path) -> Generator[None, None, None]:
    """While the block lasts, no other process has the session, nor has this one a second time.

    Raises:
        StorageError: somebody has it; the message holds the number of the process. The directory cannot be written.
    """
    # Not bound to a thread: a server's worker may close what another one opened.
    lock = FileLock(directory / LOCK, timeout=0, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        raise StorageError(
            f"{directory} is open in another process (number {_holder(directory)}); a session is for one at a time: "
            f"close it there, or only look at it: phosphene session status {directory}"
        ) from None
    except OSError as error:
        raise StorageError(f"{directory} cannot be locked: {error.strerror or error}; choose another folder") from error
    try:
        # Only information: a full disk must not keep anybody from looking at the session.
        with contextlib.suppress(StorageError):
            write_text(directory / HOLDER, f"{os.getpid()}\n")
        yield
    finally:
        with contextlib.suppress(OSError):
            (directory / HOLDER).unlink(missing_ok=True)
        lock.release()


def _holder(directory: Path) -> str:
    with contextlib.suppress(StorageError, UnicodeDecodeError):
        text = read_bytes(directory / HOLDER, limit=32).decode("ascii").strip()
        if text.isdigit():
            return text
    return "unknown"
