"""What servers need beside a framework: a socket that listens, its address, signals that are noted."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Generator
from types import FrameType

from phosphene.errors import ParameterError, StorageError

BACKLOG = 64  # connections that wait until the server takes them


def address_of(host: str, port: int) -> str:
    """The address of a server for a browser on the same machine.

    >>> address_of("0.0.0.0", 8000), address_of("::1", 80)
    ('http://127.0.0.1:8000', 'http://[::1]:80')
    """
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


@contextlib.contextmanager
def bound(host: str, port: int) -> Generator[socket.socket]:
    """While the block lasts, a socket that listens.

    Raises:
        ParameterError: a port out of range, or a host that is none of this machine's.
        StorageError: the address cannot be bound to, as when another program has the port.
    """
    if not 0 <= port < 2**16:
        raise ParameterError(f"port is {port!r}; expected a whole number from 0 to 65535")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        opened = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ParameterError(f"host is {host!r}: {error}; expected an address of this machine") from error
    with opened:
        try:
            # As servers do, so that a port is free again at once after a server has ended; on Windows it would let
            # two servers share a port.
            if os.name == "posix":
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            opened.bind(address)
            opened.listen(BACKLOG)  # before the address is said, so that nobody who reads it is turned away
        except OSError as error:
            raise StorageError(f"cannot serve at {host}:{port}: {error}; choose another port, or 0 for any") from error
        yield opened


@contextlib.contextmanager
def signals_noted() -> Generator[threading.Event]:
    """Signals to end are noted instead of ending the process in the middle; the HTTP server sends its own on to us."""
    noted = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield noted
        return

    def note(number: int, frame: FrameType | None) -> None:
        noted.set()

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield noted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
