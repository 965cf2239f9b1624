"""How the commands open a session, and know that another process has it."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

from phosphene.errors import StorageError

if TYPE_CHECKING:
    from phosphene.sessions import Session


class HeldError(StorageError):
    """The session is open in another process."""


@contextlib.contextmanager
def opened(directory: Path, *, trust: bool) -> Generator[Session, None, None]:
    """The session, open while the block lasts.

    Raises:
        HeldError: another process has it.
        StorageError: there is no session, or it is damaged.
        TrustError: its plan would import, run or download something, and ``trust`` is false.
    """
    from phosphene.sessions import Session

    with contextlib.ExitStack() as stack:
        try:
            session = stack.enter_context(Session.open(directory, trust=trust))
        except StorageError as error:
            if not _is_held(directory):
                raise
            raise HeldError(str(error)) from error
        yield session


def _is_held(directory: Path) -> bool:
    from filelock import FileLock, Timeout

    from phosphene.sessions.lock import LOCK

    if not (directory / LOCK).exists():
        return False  # asking would make it, and the folder
    try:
        with FileLock(directory / LOCK, timeout=0):
            return False
    except Timeout:
        return True
    except OSError:
        return False  # whatever it is, opening the session has told it
