"""Who is let in: the token, the host's name, the origin."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from session_rig import Served, make_session, served

from phosphene.errors import ParameterError
from phosphene.web.session_access import Access, is_loopback
from phosphene.web.session_page import session_page

TOKEN = "0123456789abcdef"
PATHS = ("/ask", "/status", "/history.json", "/best.png", "/recommended.png", "/stimulus/a_g0000c000.png", "/nothing")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(make_session(tmp_path_factory.mktemp("access") / "session")) as rig:
        yield rig


@pytest.fixture
def client(shared: Served) -> Iterator[httpx.Client]:
    with shared.client() as it:
        yield it


def sentence(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("authorization", "words"),
    [
        ("", "no token came"),
        ("Bearer", "a wrong token"),
        ("Bearer wrong", "a wrong token"),
        ("Basic {token}", "a wrong token"),
        ("{token}", "a wrong token"),
        ("Bearer {token}x", "a wrong token"),
        ("Bearer täken", "a wrong token"),
    ],
)
def test_without_the_token_nothing_is_told(shared: Served, path: str, authorization: str, words: str) -> None:
    with httpx.Client(base_url=shared.address, trust_env=False) as client:
        value = authorization.format(token=shared.token).encode("latin-1")
        answer = client.get(path, headers={"authorization": value} if value else {})
        status, error = sentence(answer)
        assert status == 401
        assert words in error
        assert shared.token not in answer.text
        assert answer.headers["www-authenticate"].startswith("Bearer")
        posted = client.post("/tell", json={"scores": {}}, headers={"authorization": value} if value else {})
        assert posted.status_code == 401


def test_the_token_in_an_address_is_of_no_use(shared: Served) -> None:
    answer = httpx.get(f"{shared.address}/status?token={shared.token}", trust_env=False)
    assert answer.status_code == 401


def test_the_scheme_may_be_written_in_any_case(shared: Served) -> None:
    with shared.client(authorization=f"bearer {shared.token}") as client:
        assert client.get("/status").status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil", "10.0.0.1", "", "[::2]", "a b"],
)
def test_a_name_that_somebody_else_may_own_is_refused(client: httpx.Client, host: str) -> None:
    for path in ("/", "/status"):
        status, error = sentence(client.get(path, headers={"host": host}))
        assert (status, "names a host that is not this server" in error) == (403, True)
    assert client.post("/tell", json={"scores": {}}, headers={"host": host}).status_code == 403


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:9000", "127.9.9.9", "[::1]:80", "localhost."])
def test_loopback_goes_by_all_its_names_and_through_tunnels(client: httpx.Client, host: str) -> None:
    assert client.get("/status", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://localhost:1", "https://127.0.0.1", "", "http://"]
)
def test_a_page_of_another_origin_can_neither_tell_nor_read(client: httpx.Client, origin: str) -> None:
    for answer in (
        client.post("/tell", json={"scores": {}}, headers={"origin": origin}),
        client.post("/advance", json={}, headers={"origin": origin}),
        client.get("/status", headers={"origin": origin}),
        client.options("/tell", headers={"origin": origin, "access-control-request-method": "POST"}),
    ):
        status, error = sentence(answer)
        assert (status, "another origin" in error) == (403, True)
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("site", ["cross-site", "same-site", "unknown"])
def test_a_request_that_another_site_caused_is_refused_but_a_link_opens_the_page(
    client: httpx.Client, site: str
) -> None:
    assert client.get("/status", headers={"sec-fetch-site": site}).status_code == 403
    assert client.get("/", headers={"sec-fetch-site": site}).status_code == 200
    assert client.get("/status", headers={"sec-fetch-site": "same-origin"}).status_code == 200


def test_the_server_s_own_origin_is_let_in(shared: Served, client: httpx.Client) -> None:
    answer = client.post("/tell", json={"scores": {}}, headers={"origin": shared.address})
    assert answer.json()["n_new"] == 0


def test_a_preflight_without_a_token_allows_nothing(shared: Served) -> None:
    headers = {"origin": shared.address, "access-control-request-headers": "authorization"}
    answer = httpx.options(f"{shared.address}/tell", headers=headers, trust_env=False)
    assert answer.status_code == 401
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_the_page_is_for_everybody_and_holds_nothing_of_the_session(shared: Served) -> None:
    answer = httpx.get(f"{shared.address}/", trust_env=False)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["content-security-policy"] == session_page().policy
    assert shared.token not in answer.text
    assert str(shared.directory) not in answer.text


def test_the_page_brings_everything_with_it() -> None:
    html = session_page().html.decode()
    assert re.findall(r"(?:src|href)\s*=\s*(\S+?)>", html.partition("<script>")[0]) == ['"data:,"']
    assert "http://" not in html.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in html
    assert "innerHTML" not in html
    for rule in ("default-src 'none'", "frame-ancestors 'none'", "connect-src 'self'", "script-src 'sha256-"):
        assert rule in session_page().policy
    assert "unsafe" not in session_page().policy


def test_a_token_is_made_anew_and_never_shown() -> None:
    first, second = Access.at("127.0.0.1"), Access.at("127.0.0.1")
    assert first.token != second.token
    assert len(first.token) == 32
    assert first.token not in repr(first)


@pytest.mark.parametrize("token", ["", "short", "with space 0123456789", "line\nbreak0123456789", "ä" * 20, "x" * 201])
def test_tokens_that_no_header_carries_are_refused(token: str) -> None:
    with pytest.raises(ParameterError, match=f"token has {len(token)} characters; expected 16 to 200"):
        Access.at("127.0.0.1", token)


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("::1", True), ("LocalHost", True), ("0.0.0.0", False), ("::", False), ("lab-pc", False)],
)
def test_loopback_is_what_only_this_machine_reaches(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_a_server_bound_to_a_name_goes_by_that_name(tmp_path: Path) -> None:
    access = Access.at("lab-pc.example", TOKEN)
    good = {"authorization": f"Bearer {TOKEN}"}
    assert access.refusal(good | {"host": "lab-pc.example:80"}, public=False) is None
    assert access.refusal(good | {"host": "192.168.0.7:80"}, public=False) is None
    refusal = access.refusal(good | {"host": "evil.example"}, public=False)
    assert refusal is not None
    assert refusal.status == 403


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "//[x]", "http://a]b"])
def test_an_origin_that_is_no_address_is_another_one(
    client: httpx.Client, caplog: pytest.LogCaptureFixture, origin: str
) -> None:
    status, error = sentence(client.get("/status", headers={"origin": origin, "authorization": ""}))
    assert (status, "a web page of another origin" in error) == (403, True)
    assert not caplog.records


def test_what_goes_wrong_at_the_door_is_a_refusal_without_a_traceback(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ValueError("no header of this world")

    monkeypatch.setattr(Access, "refusal", broken)
    status, error = sentence(client.get("/status"))
    assert (status, "headers cannot be read" in error) == (400, True)
    assert not caplog.records
