"""A session over HTTP: stimuli are asked for, responses told, and a live page shows how it stands."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

from phosphene.errors import MissingExtraError
from phosphene.sessions import Session
from phosphene.web.listening import address_of, bound, signals_noted
from phosphene.web.session_access import Access, is_loopback
from phosphene.web.session_desk import Desk


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
        from phosphene.web.serving import run
        from phosphene.web.session_app import session_app
    except ModuleNotFoundError as error:
        if error.name not in ("starlette", "uvicorn"):
            raise
        raise MissingExtraError("serving a session", "web") from None
    access = Access.at(host, token)
    with bound(host, port) as listening, signals_noted() as noted:
        for line in _greeting(host, listening.getsockname()[1], access.token):
            say(line)
        desk = Desk(session)
        try:
            asyncio.run(
                run(session_app(desk, access), listening, lambda: noted.is_set() or (stop is not None and stop()))
            )
        finally:
            desk.close()
    say("The server has ended; the session holds every trial that was told.")


def _greeting(host: str, port: int, token: str) -> Iterator[str]:
    address = address_of(host, port)
    # A browser keeps what follows # to itself, so that the token stands in no request's address.
    yield f"Live page: {address}/#token={token}"
    yield f"Clients: {address} with the header 'Authorization: Bearer {token}'"
    if not is_loopback(host):
        yield (
            f"Warning: {host} can be reached from other machines, and nothing is encrypted: who reads the traffic can "
            "read the token, and tell responses. Prefer 127.0.0.1 and an SSH tunnel."
        )
