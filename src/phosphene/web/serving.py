"""Running an ASGI application on a socket, on uvicorn."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp

_PATIENCE_S = 10  # for requests that are being answered when the server is told to end
_TICK_S = 0.1


async def run(app: ASGIApp, listening: socket.socket, stop: Callable[[], bool]) -> None:
    """Serve ``app`` on a socket that listens, until ``stop`` says so or a signal comes."""
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,  # it would hold every client's requests, and is of no use to who serves
        proxy_headers=False,  # nobody may say that a request came from elsewhere than it did
        server_header=False,
        timeout_graceful_shutdown=_PATIENCE_S,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    while not serving.done():
        await asyncio.wait([serving], timeout=_TICK_S)
        server.should_exit = server.should_exit or stop()
    await serving
