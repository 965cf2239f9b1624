"""The server of an atlas: the same files as an export, pictures by id, and an end when it is told to."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from atlas_fixtures import Shape, broken_copy, made_up_manifest, make_atlas
from starlette.testclient import TestClient

from phosphene.errors import MissingExtraError, ParameterError, StorageError
from phosphene.store.atlas import AtlasFolder
from phosphene.web.atlas_app import atlas_app
from phosphene.web.atlas_desk import Desk
from phosphene.web.atlas_server import serve
from phosphene.web.atlas_site import Site
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
    from phosphene.web import atlas_desk

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
