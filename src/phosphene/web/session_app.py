"""The HTTP side of a session's server, on starlette: what is served where, and how much is read."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from phosphene.web.guarding import Guard
from phosphene.web.session_access import Access
from phosphene.web.session_desk import Desk
from phosphene.web.session_door import Door, error_response
from phosphene.web.session_messages import to_json
from phosphene.web.session_page import session_page
from phosphene.web.session_refusal import RefusalError

#: Bytes of a request's body; a generation of 1,000 stimuli with 400 channels takes about 8 MB.
MAX_BODY = 8 << 20
BODY_S = 30  # in which a body has to arrive
_GUARD = Guard(
    error_response,
    logging.getLogger(__name__),
    storage_status=500,
    hint="see GET /ask and GET /status",
    comfort="; what was told before is safe",
)


def session_app(desk: Desk, access: Access) -> Starlette:
    """The application that serves the session of ``desk`` to whom ``access`` lets in."""
    routes = [
        Route("/", _page, methods=["GET"]),
        _GUARD.route("/ask", lambda request: _ask(desk, request)),
        _GUARD.route("/stimulus/{name}.png", lambda request: _png(desk.stimulus, request.path_params["name"])),
        _GUARD.route("/status", lambda request: _json(desk.status)),
        _GUARD.route("/history.json", lambda request: _json(desk.history)),
        _GUARD.route("/best.png", lambda request: _png(desk.best, request.query_params.get("thread"))),
        _GUARD.route("/recommended.png", lambda request: _png(desk.recommended, request.query_params.get("thread"))),
        _GUARD.route("/tell", lambda request: _tell(desk, request), "POST"),
        _GUARD.route("/advance", lambda request: _advance(desk, request), "POST"),
    ]
    return _GUARD.app(routes, Middleware(Door, access=access))


async def _page(request: Request) -> Response:
    page = session_page()
    headers = {"content-security-policy": page.policy}
    return Response(page.html, headers=headers, media_type="text/html")


async def _json(give: Callable[[], Any]) -> Response:
    return Response(await run_in_threadpool(lambda: to_json(give())), media_type="application/json")


async def _png(give: Callable[[Any], bytes], name: str | None) -> Response:
    return Response(await run_in_threadpool(give, name), media_type="image/png")


async def _ask(desk: Desk, request: Request) -> Response:
    form = request.query_params.get("format", "json")
    if form == "json":
        return await _json(desk.ask)
    if form != "npz":
        raise RefusalError(422, f"format is {form[:40]!r}; expected json or npz")
    return Response(await run_in_threadpool(desk.ask_arrays), media_type="application/octet-stream")


async def _tell(desk: Desk, request: Request) -> Response:
    body = await _body(request)
    return await _json(lambda: desk.tell(body))


async def _advance(desk: Desk, request: Request) -> Response:
    if await _body(request) not in (b"", b"{}"):
        raise RefusalError(422, "advance takes nothing; expected the body {}")
    return await _json(desk.advance)


async def _body(request: Request) -> bytes:
    """The body, of a type that no form of another web page can send, and no longer than is allowed."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" or request.headers.get("content-encoding", "identity") != "identity":
        raise RefusalError(
            415, "expected the header 'Content-Type: application/json', and a body that is not compressed"
        )
    try:
        async with asyncio.timeout(BODY_S):
            return await _counted(request)
    except TimeoutError:
        raise RefusalError(408, f"the body did not arrive within {BODY_S} seconds; nothing was counted") from None
    except ClientDisconnect:
        raise RefusalError(400, "the client went away") from None


async def _counted(request: Request) -> bytes:
    # Counted as it comes: what a client says of its length need not be true.
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size <= MAX_BODY:
            parts.append(part)
        elif size > 4 * MAX_BODY:
            break
    # A body that is too long is read on for a while: who is still sending would not read the answer.
    if size > MAX_BODY:
        raise RefusalError(413, f"the body has more than {MAX_BODY} bytes; tell fewer trials at once")
    return b"".join(parts)
