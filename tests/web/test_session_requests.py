"""Whatever is sent to the server: a clear sentence comes back, nothing counts, and the next request is served."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from session_rig import SHOWN, WAIT_S, Served, make_session, served

from phosphene.web import session_app

JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(make_session(tmp_path_factory.mktemp("requests") / "session")) as rig:
        with rig.client() as client:
            client.get("/ask").raise_for_status()
        yield rig
        with rig.client() as client:
            status = client.get("/status").raise_for_status().json()
        assert (status["n_trials"], status["generation"], status["n_waiting"]) == (0, 0, SHOWN)


@pytest.fixture
def client(shared: Served) -> Iterator[httpx.Client]:
    with shared.client() as it:
        yield it


def refused(answer: httpx.Response, status: int, words: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    document = answer.json()
    assert list(document) == ["error"]
    assert words in document["error"]
    assert len(document["error"]) < 1000


BODIES: dict[str, tuple[bytes, int, str]] = {
    "nothing": (b"", 400, "not JSON"),
    "garbage": (b"\x00\xff garbage", 400, "not JSON"),
    "half": (b'{"trials": [', 400, "not JSON"),
    "other encoding": ('{"scores": {"a": 1}}'.encode("utf-16-le") + b"\xff", 400, "not JSON"),
    "NaN": (b'{"scores": {"a_g0000c000": NaN}}', 400, "NaN is no JSON; send null"),
    "Infinity": (b'{"trials": [{"id": "a_g0000c000", "response": -Infinity}]}', 400, "-Infinity is no JSON"),
    "deep": (b"[" * 500_000, 400, "nested too deeply"),
    "deep object": (b'{"scores":' * 100_000, 400, "nested too deeply"),
    "deep and whole": (b'{"trials": ' + b"[" * 900 + b"]" * 900 + b"}", 422, "trials[0] is a list"),
    "many digits": (b'{"scores": {"a_g0000c000": ' + b"1" * 5000 + b"}}", 400, "not JSON"),
    "twice": (b'{"scores": {"a_g0000c000": 1, "a_g0000c000": 2}}', 400, "comes twice"),
    "a list": (b"[]", 422, "the body is a list"),
    "null": (b"null", 422, "the body is null"),
    "a number": (b"12", 422, "the body is a number"),
    "no known key": (b'{"trails": []}', 422, "trails"),
    "both forms": (b'{"trials": [], "scores": {}}', 422, "expected"),
    "trials no list": (b'{"trials": {"id": 1}}', 422, "trials is an object"),
    "scores no object": (b'{"scores": [1]}', 422, "scores is a list"),
    "row no object": (b'{"trials": [3]}', 422, "trials[0] is a number"),
    "row without id": (b'{"trials": [{"response": 1}]}', 422, "trials[0] has no id"),
    "row without response": (b'{"trials": [{"id": "a_g0000c000"}]}', 422, "trials[0] has no response"),
    "unknown key": (b'{"trials": [{"id": "a", "response": 1, "trail": 1}]}', 422, "did you mean trial?"),
    "id no text": (b'{"trials": [{"id": 7, "response": 1}]}', 422, "trials[0].id is a number"),
    "response a text": (b'{"trials": [{"id": "a_g0000c000", "response": "1"}]}', 422, "is a text"),
    "response true": (b'{"scores": {"a_g0000c000": true}}', 422, "true or false"),
    "nested response": (b'{"trials": [{"id": "a_g0000c000", "response": [[1]]}]}', 422, "is a list"),
    "empty response": (b'{"trials": [{"id": "a_g0000c000", "response": []}]}', 422, "channels"),
    "too large for a double": (b'{"scores": {"a_g0000c000": 1e999}}', 422, "too large for a double"),
    "whole, too large": (b'{"scores": {"a_g0000c000": ' + b"9" * 400 + b"}}", 422, "too large for a double"),
    "trial 0": (b'{"trials": [{"id": "a_g0000c000", "response": 1, "trial": 0}]}', 422, "a whole number from 1"),
    "trial 1.5": (b'{"trials": [{"id": "a_g0000c000", "response": 1, "trial": 1.5}]}', 422, "whole number"),
    "trial true": (b'{"trials": [{"id": "a_g0000c000", "response": 1, "trial": true}]}', 422, "whole number"),
    "trial null": (b'{"trials": [{"id": "a_g0000c000", "response": 1, "trial": null}]}', 422, "is not said"),
    "trial huge": (b'{"trials": [{"id": "a_g0000c000", "response": 1, "trial": 1e30}]}', 422, "whole number"),
    "unknown id": (b'{"scores": {"a_g0009c000": 1}}', 422, "shown in this session"),
    "a path as id": (b'{"scores": {"../../etc/passwd": 1}}', 422, "shown in this session"),
    "huge id": (b'{"scores": {"' + b"a" * 100_000 + b'": 1}}', 422, "an id of 100000 characters"),
    "half a surrogate": (b'{"scores": {"\\ud800": 1}}', 422, "shown in this session"),
    "one good, one unknown": (b'{"scores": {"a_g0000c000": 1, "nobody": 1}}', 422, "nobody"),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_is_no_telling_is_refused_whole(client: httpx.Client, name: str) -> None:
    body, status, words = BODIES[name]
    refused(client.post("/tell", content=body, headers=JSON), status, words)
    assert client.get("/status").json()["n_trials"] == 0


def test_the_last_error_is_in_the_status_until_something_good_is_told(client: httpx.Client) -> None:
    refused(client.post("/tell", json={"scores": {"nobody": 1}}), 422, "nobody")
    assert "nobody" in client.get("/status").json()["last_error"]
    assert client.post("/tell", json={"scores": {}}).json()["n_new"] == 0
    assert client.get("/status").json()["last_error"] == ""


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", "application/jsonp"],
)
def test_a_type_that_a_form_could_send_is_refused(client: httpx.Client, kind: str) -> None:
    body = b'{"scores": {"a_g0000c000": 1}}'
    refused(client.post("/tell", content=body, headers={"content-type": kind}), 415, "Content-Type: application/json")
    refused(client.post("/advance", content=b"{}", headers={"content-type": kind}), 415, "application/json")


def test_compressed_bodies_are_refused(client: httpx.Client) -> None:
    refused(client.post("/tell", content=b"x", headers=JSON | {"content-encoding": "gzip"}), 415, "not compressed")


def test_a_body_as_long_as_allowed_is_read(client: httpx.Client) -> None:
    body = b'{"scores": {}}'
    body += b" " * (session_app.MAX_BODY - len(body))
    assert client.post("/tell", content=body, headers=JSON).json()["n_new"] == 0
    refused(client.post("/tell", content=body + b" ", headers=JSON), 413, "more than 8388608 bytes")


def test_bodies_without_a_length_are_counted_as_they_come(client: httpx.Client) -> None:
    def chunks(n: int) -> Iterator[bytes]:
        for _ in range(n):
            yield b" " * (1 << 20)

    refused(client.post("/tell", content=chunks(9), headers=JSON), 413, "tell fewer trials")
    assert client.post("/tell", content=iter([b'{"scores"', b": {}}"]), headers=JSON).status_code == 200


def raw(shared: Served, request: bytes, *, gone: bool = False) -> bytes:
    """What comes back on a connection of its own, until the server closes it; ``gone`` sends an end, too."""
    host, _, port = shared.host.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=WAIT_S) as connection:
        connection.sendall(request)
        if gone:
            connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def head(shared: Served, *lines: str, path: str = "/tell", method: str = "POST") -> bytes:
    common = (f"Host: {shared.host}", f"Authorization: Bearer {shared.token}", "Content-Type: application/json")
    return "\r\n".join([f"{method} {path} HTTP/1.1", *common, *lines, "", ""]).encode()


def test_a_length_that_is_not_true_is_not_believed(shared: Served) -> None:
    # Shorter than said, and gone: there is nobody to answer, and nothing counts.
    raw(shared, head(shared, "Content-Length: 1000") + b'{"scores": {"a_g0000c000": 1}}', gone=True)
    assert raw(shared, head(shared, "Content-Length: -5")).startswith(b"HTTP/1.1 400")
    answer = raw(shared, head(shared, f"Content-Length: {10**18}"), gone=True)
    assert not answer.startswith(b"HTTP/1.1 2")


@pytest.mark.parametrize(
    "request_line",
    [
        "GET /stimulus/../session.json",
        "GET /stimulus/..%2f..%2fsession.json",
        "GET /stimulus/..%2fsession.png",
        "GET /stimulus/%2e%2e%2fsession.json.png",
        "GET /stimulus//etc/passwd.png",
        "GET /stimulus/a_g0000c000%00.png",
        "GET /stimulus/a_g0000c000.png/",
        "GET /../../etc/passwd",
        "GET /session_page.js",
        "GET //evil.example/ask",
        "GET /stimulus/" + "a" * 10_000 + ".png",
    ],
)
def test_no_path_leads_to_a_file(shared: Served, request_line: str) -> None:
    method, path = request_line.split(" ")
    answer = raw(shared, head(shared, "Connection: close", path=path, method=method))
    assert answer.startswith(b"HTTP/1.1 404"), answer[:200]
    assert b'{"error": "there is no' in answer


@pytest.mark.parametrize(
    "garbage", [b"\r\n\r\n", b"GARBAGE\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00"]
)
def test_what_is_no_http_closes_only_its_own_connection(shared: Served, client: httpx.Client, garbage: bytes) -> None:
    raw(shared, garbage, gone=True)
    assert client.get("/status").status_code == 200


def test_headers_without_end_are_cut_off(shared: Served, client: httpx.Client) -> None:
    # The server may close while the rest is still on its way; then its answer is lost, too.
    with contextlib.suppress(ConnectionError):
        assert raw(shared, head(shared, "X: " + "x" * 200_000)).startswith(b"HTTP/1.1 4")
    assert client.get("/status").status_code == 200


@pytest.mark.parametrize("path", ["/", "/ask", "/status", "/history.json", "/recommended.png"])
def test_head_answers_as_get_without_a_body(client: httpx.Client, path: str) -> None:
    answer = client.head(path)
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) > 0


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("OPTIONS", "/tell", "POST"),
        ("OPTIONS", "/ask", "GET"),
        ("GET", "/tell", "POST"),
        ("GET", "/advance", "POST"),
        ("POST", "/ask", "GET"),
        ("PUT", "/tell", "POST"),
        ("DELETE", "/status", "GET"),
        ("TRACE", "/", "GET"),
        ("POST", "/", "GET"),
        ("BREW", "/status", "GET"),
    ],
)
def test_other_methods_are_refused_with_those_that_go(
    client: httpx.Client, method: str, path: str, allowed: str
) -> None:
    answer = client.request(method, path)
    refused(answer, 405, "does not go with")
    assert allowed in answer.headers["allow"]
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("path", ["/nothing", "/stimulus/", "/stimulus/a.jpg", "/ask/", "/favicon.ico"])
def test_other_paths_are_refused(client: httpx.Client, path: str) -> None:
    refused(client.get(path), 404, "there is nothing at")


def test_unknown_formats_are_refused(client: httpx.Client) -> None:
    refused(client.get("/ask?format=pickle"), 422, "expected json or npz")


def test_every_answer_keeps_browsers_strict(client: httpx.Client) -> None:
    for path in ("/", "/ask", "/nothing", "/stimulus/a_g0000c000.png"):
        headers = client.get(path).headers
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "server" not in headers


def test_a_websocket_is_no_way_in(shared: Served) -> None:
    lines = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: eA==")
    request = head(shared, *lines, path="/tell", method="GET").replace(b"Authorization", b"X")
    assert raw(shared, request, gone=True).startswith(b"HTTP/1.1 401")


def test_a_body_that_does_not_arrive_is_not_waited_for(shared: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_app, "BODY_S", 0.2)
    host, _, port = shared.host.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=WAIT_S) as connection:
        connection.sendall(head(shared, "Content-Length: 100") + b"{")
        answer = b""
        while not answer.endswith(b"}"):
            answer += connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"did not arrive" in answer


def test_many_slow_clients_do_not_keep_another_one_waiting(shared: Served, client: httpx.Client) -> None:
    host, _, port = shared.host.rpartition(":")

    async def crowd() -> Any:
        waiting = [await asyncio.open_connection(host, int(port)) for _ in range(60)]
        for _, writer in waiting:
            writer.write(head(shared, "Content-Length: 100") + b"{")
            await writer.drain()
        answer = await asyncio.to_thread(client.get, "/status")
        for _, writer in waiting:
            writer.close()
        return answer

    assert asyncio.run(crowd()).status_code == 200


def test_answers_are_plain_ascii_json(client: httpx.Client) -> None:
    for path in ("/ask", "/status", "/history.json"):
        text = client.get(path).content.decode("ascii")
        json.loads(text, parse_constant=pytest.fail)
