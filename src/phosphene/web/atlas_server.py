"""An atlas over HTTP: the same pages as in an export, and what programs may ask."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

from phosphene.errors import MissingExtraError, StorageError
from phosphene.web.atlas_looking import ImageSearch
from phosphene.web.atlas_site import Site
from phosphene.web.atlas_summary import summary
from phosphene.web.listening import address_of, bound, signals_noted
from phosphene.web.session_access import Access, is_loopback

if TYPE_CHECKING:
    from phosphene.models.network import Network

_PATIENCE_S = 2  # for what is being read ahead when the server ends; it harms nobody where it stops


def serve(
    site: Site,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    network: Network | None = None,
    say: Callable[[str], object],
    stop: Callable[[], bool] | None = None,
) -> None:
    """Serve a site until SIGINT or SIGTERM, or until ``stop`` says so. Nothing of the atlas is changed.

    Args:
        site: what is served.
        host: the address to bind to; by default only programs of this machine reach it.
        port: 0 takes one that is free.
        network: the one that the atlas is of, so that pictures can be looked for.
        say: is given, line by line, what people should read: the address first.
        stop: asked about ten times a second whether to end; called in the server's thread.

    Raises:
        MissingExtraError: the extra ``atlas`` is not installed.
        NetworkError: the network is another than the atlas's.
        ParameterError: a port out of range, or a host that is none of this machine's.
        StorageError: the address cannot be bound to, as when another program has the port; or the atlas cannot be read.
    """
    try:
        from phosphene.web.atlas_app import atlas_app
        from phosphene.web.serving import run
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("starlette", "uvicorn", "anyio"):
            raise
        raise MissingExtraError("serving an atlas", "atlas") from None
    search = None if network is None else ImageSearch.of(network, site.view.manifest.network)
    site = site.served(image_search=search is not None)
    site.read("data/atlas.js")  # what cannot be read is said before the address is
    with bound(host, port) as listening, signals_noted() as noted:
        say(f"Atlas: {address_of(host, listening.getsockname()[1])}/")
        if not is_loopback(host):
            say(f"{host} can be reached from other machines: whoever reaches it can read the whole atlas.")
        app = atlas_app(site, Access.at(host), image_search=search)
        with _reading_ahead(site):
            asyncio.run(run(app, listening, lambda: noted.is_set() or (stop is not None and stop())))
    say("The server has ended.")


@contextlib.contextmanager
def _reading_ahead(site: Site) -> Generator[None]:
    """While the block lasts, the numbers of whole layers are read, so that who asks for them first need not wait: in a
    layer of 60,000 units that takes seconds.
    """
    enough = threading.Event()

    def read() -> None:
        with contextlib.suppress(StorageError):  # whoever asks is told
            for slug in site.view.layers:
                if enough.is_set():
                    return
                summary(site.view, slug)

    thread = threading.Thread(target=read, name="reading ahead", daemon=True)
    thread.start()
    try:
        yield
    finally:
        enough.set()
        thread.join(_PATIENCE_S)
