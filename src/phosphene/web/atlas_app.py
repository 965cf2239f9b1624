"""The HTTP side of an atlas's server, on starlette: what is served where."""

from __future__ import annotations

import logging

from starlette.applications import Starlette
from starlette.middleware import Middleware

from phosphene.web.atlas_desk import Desk
from phosphene.web.atlas_door import AtlasDoor, error_response
from phosphene.web.atlas_looking import ImageSearch
from phosphene.web.atlas_site import Site
from phosphene.web.guarding import Guard
from phosphene.web.session_access import Access

_GUARD = Guard(error_response, logging.getLogger(__name__), storage_status=503, hint="the atlas begins at /")


def atlas_app(site: Site, access: Access, *, image_search: ImageSearch | None = None) -> Starlette:
    """The application that serves ``site``.

    Args:
        site: what is served.
        access: by which names requests may call the server.
        image_search: looks for the units that a picture drives; None for a server that does not.
    """
    desk = Desk(site, image_search)
    routes = [
        _GUARD.route("/", lambda request: desk.file(request, "index.html")),
        _GUARD.route("/openapi.json", desk.openapi),
        _GUARD.route("/api/units", desk.units),
        _GUARD.route("/api/unit/{layer:path}/{unit}", desk.unit),
        _GUARD.route("/api/search", desk.search),
        _GUARD.route("/api/search/image", desk.search_image, "POST"),
        _GUARD.route("/pictures/{name}", desk.picture),
        _GUARD.route("/{path:path}", lambda request: desk.file(request, request.path_params["path"])),
    ]
    return _GUARD.app(routes, Middleware(AtlasDoor, access=access))
