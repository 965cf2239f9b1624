"""An end to a whole exchange with a server: a socket's own timeout begins anew with every byte that comes."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Generator, Mapping
from typing import Any

#: Events of httpcore's trace after which there is another socket: behind TLS the first one is no longer used.
_CONNECTED = ("connect_tcp.complete", "start_tls.complete")


class Deadline:
    """Cuts the connection of a client that asks one thing at a time.

    Attributes:
        over: whether the present exchange, or the last one, was cut off.
    """

    def __init__(self) -> None:
        self.over = False
        self._running = False
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """What a request is given as its extension "trace": remembers which socket is used, also by later requests."""
        if event.endswith(_CONNECTED):
            with self._lock:
                self._socket = info["return_value"].get_extra_info("socket")
                if self.over:
                    self._shut()

    @contextlib.contextmanager
    def within(self, seconds: float) -> Generator[None, None, None]:
        """While the block lasts, the connection is cut as soon as it has lasted so long."""
        self.over, self._running = False, True
        timer = threading.Timer(seconds, self._cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            with self._lock:
                self._running = False

    def _cut(self) -> None:
        with self._lock:
            # Of a block that ended meanwhile the connection is left to the next.
            if self._running:
                self.over = True
                self._shut()

    def _shut(self) -> None:
        if self._socket is not None:
            # A socket that is closed already needs no more; a TLS socket's own shutdown is not made for two threads.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
