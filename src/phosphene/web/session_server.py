"""A session over HTTP: stimuli are asked for, responses told, and a live page shows how it stands."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import threading
from collections.abc import Callable, Generator, Iterator
from types import FrameType

from phosphene._component import check
from phosphene.errors import MissingExtraError, ParameterError, StorageError
from phosphene.sessions import Session
from phosphene.web.session_access import Access, is_loopback
from phosphene.web.session_desk import Desk

_BACKLOG = 128


def serve(
    session: Session,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    token: str | None = None,
    say: Callable[[str], object],
    stop: Callable[[], bool] | None = None,
) -> None:
    """Serve an open session until SIGINT or SIGTERM, or until ``stop`` says so; then the session is as it was told.

    Whoever has the token may ask and tell; see ``docs/clients.md`` for what goes to and fro. Nothing is encrypted, so
    elsewhere than on loopback whoever listens on the network reads the token too.

    Args:
        session: an open session; nobody else may use it meanwhile.
        host: the address to bind to; by default only programs of this machine reach it.
        port: 0 takes one that is free.
        token: the secret that clients show; None makes one.
        say: is given, line by line, what the experimenter should read: the live page's address with the token, first.
        stop: asked about ten times a second whether to end; called in the server's thread.

    Raises:
        MissingExtraError: the extra ``web`` is not installed.
        ParameterError: a port out of range, or a token that is short.
        StorageError: the address cannot be bound to, as when another program has the port.
    """
    try:
        from phosphene.web.session_app import run, session_app
    except ModuleNotFoundError as error:
        if error.name not in ("starlette", "uvicorn"):
            raise
        raise MissingExtraError("serving a session", "web") from None
    access = Access.at(host, token)
    with _bound(host, port) as bound, _signals_noted() as noted:
        for line in _greeting(host, bound.getsockname()[1], access.token):
            say(line)
        desk = Desk(session)
        try:
            asyncio.run(run(session_app(desk, access), bound, lambda: noted.is_set() or (stop is not None and stop())))
        finally:
            desk.close()
    say("The server has ended; the session holds every trial that was told.")


def _greeting(host: str, port: int, token: str) -> Iterator[str]:
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)
    address = f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"
    # A browser keeps what follows # to itself, so that the token stands in no request's address.
    yield f"Live page: {address}/#token={token}"
    yield f"Clients: {address} with the header 'Authorization: Bearer {token}'"
    if not is_loopback(host):
        yield (
            f"Warning: {host} can be reached from other machines, and nothing is encrypted: who reads the traffic can "
            "read the token, and tell responses. Prefer 127.0.0.1 and an SSH tunnel."
        )


@contextlib.contextmanager
def _bound(host: str, port: int) -> Generator[socket.socket]:
    check(0 <= port < 2**16, "port", port, "a whole number from 0 to 65535")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ParameterError(f"host is {host!r}: {error}; expected an address of this machine") from error
    with bound:
        try:
            # As servers do, so that a port is free again at once after a server has ended; on Windows it would let
            # two servers share a port.
            if os.name == "posix":
                bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
            bound.listen(_BACKLOG)  # before the address is said, so that nobody who reads it is turned away
        except OSError as error:
            raise StorageError(f"cannot serve at {host}:{port}: {error}; choose another port, or 0 for any") from error
        yield bound


@contextlib.contextmanager
def _signals_noted() -> Generator[threading.Event]:
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
