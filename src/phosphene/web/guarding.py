"""Applications of which every failure is an answer in one sentence, on starlette."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from phosphene.errors import PhospheneError, StorageError
from phosphene.web.session_refusal import RefusalError

Answer = Callable[[Request], Awaitable[Response]]


class Respond(Protocol):
    """Makes the answer to a request that is refused."""

    def __call__(self, status: int, sentence: str, headers: dict[str, str] | None = None) -> Response:
        """The answer."""
        ...


@dataclass(frozen=True)
class Guard:
    """How an application answers where something is wrong.

    Attributes:
        respond: makes the answer.
        log: is told of failures that nobody foresaw.
        storage_status: where what is stored cannot be read or written.
        hint: where to look instead of an address at which there is nothing.
        comfort: what stands behind the sentence on such a failure.
    """

    respond: Respond
    log: logging.Logger
    storage_status: int
    hint: str
    comfort: str = ""

    def app(self, routes: Sequence[Route], door: Middleware) -> Starlette:
        """The application of these routes (:meth:`route`), behind ``door``."""
        app = Starlette(
            routes=routes,
            middleware=[door],
            exception_handlers={HTTPException: self._http_error},  # pyright: ignore[reportArgumentType]
        )
        app.router.redirect_slashes = False  # an address is right or wrong
        return app

    def route(self, path: str, answer: Answer, method: str = "GET") -> Route:
        """A route; what ``answer`` raises becomes an answer too."""

        async def guarded(request: Request) -> Response:
            try:
                return await answer(request)
            except PhospheneError as error:
                return self.respond(self._status(error), str(error))
            except Exception as error:
                self.log.exception("%s %s failed", request.method, request.url.path)
                return self.respond(500, f"the server failed with {type(error).__name__}{self.comfort}")

        return Route(path, guarded, methods=[method])

    def _status(self, error: PhospheneError) -> int:
        if isinstance(error, RefusalError):
            return error.status
        return self.storage_status if isinstance(error, StorageError) else 422

    async def _http_error(self, request: Request, error: HTTPException) -> Response:
        headers, path = dict(error.headers or {}), request.url.path[:120]
        if "Allow" in headers:
            headers["Allow"] = ", ".join(sorted(headers["Allow"].split(", ")))  # a set's order is none
        sentences = {
            404: f"there is nothing at {path!r}; {self.hint}",
            405: f"{request.method} does not go with {path!r}; expected {headers.get('Allow', 'GET')}",
        }
        return self.respond(error.status_code, sentences.get(error.status_code, error.detail), headers)
