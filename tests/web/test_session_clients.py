"""The clients of the documentation run as they stand there."""

from __future__ import annotations

import itertools
import math
import re
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from session_rig import SHOWN, WAIT_S, Served, make_session, neuron, served

from phosphene.sessions import Session, Snapshot, run_folder

PAGE = Path(__file__).parents[2] / "docs" / "clients.md"


def snippets(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@pytest.fixture
def rig_module(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[bytes], object]], None]:
    def install(present: Callable[[bytes], object]) -> None:
        module = ModuleType("rig")
        module.present = present  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "rig", module)

    return install


Install = Callable[[Callable[[bytes], object]], None]


def test_the_clients_have_about_twenty_lines() -> None:
    assert len(snippets("python")) == len(snippets("matlab")) == 2
    for client in snippets("python") + snippets("matlab"):
        assert 10 < sum(bool(line.strip()) for line in client.splitlines()) <= 20


def http_client(rig: Served, generations: int) -> str:
    code = snippets("python")[0]
    for written, here in (
        ("http://127.0.0.1:8000", rig.address),
        ("the token that was printed", rig.token),
        ("range(50)", f"range({generations})"),
    ):
        assert code.count(written) == 1
        code = code.replace(written, here)
    return code


def test_the_http_client_runs_a_session(rig: Served, rig_module: Install) -> None:
    rig_module(neuron)
    exec(compile(http_client(rig, 2), str(PAGE), "exec"), {})
    status = Snapshot.read(rig.directory).status()
    assert (status.generation, status.n_trials, status.n_lost) == (2, 2 * SHOWN, 0)


def test_the_http_client_tells_lost_trials_and_shows_them_again(tmp_path: Path, rig_module: Install) -> None:
    numbers = itertools.count()
    rig_module(lambda png: None if next(numbers) % 3 == 0 else [neuron(png), 1.0])
    with served(make_session(tmp_path / "s", missing="again", attempts=4)) as rig:
        exec(compile(http_client(rig, 4), str(PAGE), "exec"), {})
        status = Snapshot.read(rig.directory).status()
    assert status.n_lost > 0
    assert status.generation >= 1
    assert all(row.n_lost == 0 for row in Snapshot.read(rig.directory).history().generations if row.is_over)


def test_the_http_client_ends_with_the_sentence_of_the_server(rig: Served, rig_module: Install) -> None:
    rig_module(lambda png: "much")
    with pytest.raises(SystemExit, match=r"response is a text; expected a number, or null"):
        exec(compile(http_client(rig, 1), str(PAGE), "exec"), {})
    assert Snapshot.read(rig.directory).status().n_trials == 0


def test_the_http_client_ends_when_nobody_answers_any_more(tmp_path: Path, rig_module: Install) -> None:
    rig_module(neuron)
    with served(make_session(tmp_path / "s")) as rig:
        code = http_client(rig, 1)
    with pytest.raises(SystemExit, match=r"does not answer .* is the session over\?"):
        exec(compile(code, str(PAGE), "exec"), {})


def run_folder_client(directory: Path, code: str, *, generations: int) -> list[str]:
    """Run the session ``directory`` against the client in the folder above it; what the session said."""
    code = code.replace("time.sleep(0.2)", "time.sleep(0.02)")
    client = threading.Thread(target=exec, args=(compile(code, str(PAGE), "exec"), {}))
    client.start()
    said: list[str] = []
    try:
        with Session.open(directory) as session:
            how = {"settle_s": 0.05, "timeout_s": WAIT_S, "say": said.append}
            assert run_folder(session, generations=generations, **how) == generations
    finally:
        (directory.parent / "stop").touch()
        client.join(WAIT_S)
    assert not client.is_alive()
    return said


def test_the_folder_client_writes_several_channels(
    tmp_path: Path, rig_module: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    numbers = itertools.count()
    rig_module(lambda png: None if next(numbers) == 3 else [neuron(png), 2.5])
    code = snippets("python")[1]
    assert code.count('Path("session/blocks"), 1\n') == 1
    directory = make_session(tmp_path / "session")
    run_folder_client(
        directory, code.replace('Path("session/blocks"), 1\n', 'Path("session/blocks"), 2\n'), generations=1
    )
    rows = Snapshot.read(directory).history().trials
    assert len(rows) == SHOWN
    assert [row.response[1] for row in rows if not math.isnan(row.response[0])] == [2.5] * (SHOWN - 1)
    assert Snapshot.read(directory).status().n_lost == 1


def test_the_folder_client_runs_a_session(tmp_path: Path, rig_module: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    numbers = itertools.count()
    lost = {3: math.nan, 9: None}
    rig_module(lambda png: lost.get(next(numbers), neuron(png)))
    directory = make_session(tmp_path / "session")
    said = run_folder_client(directory, snippets("python")[1], generations=2)
    status = Snapshot.read(directory).status()
    assert (status.generation, status.n_trials, status.n_lost) == (2, 2 * SHOWN, 2)
    complaints = [line for line in said if "responses.csv:" in line or "unfinished" in line]
    assert [line for line in complaints if "the responses are its columns" not in line] == []


def test_the_page_names_every_address_that_is_served(rig: Served) -> None:
    text = PAGE.read_text(encoding="utf-8")
    for method, path in (
        *(("GET", path) for path in ("/ask", "/status", "/best.png", "/recommended.png", "/history.json")),
        ("POST", "/tell"),
        ("POST", "/advance"),
    ):
        assert f"`{method} {path}`" in text
        with rig.client() as client:
            assert client.options(path).headers["allow"].split(", ")[0] == method
