"""The server of an atlas against hostile requests: no file but the site's, no 500, nothing for pages of others."""

from __future__ import annotations

import random
import socket
import string
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from atlas_fixtures import NASTY, NASTY_LAYER, Shape, made_up_manifest, make_atlas
from starlette.testclient import TestClient

from phosphene.web.atlas_app import atlas_app
from phosphene.web.atlas_server import serve
from phosphene.web.atlas_site import Site
from phosphene.web.session_access import Access

SECRET = "the-secret-beside-the-atlas"
WAIT_S = 30
PAGES = ("/", "/layer.html", "/data/atlas.js", "/api/search?q=cat", "/openapi.json", "/data/features.3/mosaic.webp")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An atlas with a secret beside it, and one inside that is no part of the site."""
    where = tmp_path_factory.mktemp("server")
    shapes = (Shape("features.3", 12), Shape(NASTY_LAYER, 3), Shape("classifier", 12, None, True))
    make_atlas(where / "atlas", made_up_manifest(shapes, diversity=0), side=8)
    (where / "secret.txt").write_text(SECRET)
    (where / "atlas" / "secret.txt").write_text(SECRET)
    (where / "atlas" / "activations" / "features.3").mkdir(parents=True)
    (where / "atlas" / "activations" / "features.3" / "notes.txt").write_text(SECRET)
    return where


@pytest.fixture(scope="module")
def site(place: Path) -> Site:
    from phosphene.store.atlas import open_atlas

    return Site(open_atlas(str(place / "atlas"))).served(image_search=False)


@pytest.fixture(scope="module")
def address(site: Site) -> Iterator[tuple[str, int]]:
    """A real server: what a client library would tidy up arrives as it was sent."""
    said, heard, ended = list[str](), threading.Event(), threading.Event()

    def say(line: str) -> None:
        said.append(line)
        heard.set()

    thread = threading.Thread(target=serve, args=(site,), kwargs={"port": 0, "say": say, "stop": ended.is_set})
    thread.start()
    try:
        assert heard.wait(WAIT_S)
        yield "127.0.0.1", int(said[0].rstrip("/").rpartition(":")[2])
    finally:
        ended.set()
        thread.join(WAIT_S)


@pytest.fixture(scope="module")
def client(site: Site) -> Iterator[TestClient]:
    with TestClient(atlas_app(site, Access.at("127.0.0.1")), base_url="http://127.0.0.1") as it:
        yield it


def raw(address: tuple[str, int], request: bytes, patience_s: float = WAIT_S) -> bytes:
    """All that the server answers to these bytes until it closes the connection, or for as long as one is patient."""
    answer = b""
    with socket.create_connection(address, timeout=patience_s) as connection:
        try:
            connection.sendall(request)
            while part := connection.recv(1 << 16):
                answer += part
        except (BrokenPipeError, ConnectionResetError, TimeoutError):
            pass
    return answer


def get(address: tuple[str, int], path: bytes) -> bytes:
    return raw(address, b"GET " + path + b" HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")


UP = ("..", "%2e%2e", "%252e%252e", "..%2f..", "..%5c..", "....", "%c0%ae%c0%ae", "..%00", ".%2e", "%uff0e%uff0e")


@pytest.mark.parametrize("up", UP)
@pytest.mark.parametrize(
    "start", ["", "data/", "data/features.3/", "page/", "pictures/", "activations/features.3/", "api/unit/"]
)
def test_no_path_leads_out_of_the_site(address: tuple[str, int], start: str, up: str) -> None:
    for target in ("secret.txt", "atlas/secret.txt", "etc/passwd", "atlas.json"):
        for steps in (1, 2, 6):
            answer = get(address, f"/{start}{'/'.join([up] * steps)}/{target}".encode())
            status = answer.split(b" ", 2)[1:2]
            assert status in ([b"404"], [b"400"], [b"422"]), (start, up, target)
            assert SECRET.encode() not in answer
            assert b"root:" not in answer
            assert b'"input_size"' not in answer


@pytest.mark.parametrize(
    "path",
    [
        "secret.txt",
        "atlas.json",
        "README.md",
        "facts/features.3.parquet",
        "data/features.3/part-0.parquet",
        "activations/features.3/notes.txt",
        "activations/features.3/",
        "//etc/passwd",
        "/etc/passwd",
        "C:/windows/win.ini",
        "file:///etc/passwd",
        "\\..\\secret.txt",
        "page/atlas_site.py",
        "page/session_page.html",
        "page/files.txt",
        "pictures/..%2f..%2fsecret.png",
        "data/CON/layer.js",
    ],
)
def test_files_of_the_atlas_that_are_no_page_are_not_served(client: TestClient, path: str) -> None:
    answer = client.get(f"/{quote(path, safe='/%')}")
    assert answer.status_code == 404
    assert SECRET not in answer.text


def test_a_link_inside_the_atlas_is_not_followed_out_of_the_site(place: Path, client: TestClient) -> None:
    link = place / "atlas" / "data" / "leak.js"
    link.symlink_to(place / "secret.txt")
    try:
        assert client.get("/data/leak.js").status_code == 404
    finally:
        link.unlink()


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil", "10.0.0.1", "", "[::2]", "a b"],
)
def test_a_name_that_somebody_else_may_own_is_refused(client: TestClient, host: str) -> None:
    for path in PAGES:
        answer = client.get(path, headers={"host": host})
        assert (answer.status_code, "names a host that is not this server" in answer.json()["error"]) == (403, True)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:9000", "[::1]:80", "localhost."])
def test_loopback_goes_by_all_its_names(client: TestClient, host: str) -> None:
    assert client.get("/data/atlas.js", headers={"host": host}).status_code == 200


def test_a_page_of_another_origin_can_open_the_pages_and_read_nothing(client: TestClient) -> None:
    for site in ("cross-site", "same-site", "unknown"):
        statuses = [client.get(path, headers={"sec-fetch-site": site}).status_code for path in PAGES]
        assert statuses == [200, 200, 403, 403, 403, 403]
    for origin in ("http://evil.example", "null", "http://localhost:1", "http://[", ""):
        answers = [client.get("/data/atlas.js", headers={"origin": origin})]
        answers.append(
            client.post("/api/search/image", content=b"x", headers={"origin": origin, "content-type": "image/png"})
        )
        answers.append(
            client.options("/api/search", headers={"origin": origin, "access-control-request-method": "GET"})
        )
        for answer in answers:
            assert (answer.status_code, "another origin" in answer.json()["error"]) == (403, True)
            assert not [name for name in answer.headers if name.startswith("access-control")]


def test_every_answer_keeps_browsers_strict(client: TestClient) -> None:
    for path in (*PAGES, "/nothing", "/api/unit/x/y", "/pictures/0.png"):
        for answer in (client.get(path), client.post(path), client.get(path, headers={"host": "evil.example"})):
            policy = answer.headers["content-security-policy"]
            assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:")
            assert "unsafe" not in policy
            assert "frame-ancestors 'none'" in policy
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["cross-origin-resource-policy"] == "same-origin"
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert answer.headers["cross-origin-opener-policy"] == "same-origin"
            assert answer.headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"])
def test_nothing_can_be_changed(client: TestClient, method: str) -> None:
    for path in PAGES:
        answer = client.request(method, path)
        assert answer.status_code == 405
        expected = f"{method} does not go with {path.partition('?')[0]!r}; expected GET, HEAD"
        assert answer.json()["error"] == expected
        assert answer.headers["allow"] == "GET, HEAD"


def test_names_come_back_as_texts_in_every_answer(client: TestClient) -> None:
    for name in (*NASTY, NASTY_LAYER, "<svg onload=alert(1)>"):
        for path in (
            f"/api/search?q={quote(name)}",
            f"/api/units?layer={quote(name)}",
            f"/{quote(name)}",
            f"/pictures/{quote(name)}",
        ):
            answer = client.get(path)
            assert answer.status_code in (200, 404, 422)
            assert answer.headers["content-type"] == "application/json"
            assert not set(b"<>&") & set(answer.content)


def test_addresses_that_are_too_long_are_refused(client: TestClient) -> None:
    assert client.get("/" + "a" * 2048).status_code == 414
    assert client.get("/api/search?q=" + "a" * 4096).status_code == 414
    assert client.get("/data/" + "a" * 1900).status_code == 404


MALFORMED = (
    b"",
    b"\r\n\r\n",
    b"GET\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n",
    b"GET http://evil.example/data/atlas.js HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    b"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"GET /\x00 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    b"GET /\xff\xfe HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    b"GET /%ff%fe%00 HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
    b"GET /%ed%a0%80/x HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * 200_000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X: a\r\n" * 20_000 + b"\r\n",
    b"POST /api/search/image HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\nContent-Length: 99999999999\r\n\r\n",
    b"POST /api/search/image HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\nzzzz\r\n",
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\r\n",
)


def test_malformed_requests_leave_the_server_whole(address: tuple[str, int], caplog: pytest.LogCaptureFixture) -> None:
    for request in MALFORMED:
        answer = raw(address, request, 0.3)
        assert not answer.startswith(b"HTTP/1.1 5"), request[:80]
        assert b"Traceback" not in answer
        assert b'phosphene.put("atlas"' not in answer
    with httpx.Client(base_url=f"http://{address[0]}:{address[1]}", trust_env=False, timeout=WAIT_S) as client:
        assert client.get("/data/atlas.js").status_code == 200
    said = [record.getMessage() for record in caplog.records if record.levelname != "INFO"]
    assert said == []  # nobody fills the terminal


def odd_text(noise: random.Random) -> str:
    kinds = (
        lambda: "".join(noise.choices(string.printable, k=noise.randrange(12))),
        lambda: "".join(chr(noise.randrange(1, 0x3000)) for _ in range(noise.randrange(6))),
        lambda: noise.choice(
            ["..", ".", "", "~", "\0", "%00", "-0", "0x1", "1e9", "NaN", "٣", "\u2028", "\ud7ff", "a" * 300]
        ),
        lambda: str(noise.choice([-1, 0, 1, 2**31, 2**63, 10**30])),
        lambda: noise.choice([*NASTY, NASTY_LAYER, "features.3", "classifier", "features.3:3", "cat"]),
    )
    return noise.choice(kinds)()


def odd_address(noise: random.Random) -> str:
    routes = (
        "/{}", "/{}/{}", "/data/{}", "/data/{}/{}", "/data/features.3/{}", "/data/features.3/units-{}.js", "/data/search-{}.js",
        "/data/features.3/positive-{}.webp", "/pictures/{}", "/pictures/{}.png", "/pictures/features.3/{}-positive.png",
        "/pictures/{}/{}", "/activations/{}/{}", "/compare/{}.js", "/other/{}/{}", "/page/{}", "/api/unit/{}/{}",
        "/api/unit/features.3/{}", "/api/{}", "/api/units?layer={}&sort={}", "/api/units?layer=features.3&start={}&limit={}",
        "/api/units?layer=features.3&{}={}", "/api/search?q={}", "/api/search?{}={}",
    )  # fmt: skip
    route = noise.choice(routes)
    return route.format(*(quote(odd_text(noise), safe="") for _ in range(route.count("{}"))))


def test_no_address_makes_the_server_fail(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    noise = random.Random(6)
    statuses = dict[int, int]()
    for _ in range(1500):
        path = odd_address(noise)
        method = noise.choices(["GET", "HEAD", "POST"], [8, 1, 1])[0]
        answer = client.request(method, path, headers={"range": "bytes=0-", "if-none-match": odd_header(noise)})
        statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
        assert answer.status_code in (200, 403, 404, 405, 414, 422), path
        assert SECRET.encode() not in answer.content
        assert b"Traceback" not in answer.content
    assert statuses[200] > 50
    assert statuses[404] > 50
    assert not [record for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")]


def odd_header(noise: random.Random) -> str:
    return "".join(noise.choices(string.ascii_letters + string.digits + '"*,W/', k=noise.randrange(20)))


@pytest.mark.slow
def test_what_the_description_promises_holds(site: Site) -> None:
    schemathesis = pytest.importorskip("schemathesis")
    from hypothesis import HealthCheck, Phase, given, settings

    app = atlas_app(site, Access.at("127.0.0.1"))
    schema = schemathesis.openapi.from_asgi("/openapi.json", app, headers={"host": "127.0.0.1"})
    checks = [
        schemathesis.checks.not_a_server_error,
        schemathesis.checks.CHECKS.get_one("status_code_conformance"),
        schemathesis.checks.CHECKS.get_one("content_type_conformance"),
        schemathesis.checks.CHECKS.get_one("response_schema_conformance"),
    ]
    n = 0
    for result in schema.get_all_operations():
        operation = result.ok()

        @given(case=operation.as_strategy())
        @settings(max_examples=60, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
                  suppress_health_check=list(HealthCheck))  # fmt: skip
        def holds(case: object) -> None:
            case.call_and_validate(headers={"host": "127.0.0.1"}, checks=checks)  # pyright: ignore

        holds()
        n += 1
    assert n == 5
