"""The HTTP side of an atlas's server, on starlette: what is served where."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from phosphene.errors import PhospheneError, StorageError
from phosphene.web.atlas_desk import Desk
from phosphene.web.atlas_door import AtlasDoor, error_response
from phosphene.web.atlas_looking import ImageSearch
from phosphene.web.atlas_site import Site
from phosphene.web.session_access import Access
from phosphene.web.session_refusal import RefusalError

Answer = Callable[[Request], Awaitable[Response]]

_LOG = logging.getLogger(__name__)


def atlas_app(site: Site, access: Access, *, image_search: ImageSearch | None = None) -> Starlette:
    """The application that serves ``site``.

    Args:
        site: what is served.
        access: by which names requests may call the server.
        image_search: looks for the units that a picture drives; None for a server that does not.
    """
    desk = Desk(site, image_search)
    routes = [
        _route("/", lambda request: desk.file(request, "index.html")),
        _route("/openapi.json", desk.openapi),
        _route("/api/units", desk.units),
        _route("/api/unit/{layer:path}/{unit}", desk.unit),
        _route("/api/search", desk.search),
        _route("/api/search/image", desk.search_image, "POST"),
        _route("/pictures/{name}", desk.picture),
        _route("/{path:path}", lambda request: desk.file(request, request.path_params["path"])),
    ]
    app = Starlette(
        routes=routes,
        middleware=[Middleware(AtlasDoor, access=access)],
        exception_handlers={HTTPException: _http_error},  # pyright: ignore[reportArgumentType]
    )
    app.router.redirect_slashes = False  # an address is right or wrong
    return app


def _route(path: str, answer: Answer, method: str = "GET") -> Route:
    async def guarded(request: Request) -> Response:
        try:
            return await answer(request)
        except PhospheneError as error:
            return error_response(_status(error), str(error))
        except Exception as error:
            _LOG.exception("%s %s failed", request.method, request.url.path)
            return error_response(500, f"the server failed with {type(error).__name__}")

    return Route(path, guarded, methods=[method])


def _status(error: PhospheneError) -> int:
    if isinstance(error, RefusalError):
        return error.status
    return 503 if isinstance(error, StorageError) else 422


async def _http_error(request: Request, error: HTTPException) -> Response:
    headers = dict(error.headers or {})
    if "Allow" in headers:
        headers["Allow"] = ", ".join(sorted(headers["Allow"].split(", ")))  # a set's order is none
    sentences = {405: f"{request.method} does not go with this address; expected {headers.get('Allow', 'GET')}"}
    return error_response(error.status_code, sentences.get(error.status_code, error.detail), headers)
