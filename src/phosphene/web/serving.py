"""Running an ASGI application on a socket, on uvicorn."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import Callable
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from phosphene.web.listening import BACKLOG

MOST = 128  # connections; a browser opens six
HEAD_S = 10  # in which a request's head has to arrive
REQUEST_S = 60  # in which its body has to; applications may refuse earlier
_PATIENCE_S = 10  # for requests that are being answered when the server is told to end
_TICK_S = 0.1
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_LOG = logging.getLogger(__name__)
_REQUESTS_LOG = _LOG.getChild("requests")
# Of malformed requests there would be lines and tracebacks, with which anybody could fill the terminal; applications
# log their own failures.
_REQUESTS_LOG.setLevel(logging.CRITICAL)


async def run(app: ASGIApp, listening: socket.socket, stop: Callable[[], bool]) -> None:
    """Serve ``app`` on a socket that listens, until ``stop`` says so or a signal comes.

    There are at most :data:`MOST` connections; another one takes the place of who has let the server wait longest. A
    connection whose request is late (:data:`HEAD_S`, :data:`REQUEST_S`) is closed.
    """
    config = uvicorn.Config(
        app,
        http=_Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,  # it would hold every client's requests, and is of no use to who serves
        proxy_headers=False,  # nobody may say that a request came from elsewhere than it did
        server_header=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=_PATIENCE_S,
    )
    server = uvicorn.Server(config)
    asyncio.get_running_loop().set_exception_handler(_Failures())
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    while not serving.done():
        await asyncio.wait([serving], timeout=_TICK_S)
        server.should_exit = server.should_exit or stop()
    await serving


class _Connection(H11Protocol):
    """A connection that waits for requests so long and no longer, and ends where another one needs its place."""

    _timer: asyncio.TimerHandle | None = None
    _awaited: tuple[object, object] | None = None  # which part of which request
    _since_s = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        self.logger = _REQUESTS_LOG
        super().connection_made(transport)
        self._watch()
        if len(self.connections) > MOST:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def _watch(self) -> None:
        """See to it that a timer runs while a part of a request is awaited, from when it was awaited first."""
        awaited = (self.conn.their_state, self.cycle)
        if awaited == self._awaited:
            return
        self._forget()
        self._awaited, self._since_s = awaited, self.loop.time()
        limits_s: dict[object, float] = {h11.IDLE: HEAD_S, h11.SEND_BODY: REQUEST_S}
        limit_s = limits_s.get(self.conn.their_state)
        if limit_s is not None and not self.transport.is_closing():
            # What was answered before, and is still on its way to a slow reader, arrives.
            self._timer = self.loop.call_later(limit_s, self.transport.close)

    def _forget(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _make_room(self) -> None:
        """End the connection that has let the server wait longest; where all others are being answered, this one."""
        waiting = [one for one in self.connections if isinstance(one, _Connection) and not one._is_being_answered()]
        oldest = min(waiting, key=lambda one: one._since_s)
        self.connections.discard(oldest)  # it ends a moment later, and counts no longer
        oldest.transport.abort()

    def _is_being_answered(self) -> bool:
        return self.conn.our_state in (h11.SEND_RESPONSE, h11.SEND_BODY) and self.conn.their_state is not h11.SEND_BODY


class _Failures:
    """What becomes of failures outside of requests: that no connection can be taken is said once."""

    def __init__(self) -> None:
        self._is_said = False

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if not (isinstance(error, OSError) and error.errno in _EXHAUSTED):
            loop.default_exception_handler(context)
        elif not self._is_said:
            self._is_said = True
            _LOG.error("no more connections can be taken for now: %s", error)
