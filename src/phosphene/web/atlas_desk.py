"""What an atlas's server answers: files of the site, pictures, numbers, searches."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable
from functools import cached_property
from types import MappingProxyType
from typing import Any, TypeVar

import anyio
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from phosphene.errors import StorageError
from phosphene.web import atlas_api as api
from phosphene.web.atlas_looking import ImageSearch
from phosphene.web.atlas_openapi import openapi
from phosphene.web.atlas_scripts import to_json
from phosphene.web.atlas_site import Site
from phosphene.web.session_refusal import RefusalError

T = TypeVar("T")

MAX_BODY = 16 << 20  # bytes of a picture that is to be looked for
BODY_S = 30  # in which a body has to arrive
_REFRESH_S = 10  # after which the atlas is looked at again
_READERS = 3  # requests that are answered at once: each may hold some megabytes
_SEARCHERS = 1  # pictures that are looked for at once, beside those: a network may take seconds
_LOG = logging.getLogger(__name__)
_TYPES = MappingProxyType(
    {
        "html": "text/html",
        "js": "text/javascript",
        "css": "text/css",
        "json": "application/json",
        "webp": "image/webp",
        "png": "image/png",
    }
)


class Desk:
    """Answers requests, a few at a time, each in a thread of its own."""

    def __init__(self, site: Site, image_search: ImageSearch | None) -> None:
        self._site, self._image_search = site, image_search
        self._looked, self._looking = time.monotonic(), None

    async def file(self, request: Request, path: str) -> Response:
        """A file of the site."""
        try:
            content = await self._read(lambda: self._site.read(path))
        except KeyError:
            raise RefusalError(404, f"there is nothing at {request.url.path[:120]!r}; the atlas begins at /") from None
        return _file(request, content, path.rpartition(".")[2])

    async def picture(self, request: Request) -> Response:
        """A picture by its id, as it is kept or as PNG."""
        name, _, suffix = request.path_params["name"].rpartition(".")
        if suffix not in ("webp", "png"):
            raise RefusalError(404, "expected the id of a picture, and .webp or .png behind it")
        try:
            content = await self._read(lambda: self._site.picture(name, as_png=suffix == "png"))
        except KeyError:
            raise RefusalError(404, f"the atlas has no picture {name[:80]!r}") from None
        return _file(request, content, suffix)

    async def units(self, request: Request) -> Response:
        """A page of a layer's units."""
        return await self._json(lambda: api.units(self._site.view, request.query_params))

    async def unit(self, request: Request) -> Response:
        """A unit."""
        layer, unit = request.path_params["layer"], request.path_params["unit"]
        return await self._json(lambda: api.unit(self._site.view, layer, unit))

    async def search(self, request: Request) -> Response:
        """Units, layers and photographs that go with some words."""
        return await self._json(lambda: api.search(self._site.view, request.query_params))

    async def search_image(self, request: Request) -> Response:
        """The units that a picture drives."""
        look = self._image_search
        if look is None:
            raise RefusalError(
                404, "no network was given to this server; start it with one, and with photographs joined"
            )
        body = await _body(request)
        return await self._json(lambda: {"units": look.units(self._site.view, body)}, self._searchers)

    async def openapi(self, request: Request) -> Response:
        """What may be asked."""
        return Response(to_json(openapi(image_search=self._image_search is not None)), media_type="application/json")

    async def _json(self, give: Callable[[], Any], limiter: anyio.CapacityLimiter | None = None) -> Response:
        content = await self._read(lambda: to_json(give()), limiter)
        return Response(content, headers={"cache-control": "no-store"}, media_type="application/json")

    async def _read(self, give: Callable[[], T], limiter: anyio.CapacityLimiter | None = None) -> T:
        self._look_again()
        return await anyio.to_thread.run_sync(give, limiter=limiter or self._readers)

    # Made when they are asked for first: a limiter belongs to the event loop that runs then.
    @cached_property
    def _readers(self) -> anyio.CapacityLimiter:
        return anyio.CapacityLimiter(_READERS)

    @cached_property
    def _searchers(self) -> anyio.CapacityLimiter:
        return anyio.CapacityLimiter(_SEARCHERS)

    def _look_again(self) -> None:
        """The atlas may grow while it is read; nobody waits for the look."""
        if time.monotonic() - self._looked > _REFRESH_S and (self._looking is None or self._looking.done()):
            self._looked = time.monotonic()
            self._looking = asyncio.ensure_future(anyio.to_thread.run_sync(self._refresh))

    def _refresh(self) -> None:
        try:
            self._site.refresh()
        except StorageError as error:
            _LOG.warning("the atlas cannot be looked at again: %s", error)


def _file(request: Request, content: bytes, suffix: str) -> Response:
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {"etag": tag, "cache-control": "private, max-age=60" if suffix in ("webp", "png") else "no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type=_TYPES[suffix])


async def _body(request: Request) -> bytes:
    """The body, of a type that no form of another web page can send, and no longer than is allowed."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not (kind == "application/octet-stream" or kind.startswith("image/")):
        raise RefusalError(415, f"the body is {kind[:40]!r}; expected the bytes of a picture file, sent as image/…")
    try:
        async with asyncio.timeout(BODY_S):
            return await _counted(request)
    except TimeoutError:
        raise RefusalError(408, f"the body did not arrive within {BODY_S} seconds") from None
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
        elif size > 2 * MAX_BODY:  # it is read on for a while: who is still sending would not read the answer
            break
    if size > MAX_BODY:
        raise RefusalError(413, f"the picture has more than {MAX_BODY} bytes; send a smaller one")
    return b"".join(parts)
