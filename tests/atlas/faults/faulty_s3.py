"""An S3 store on this machine (moto's server), behind a proxy that throttles, fails, and breaks off reads and writes."""

from __future__ import annotations

import contextlib
import http.client
import logging
import random
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
BROKEN = b"<Error><Code>InternalError</Code><Message>We encountered an internal error.</Message></Error>"
#: "half": the request never arrives as a whole; "unheard": it does, and its answer is lost; "cut": half the answer comes.
FAULTS = ("slow down", "broken", "half", "unheard", "cut")
BUCKET = "atlases"


class Faults:
    """Which requests fail, and how: a share of all, by a seeded draw; those named in ``only`` alone."""

    def __init__(self, share: float, seed: int, only: tuple[str, ...] = FAULTS) -> None:
        self.share, self.only = share, only
        self.met, self.asked = Counter[str](), Counter[str]()
        self._chance, self._lock = random.Random(seed), threading.Lock()

    def draw(self, method: str) -> str:
        with self._lock:
            self.asked[method] += 1
            kind = self._chance.choice(self.only) if self._chance.random() < self.share else ""
            self.met[kind or "none"] += 1
        return kind


class Proxy(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    faults: Faults
    store_port: int

    def handle_one_request(self) -> None:
        with contextlib.suppress(ConnectionError):
            super().handle_one_request()

    def do_GET(self) -> None:
        fault, length = self.faults.draw(self.command), int(self.headers.get("Content-Length", 0))
        if fault == "half":
            self.rfile.read(length // 2)
            self._hang_up()
            return
        body = self.rfile.read(length)
        if fault in ("slow down", "broken"):
            self._answer(503 if fault == "slow down" else 500, {}, SLOW_DOWN if fault == "slow down" else BROKEN)
            return
        status, headers, answer = self._forwarded(body)
        if fault == "unheard":
            self._hang_up()
            return
        self._answer(status, headers, answer, cut=fault == "cut" and len(answer) > 1)

    do_PUT = do_POST = do_DELETE = do_HEAD = do_GET  # noqa: N815 - as above

    def _forwarded(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        store = http.client.HTTPConnection("127.0.0.1", self.store_port, timeout=30)
        try:
            headers = {name: value for name, value in self.headers.items() if name.lower() != "expect"}
            store.request(self.command, self.path, body, headers)
            answer = store.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            store.close()

    def _answer(self, status: int, headers: dict[str, str], body: bytes, *, cut: bool = False) -> None:
        kept = {name: value for name, value in headers.items() if name.lower() not in _HOP_BY_HOP}
        if self.command != "HEAD" or "Content-Length" not in kept:
            kept["Content-Length"] = str(len(body))
        self.send_response(status)
        for name, value in kept.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[: len(body) // 2] if cut else body)
        if cut:
            self._hang_up()

    def _hang_up(self) -> None:
        self.close_connection = True

    def log_message(self, *_: object) -> None: ...


_HOP_BY_HOP = {"connection", "transfer-encoding", "server", "date"}


@contextlib.contextmanager
def faulty_s3(faults: Faults) -> Iterator[int]:
    """The proxy's port, while the block lasts; the bucket ``atlases`` is there and empty."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line for each request
    store = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    store.start()
    store_port = store.get_host_and_port()[1]
    handler = type("Handler", (Proxy,), {"faults": faults, "store_port": store_port})
    proxy = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    proxy.daemon_threads = True
    thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        _request(store_port, "PUT", f"/{BUCKET}")
        yield proxy.server_address[1]
    finally:
        proxy.shutdown()
        thread.join(10)
        proxy.server_close()
        _request(store_port, "POST", "/moto-api/reset")
        store.stop()


def _request(port: int, method: str, path: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, headers={"Host": f"127.0.0.1:{port}"})
        assert connection.getresponse().status < 300
    finally:
        connection.close()
