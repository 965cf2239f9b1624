"""The door of an atlas's server: which requests come in, and what every answer says to browsers."""

from __future__ import annotations

import contextlib
from types import MappingProxyType

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from phosphene.web.atlas_scripts import to_json
from phosphene.web.session_access import Access
from phosphene.web.session_refusal import RefusalError

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = MappingProxyType(
    {
        "content-security-policy": _POLICY,
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cross-origin-resource-policy": "same-origin",
        "cross-origin-opener-policy": "same-origin",
        "x-frame-options": "DENY",
    }
)
_LONGEST_PATH = 2048  # letters; an image's name in a search is the longest that anybody needs
_LONGEST_QUERY = 4096


class AtlasDoor:
    """Lets in requests that name this server and do not come from a page of somebody else's, and adds headers that keep
    browsers strict to every answer.

    There is no token: an atlas is read only. A page elsewhere can neither read an answer (no CORS header is ever sent,
    and `Cross-Origin-Resource-Policy` keeps scripts and pictures from it) nor have a picture looked for.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_strictly(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            # Who has hung up, or spoke no HTTP to the end, is told nothing more; it is no failure of ours.
            with contextlib.suppress(Exception):
                await send(message)

        refusal = self._refusal(scope) if scope["type"] == "http" else None
        if refusal is None:
            await self._app(scope, receive, send_strictly)
        else:
            await error_response(refusal.status, str(refusal))(scope, receive, send_strictly)

    def _refusal(self, scope: Scope) -> RefusalError | None:
        if len(scope["path"]) > _LONGEST_PATH or len(scope["query_string"]) > _LONGEST_QUERY:
            return RefusalError(
                414, f"the address is too long; at most {_LONGEST_PATH} letters, {_LONGEST_QUERY} behind ?"
            )
        try:
            headers = Headers(scope=scope)
            return self._access.refusal(headers, public=True) or _from_elsewhere(scope["path"], headers)
        except Exception:  # nobody is let in by a mistake, nor fills the terminal with it
            return RefusalError(400, "the request's headers cannot be read")


def _from_elsewhere(path: str, headers: Headers) -> RefusalError | None:
    # A link on another page may open a page; what the pages consist of is for themselves only.
    site = headers.get("sec-fetch-site", "none")
    if site in ("none", "same-origin") or path == "/" or path.endswith(".html"):
        return None
    return RefusalError(
        403, "the request comes from a web page of another origin; open the address printed at the start"
    )


def error_response(status: int, sentence: str, headers: dict[str, str] | None = None) -> Response:
    """The answer to a request that is refused."""
    said = {"cache-control": "no-store"} | (headers or {})
    return Response(to_json({"error": sentence}), status, said, "application/json")
