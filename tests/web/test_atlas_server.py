"""The server of an atlas: the same files as an export, pictures by id, and an end when it is told to."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from atlas_fixtures import Shape, broken_copy, made_up_manifest, make_atlas
from starlette.testclient import TestClient

from phosphene.errors import MissingExtraError, ParameterError, StorageError
from phosphene.store.atlas import AtlasFolder
from phosphene.web import atlas_desk, atlas_server
from phosphene.web import serving as http_serving
from phosphene.web.atlas_app import atlas_app
from phosphene.web.atlas_desk import Desk
from phosphene.web.atlas_server import serve
from phosphene.web.atlas_site import Site
from phosphene.web.atlas_view import AtlasView
from phosphene.web.session_access import Access

WAIT_S = 30


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> AtlasFolder:
    manifest = made_up_manifest((Shape("features.3", 12), Shape("classifier", 4, None, True)), diversity=0)
    return make_atlas(tmp_path_factory.mktemp("atlas") / "a", manifest, side=8)


@pytest.fixture(scope="module")
def site(folder: AtlasFolder) -> Site:
    return Site(folder).served(image_search=False)


@pytest.fixture(scope="module")
def client(site: Site) -> Iterator[TestClient]:
    with TestClient(atlas_app(site, Access.at("127.0.0.1")), base_url="http://127.0.0.1") as it:
        yield it


@contextmanager
def serving(folder: AtlasFolder) -> Iterator[str]:
    """A server in a thread of its own; its address."""
    said, heard, ended = list[str](), threading.Event(), threading.Event()

    def say(line: str) -> None:
        said.append(line)
        heard.set()

    thread = threading.Thread(target=serve, args=(Site(folder),), kwargs={"port": 0, "say": say, "stop": ended.is_set})
    thread.start()
    try:
        assert heard.wait(WAIT_S)
        yield said[0].removeprefix("Atlas: ").rstrip("/")
    finally:
        ended.set()
        thread.join(WAIT_S)
    assert not thread.is_alive()
    assert said[-1] == "The server has ended."


def test_a_server_serves_until_it_is_told_to_end(folder: AtlasFolder) -> None:
    with serving(folder) as address:
        page = httpx.get(address, trust_env=False, timeout=WAIT_S)
        assert page.status_code == 200
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "server" not in page.headers
    with pytest.raises(httpx.TransportError):
        httpx.get(address, trust_env=False, timeout=WAIT_S)


def test_every_file_of_the_site_is_served_as_what_it_is(site: Site, client: TestClient) -> None:
    kinds = {"html": "text/html; charset=utf-8", "js": "text/javascript; charset=utf-8", "webp": "image/webp"}
    kinds |= {"css": "text/css; charset=utf-8", "png": "image/png"}
    for path in site.files():
        answer = client.get(f"/{path}")
        assert answer.status_code == 200, path
        assert answer.content == site.read(path)
        assert answer.headers["content-type"] == kinds[path.rpartition(".")[2]]
    assert client.get("/").content == site.read("index.html")


def test_pages_know_that_they_are_served(client: TestClient) -> None:
    assert '"server":true' in client.get("/data/atlas.js").text
    assert '"image_search":false' in client.get("/data/atlas.js").text


def test_a_picture_is_there_by_its_id_as_kept_and_as_png(folder: AtlasFolder, client: TestClient) -> None:
    picture = folder.unit("features.3", 3)[0]
    assert client.get(f"/pictures/{picture.id}.webp").content == picture.image
    png = client.get(f"/pictures/{picture.id}.png")
    assert png.content.startswith(b"\x89PNG")
    assert png.content == client.get("/pictures/features.3/3-positive.png").content
    failed = folder.unit("features.3", 7)[0]
    for path in (failed.id + ".webp", picture.id + ".gif", picture.id, "0" * 32 + ".png", ".webp"):
        answer = client.get(f"/pictures/{path}")
        assert (answer.status_code, list(answer.json())) == (404, ["error"])


def test_what_did_not_change_is_not_sent_again(client: TestClient) -> None:
    first = client.get("/data/atlas.js")
    again = client.get("/data/atlas.js", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert first.headers["cache-control"] == "no-cache"


def test_pictures_are_kept_by_browsers_for_a_minute_and_by_nobody_else(client: TestClient) -> None:
    for path in ("/data/features.3/mosaic.webp", "/pictures/features.3/3-positive.png"):
        assert client.get(path).headers["cache-control"] == "private, max-age=60"  # an atlas grows


def test_numbers_of_all_layers_are_read_before_anybody_asks(
    folder: AtlasFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, whole = list[str](), threading.Event()

    def summary(view: AtlasView, slug: str) -> None:
        asked.append(slug)
        if len(asked) == len(view.layers):
            whole.set()

    monkeypatch.setattr(atlas_server, "summary", summary)
    with serving(folder):
        assert whole.wait(WAIT_S)
    assert asked == ["features.3", "classifier"]


def test_a_head_says_the_same_without_the_content(client: TestClient) -> None:
    head, get = client.head("/data/atlas.js"), client.get("/data/atlas.js")
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", get.headers["etag"])


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        ("data/atlas.js", '"n_missing":8', '"n_missing":0'),
        ("api/unit/features.3/39", '"status":"missing"', '"status":"ok"'),
    ],
)
def test_what_a_build_adds_meanwhile_is_served(
    path: str, before: str, after: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from phosphene.atlas.jobs import jobs

    manifest = made_up_manifest((Shape("features.3", 40),), negative=False, diversity=0)
    growing = make_atlas(tmp_path / "a", manifest, facts=False, left_out=1, side=8, compacted=False)
    whole = make_atlas(tmp_path / "b", manifest, facts=False, side=8, compacted=False)
    monkeypatch.setattr(atlas_desk, "_REFRESH_S", -1)
    with TestClient(atlas_app(Site(growing), Access.at("127.0.0.1")), base_url="http://127.0.0.1") as client:
        assert before in client.get(f"/{path}").text
        last = list(jobs(manifest))[-1]
        growing.write_part(last.id, last.layer, [whole.picture(one.id) for one in last.pictures])
        for _ in range(300):
            if after in client.get(f"/{path}").text:
                return
    raise AssertionError("the server never saw the new rows")


def test_a_damaged_row_is_a_page_that_says_so_and_no_failure(folder: AtlasFolder, tmp_path: Path) -> None:
    broken = broken_copy(folder, "features.3", tmp_path / "b")
    site = Site(broken).served(image_search=False)
    with TestClient(atlas_app(site, Access.at("127.0.0.1")), base_url="http://127.0.0.1") as client:
        answers = [client.get(f"/{path}") for path in site.files()]
        assert {answer.status_code for answer in answers} <= {200, 404}
        assert any('"status":"damaged"' in answer.text for answer in answers)
        ids = [one.decode() for one in broken.index().layer("features.3").id]
        assert {client.get(f"/pictures/{one}.webp").status_code for one in ids} == {200, 404, 503}


def test_an_atlas_that_is_gone_is_told_and_no_traceback(folder: AtlasFolder, tmp_path: Path) -> None:
    import shutil

    from phosphene.store.atlas import open_atlas

    shutil.copytree(folder.uri, tmp_path / "c")
    site = Site(open_atlas(str(tmp_path / "c"))).served(image_search=False)
    shutil.rmtree(tmp_path / "c")
    with TestClient(atlas_app(site, Access.at("127.0.0.1")), base_url="http://127.0.0.1") as client:
        for path in ("data/features.3/units-0.js", "data/features.3/positive-0.webp", "api/unit/features.3/1"):
            answer = client.get(f"/{path}")
            assert answer.status_code in (200, 503)
            assert "Traceback" not in answer.text


def test_a_mistake_of_ours_is_one_sentence(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def wrong(*_: object) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(Desk, "search", wrong)
    with TestClient(atlas_app(site, Access.at("127.0.0.1")), base_url="http://127.0.0.1") as client:
        answer = client.get("/api/search?q=a")
    assert (answer.status_code, answer.json()) == (500, {"error": "the server failed with ZeroDivisionError"})
    assert "GET /api/search failed" in caplog.text


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_that_there_is_not_is_refused(folder: AtlasFolder, port: int) -> None:
    with pytest.raises(ParameterError, match=f"port is {port}; expected a whole number from 0 to 65535"):
        serve(Site(folder), port=port, say=str)


def test_a_port_that_is_taken_is_told(folder: AtlasFolder) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(StorageError, match="choose another port, or 0 for any"):
            serve(Site(folder), port=taken.getsockname()[1], say=str)


def test_a_host_that_is_not_ours_is_refused(folder: AtlasFolder) -> None:
    with pytest.raises(ParameterError, match="expected an address of this machine"):
        serve(Site(folder), host="no such host", port=0, say=str)


def test_without_the_extra_the_install_line_is_told(folder: AtlasFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "starlette.applications", None)
    monkeypatch.delitem(sys.modules, "phosphene.web.atlas_app", raising=False)
    with pytest.raises(MissingExtraError, match=r"pip install 'phosphene\[atlas\]'"):
        serve(Site(folder), port=0, say=str)


def test_who_serves_to_other_machines_is_told(folder: AtlasFolder) -> None:
    said: list[str] = []
    serve(Site(folder), host="0.0.0.0", port=0, say=said.append, stop=lambda: True)
    assert "whoever reaches it can read the whole atlas" in said[1]


HALF = b"GET /data/atlas.js HTTP/1.1\r\nHost: 127"
WHOLE = b"GET /data/atlas.js HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def connected(address: str) -> socket.socket:
    host, _, port = address.removeprefix("http://").partition(":")
    return socket.create_connection((host, int(port)), timeout=WAIT_S)


def ask(connection: socket.socket) -> int:
    """The status of an answer, which is read to its end."""
    connection.sendall(WHOLE)
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += connection.recv(1 << 16) or pytest.fail("the connection was closed")
    head, _, body = answer.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(1 << 16) or pytest.fail("the connection was closed")
    return int(head.split()[1])


def closed_after_s(connection: socket.socket, drip: bytes = b"") -> float:
    """Seconds until the server closes the connection, over which more of a request drips."""
    started = time.monotonic()
    connection.settimeout(0.05)
    while time.monotonic() < started + WAIT_S:
        with contextlib.suppress(TimeoutError):
            try:
                connection.sendall(drip)
                if not connection.recv(1 << 16):
                    break
            except (ConnectionResetError, BrokenPipeError):
                break
    return time.monotonic() - started


@pytest.mark.parametrize("drip", [b"", b"7"])
@pytest.mark.parametrize("is_kept", [False, True])
def test_a_request_that_does_not_become_whole_is_not_waited_for(
    is_kept: bool, drip: bytes, folder: AtlasFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_serving, "HEAD_S", 0.4)
    with serving(folder) as address, connected(address) as connection:
        assert not is_kept or ask(connection) == 200
        connection.sendall(HALF)
        assert 0.2 < closed_after_s(connection, drip) < 4


def test_a_body_that_drips_is_not_waited_for_though_it_was_answered(
    folder: AtlasFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_serving, "REQUEST_S", 0.4)
    with serving(folder) as address, connected(address) as connection:
        connection.sendall(b"POST /data/atlas.js HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99999\r\n\r\n")
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 405")
        assert 0.2 < closed_after_s(connection, b"7") < 4


def test_a_connection_is_kept_for_whole_requests_and_slow_answers(
    folder: AtlasFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_serving, "HEAD_S", 0.5)
    monkeypatch.setattr(http_serving, "REQUEST_S", 0.5)
    read = Site.read

    def slowly(site: Site, path: str) -> bytes:
        time.sleep(0.8)
        return read(site, path)

    with serving(folder) as address, connected(address) as connection:
        for _ in range(4):
            assert ask(connection) == 200
            time.sleep(0.3)
        monkeypatch.setattr(Site, "read", slowly)
        assert ask(connection) == 200


def test_a_long_answer_reaches_a_slow_reader(folder: AtlasFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_serving, "HEAD_S", 0.3)
    long = b"x" * (32 << 20)  # more than the system keeps on the way
    with serving(folder) as address, connected(address) as connection:
        monkeypatch.setattr(Site, "read", lambda *_: long)
        connection.sendall(WHOLE)
        time.sleep(1)
        n = 0
        while n < len(long) and (part := connection.recv(1 << 20)):
            n += len(part)
    assert n >= len(long)


def test_who_asks_for_nothing_gives_way_where_there_are_many_connections(
    folder: AtlasFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_serving, "MOST", 8)
    with serving(folder) as address, contextlib.ExitStack() as crowd:
        held = [crowd.enter_context(connected(address)) for _ in range(8)]
        for connection in held:
            connection.sendall(HALF)
        others = [crowd.enter_context(connected(address)) for _ in range(5)]
        assert [ask(connection) for connection in others] == [200] * 5
        assert all(closed_after_s(connection) < 4 for connection in held[:5])
        held[5].settimeout(WAIT_S)
        held[5].sendall(b".0.0.1\r\n\r\n")
        assert held[5].recv(16).startswith(b"HTTP/1.1 200")


def test_who_is_being_answered_keeps_the_connection_among_many(
    folder: AtlasFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, going = threading.Event(), threading.Event()
    read = Site.read

    def wait(site: Site, path: str) -> bytes:
        entered.set()
        assert going.wait(WAIT_S)
        return read(site, path)

    monkeypatch.setattr(http_serving, "MOST", 2)
    with serving(folder) as address, contextlib.ExitStack() as crowd:
        monkeypatch.setattr(Site, "read", wait)
        first = crowd.enter_context(connected(address))
        first.sendall(WHOLE)
        assert entered.wait(WAIT_S)
        silent = [crowd.enter_context(connected(address)) for _ in range(6)]
        assert all(closed_after_s(connection) < 4 for connection in silent[:5])
        going.set()
        assert first.recv(16).startswith(b"HTTP/1.1 200")


def test_few_requests_are_answered_at_once(folder: AtlasFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    going, at_once, most = threading.Event(), threading.Semaphore(0), list[int]()
    under_way = set[int]()
    read = Site.read

    def wait(site: Site, path: str) -> bytes:
        under_way.add(threading.get_ident())
        most.append(len(under_way))
        at_once.release()
        assert going.wait(WAIT_S)
        under_way.discard(threading.get_ident())
        return read(site, path)

    with serving(folder) as address, contextlib.ExitStack() as crowd:
        monkeypatch.setattr(Site, "read", wait)
        connections = [crowd.enter_context(connected(address)) for _ in range(9)]
        for connection in connections:
            connection.sendall(WHOLE)
        assert all(at_once.acquire(timeout=WAIT_S) for _ in range(3))
        assert not at_once.acquire(timeout=0.5)  # the others wait
        going.set()
        assert all(connection.recv(16).startswith(b"HTTP/1.1 200") for connection in connections)
    assert max(most) == 3


CROWDED = """
import resource, sys
from phosphene.store.atlas import open_atlas
from phosphene.web.atlas_server import serve
from phosphene.web.atlas_site import Site

resource.setrlimit(resource.RLIMIT_NOFILE, (48, 48))
serve(Site(open_atlas(sys.argv[1])), port=0, say=lambda line: print(line, flush=True))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="processes have no limit of descriptors there")
def test_a_server_out_of_descriptors_says_so_once_and_serves_again(folder: AtlasFolder) -> None:
    command = [sys.executable, "-c", CROWDED, folder.uri]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        deadline = threading.Timer(2 * WAIT_S, process.kill)
        deadline.start()
        try:
            assert process.stdout
            address = process.stdout.readline().strip().removeprefix("Atlas: ").rstrip("/")
            with contextlib.ExitStack() as crowd:
                for connection in [crowd.enter_context(connected(address)) for _ in range(90)]:
                    connection.sendall(HALF)
                time.sleep(2.5)  # it tries again each second
            assert httpx.get(address, trust_env=False, timeout=WAIT_S).status_code == 200
        finally:
            process.terminate()
            said = process.communicate(timeout=WAIT_S)[1]
            deadline.cancel()
    assert said.splitlines() == ["no more connections can be taken for now: [Errno 24] Too many open files"]
