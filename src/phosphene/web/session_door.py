"""The door of a session's server: who is let in, and what every answer says to browsers."""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from phosphene.web.session_access import Access
from phosphene.web.session_messages import to_json
from phosphene.web.session_refusal import RefusalError

_HEADERS = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "x-frame-options": "DENY",
}


class Door:
    """Lets in who shows what `Access` asks for, and adds headers that keep browsers strict to every answer."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_strictly(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        public = scope["path"] == "/" and scope["method"] in ("GET", "HEAD")
        refusal = self._refusal(scope, public)
        if refusal is None:
            await self._app(scope, receive, send_strictly)
        else:
            extra = {"www-authenticate": 'Bearer realm="phosphene"'} if refusal.status == 401 else {}
            await error_response(refusal.status, str(refusal), extra)(scope, receive, send_strictly)

    def _refusal(self, scope: Scope, public: bool) -> RefusalError | None:
        try:
            return self._access.refusal(Headers(scope=scope), public=public)
        except Exception:  # before the token nobody is let in by a mistake, nor fills the terminal with it
            return RefusalError(400, "the request's headers cannot be read")


def error_response(status: int, sentence: str, headers: dict[str, str] | None = None) -> Response:
    """The answer to a request that is refused."""
    return Response(to_json({"error": sentence}), status, headers, "application/json")
