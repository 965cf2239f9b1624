"""A session over a real socket: nothing is lost, nothing is counted twice, whoever retries and whatever is killed."""

from __future__ import annotations

import contextlib
import io
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
import torch
from PIL import Image
from session_rig import (
    N_REFERENCES,
    POPULATION,
    SHOWN,
    SIZE,
    WAIT_S,
    Served,
    make_session,
    neuron,
    responses,
    run_generations,
    served,
    served_process,
)

from phosphene.errors import MissingExtraError, ParameterError, StorageError
from phosphene.exchange import Display
from phosphene.sessions import Session, Snapshot, Trial
from phosphene.web.session_desk import Desk
from phosphene.web.session_refusal import RefusalError
from phosphene.web.session_server import serve


def test_a_client_runs_generations_and_the_session_equals_one_that_was_told_directly(
    rig: Served, tmp_path: Path
) -> None:
    with rig.client() as client:
        run_generations(client, 3)
        status = client.get("/status").json()
        history = client.get("/history.json").json()
        recommended = client.get("/recommended.png").content
    assert status["generation"] == 3
    assert status["n_trials"] == 3 * SHOWN
    assert len(history["trials"]) == 3 * SHOWN
    assert len(history["generations"]) == 6
    with Session.open(make_session(tmp_path / "direct")) as direct:
        for _ in range(3):
            told = [Trial(s.stimulus, (neuron(png_of(s.image)),), s.trial) for s in direct.ask()]
            assert direct.tell(told).updated == ("a", "b")
        assert png_of(direct.recommended("a").image) == recommended


def png_of(image: torch.Tensor) -> bytes:
    levels = image.clamp(0, 1).mul(255).round().permute(1, 2, 0).numpy().astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(levels).save(file, format="PNG")
    return file.getvalue()


def test_ask_lists_every_presentation_in_order_until_it_is_told(rig: Served) -> None:
    with rig.client() as client:
        asked = client.get("/ask").json()
        assert asked["block"] == 0
        stimuli = asked["stimuli"]
        assert [s["position"] for s in stimuli] == list(range(1, SHOWN + 1))
        assert sum(s["is_reference"] for s in stimuli) == N_REFERENCES
        assert {s["thread"] for s in stimuli if not s["is_reference"]} == {"a", "b"}
        first = stimuli[0]
        assert first["url"] == f"/stimulus/{first['id']}.png"
        assert (first["trial"], first["n_missing"]) == (1, 1)
        assert client.get("/ask").json() == asked
        receipt = client.post("/tell", json={"scores": {first["id"]: 1}}).json()
        assert receipt.items() >= {"n_new": 1, "n_ignored": 0, "n_late": 0, "updated": []}.items()
        assert client.get("/ask").json()["stimuli"] == stimuli[1:]


def test_the_arrays_hold_the_pixels_of_the_pngs_without_pickled_objects(rig: Served) -> None:
    with rig.client() as client:
        answer = client.get("/ask", params={"format": "npz"})
        assert answer.headers["content-type"] == "application/octet-stream"
        arrays = np.load(io.BytesIO(answer.content), allow_pickle=False)
        stimuli = client.get("/ask").json()["stimuli"]
        assert arrays["images"].shape == (SHOWN, SIZE, SIZE, 3)
        assert arrays["images"].dtype == np.uint8
        assert list(arrays["ids"][arrays["shown"]]) == [s["id"] for s in stimuli]
        assert list(arrays["trial"]) == [1] * SHOWN
        for image, name in zip(arrays["images"], arrays["ids"], strict=True):
            png = client.get(f"/stimulus/{name}.png").content
            assert (np.asarray(Image.open(io.BytesIO(png))) == image).all()


def test_repeats_are_presentations_of_their_own_and_need_their_number(tmp_path: Path) -> None:
    with served(make_session(tmp_path / "s", repeats=2)) as rig, rig.client() as client:
        stimuli = client.get("/ask").json()["stimuli"]
        assert len(stimuli) == 2 * SHOWN
        arrays = np.load(io.BytesIO(client.get("/ask?format=npz").content), allow_pickle=False)
        assert len(arrays["images"]) == SHOWN
        assert sorted(arrays["trial"]) == [1] * SHOWN + [2] * SHOWN
        refused = client.post("/tell", json={"scores": {stimuli[0]["id"]: 1.0}})
        assert refused.status_code == 422
        assert "the trial of" in refused.json()["error"]
        run_generations(client, 1)
        assert client.get("/status").json()["generation"] == 1


def test_stimuli_come_as_the_display_shows_them(tmp_path: Path) -> None:
    directory = make_session(tmp_path / "s", display=Display(height=40, width=60, background=0.25))
    with served(directory) as rig, rig.client() as client:
        first = client.get("/ask").json()["stimuli"][0]
        image = np.asarray(Image.open(io.BytesIO(client.get(first["url"]).content)))
    assert image.shape == (40, 60, 3)
    assert (image[0, 0] == 64).all()


def test_stimuli_of_several_sizes_are_no_single_array(tmp_path: Path) -> None:
    directory = make_session(tmp_path / "s")
    with Session.open(directory) as session:
        plan = session.plan
    other = tmp_path / "other"
    Session.create(other, plan, references=[torch.rand(3, 8, 8)])
    with served(other) as rig, rig.client() as client:
        refused = client.get("/ask?format=npz")
        assert refused.status_code == 422
        assert "sizes" in refused.json()["error"]


def test_null_is_a_lost_trial(rig: Served) -> None:
    with rig.client() as client:
        first, second = client.get("/ask").json()["stimuli"][:2]
        told = [
            {"id": first["id"], "trial": 1, "response": None},
            {"id": second["id"], "trial": 1.0, "response": [None]},
        ]
        assert client.post("/tell", json={"trials": told}).json()["n_new"] == 2
        assert client.get("/status").json()["n_lost"] == 2


def test_posts_that_are_sent_again_count_once(rig: Served) -> None:
    with rig.client() as client:
        trials = responses(client)
        receipts = [client.post("/tell", json={"trials": trials[:5]}).json() for _ in range(3)]
        assert [r["n_new"] for r in receipts] == [5, 0, 0]
        assert [r["n_ignored"] for r in receipts] == [0, 5, 5]
        assert client.post("/tell", json={"trials": trials}).json()["n_new"] == SHOWN - 5
        # Not even when the generation is over.
        again = client.post("/tell", json={"trials": trials}).json()
        assert (again["n_new"], again["n_ignored"], again["n_late"]) == (0, SHOWN, 0)
        assert client.get("/status").json()["n_trials"] == SHOWN


def test_concurrent_clients_that_tell_the_same_trials_count_each_once(rig: Served) -> None:
    with rig.client() as client:
        for generation in range(2):
            trials = responses(client)

            def tell(offset: int, trials: list[dict[str, object]] = trials) -> int:
                rotated = trials[offset:] + trials[:offset]
                with rig.client() as own:
                    return sum(
                        own.post("/tell", json={"trials": [t]}).raise_for_status().json()["n_new"] for t in rotated
                    )

            with ThreadPoolExecutor(6) as pool:
                assert sum(pool.map(tell, range(6))) == SHOWN
            status = client.get("/status").json()
            assert (status["generation"], status["n_trials"]) == (generation + 1, SHOWN * (generation + 1))


def test_asking_while_others_tell_gives_whole_answers(rig: Served) -> None:
    over = threading.Event()

    def ask() -> int:
        n = 0
        with rig.client() as own:
            while not over.is_set():
                stimuli = own.get("/ask").raise_for_status().json()["stimuli"]
                assert 0 < len(stimuli) <= SHOWN
                own.get(stimuli[0]["url"]).raise_for_status()
                np.load(io.BytesIO(own.get("/ask?format=npz").raise_for_status().content))
                n += 1
        return n

    with rig.client() as client, ThreadPoolExecutor(2) as pool:
        asking = [pool.submit(ask) for _ in range(2)]
        try:
            run_generations(client, 3)
        finally:
            over.set()
        assert all(future.result(WAIT_S) > 0 for future in asking)


def test_a_generation_can_be_ended_with_what_is_in(rig: Served) -> None:
    with rig.client() as client:
        refused = client.post("/advance", json={})
        assert refused.status_code == 409
        assert "GET /ask" in refused.json()["error"]
        first = client.get("/ask").json()["stimuli"][0]
        client.post("/tell", json={"scores": {first["id"]: 1.0}})
        assert client.post("/advance", json={}).json() == {"updated": ["a", "b"]}
        assert client.get("/ask").json()["block"] == 1
        # A trial of a generation that is over is on record, but late.
        late = client.get("/history.json").json()["trials"]
        assert len(late) == 1
        refused = client.post("/advance", json={"now": True})
        assert (refused.status_code, "takes nothing" in refused.json()["error"]) == (422, True)


def test_pictures_of_the_best_and_the_recommended_belong_to_their_thread(rig: Served) -> None:
    with rig.client() as client:
        refused = client.get("/best.png")
        assert (refused.status_code, "no candidate has a score" in refused.json()["error"]) == (404, True)
        trials = responses(client)
        run_generations(client, 1)
        best = max((t for t in trials if t["id"].startswith("b_")), key=lambda t: t["response"])
        assert client.get("/best.png?thread=b").content == client.get(f"/stimulus/{best['id']}.png").content
        assert client.get("/best.png").content == client.get("/best.png?thread=a").content
        assert client.get("/recommended.png?thread=a").headers["content-type"] == "image/png"
        refused = client.get("/best.png?thread=c")
        assert (refused.status_code, "this session has a, b" in refused.json()["error"]) == (404, True)


def test_stimuli_of_the_generation_before_can_still_be_fetched(rig: Served) -> None:
    with rig.client() as client:
        first = client.get("/ask").json()["stimuli"][0]
        run_generations(client, 1)
        client.get("/ask")
        assert client.get(first["url"]).status_code == 200
        run_generations(client, 1)
        client.get("/ask")
        assert client.get(first["url"]).status_code == 404


@pytest.mark.slow
def test_a_server_that_is_killed_loses_nothing_and_the_next_goes_on(tmp_path: Path) -> None:
    directory = make_session(tmp_path / "killed")
    with served_process(directory) as (process, rig), rig.client() as client:
        run_generations(client, 1)
        trials = responses(client)
        client.post("/tell", json={"trials": trials[:4]}).raise_for_status()
        process.kill()
        assert process.wait(WAIT_S) == -signal.SIGKILL
    with served(directory) as rig, rig.client() as client:
        assert client.get("/status").json()["n_trials"] == SHOWN + 4
        # Whoever does not know what arrived tells everything again.
        receipt = client.post("/tell", json={"trials": trials}).json()
        assert (receipt["n_new"], receipt["n_ignored"]) == (SHOWN - 4, 4)
        run_generations(client, 1)
        continued = client.get("/recommended.png").content
    with served(make_session(tmp_path / "whole")) as rig, rig.client() as client:
        run_generations(client, 3)
        assert client.get("/recommended.png").content == continued


@pytest.mark.slow
def test_what_was_acknowledged_outlives_every_kill(tmp_path: Path) -> None:
    directory = make_session(tmp_path / "s", repeats=3)
    acknowledged: set[tuple[str, int]] = set()

    def tell_until_it_is_gone(rig: Served) -> None:
        with rig.client() as client, contextlib.suppress(httpx.TransportError):
            while True:
                for trial in responses(client):
                    client.post("/tell", json={"trials": [trial]}).raise_for_status()
                    acknowledged.add((trial["id"], trial["trial"]))

    delays = random.Random(0)
    with ThreadPoolExecutor(2) as pool:
        for _ in range(3):
            with served_process(directory) as (process, rig):
                telling = [pool.submit(tell_until_it_is_gone, rig) for _ in range(2)]
                time.sleep(0.3 + delays.random())
                process.kill()
                for future in telling:
                    future.result(WAIT_S)
            rows = [(row.stimulus, row.trial) for row in Snapshot.read(directory).history().trials]
            assert len(rows) == len(set(rows))
            assert acknowledged <= set(rows)
    assert len(acknowledged) > 10


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_server_in_order(tmp_path: Path, number: signal.Signals) -> None:
    directory = make_session(tmp_path / "s")
    with served_process(directory) as (process, rig), rig.client() as client:
        trials = responses(client)
        client.post("/tell", json={"trials": trials[:3]}).raise_for_status()
        process.send_signal(number)
        output, errors = process.communicate(timeout=WAIT_S)
    assert process.returncode == 0
    assert output.splitlines()[-2:] == ["The server has ended; the session holds every trial that was told.", "closed"]
    assert errors == ""
    assert Snapshot.read(directory).status().n_trials == 3


@pytest.mark.slow
def test_a_session_that_another_process_serves_is_refused(tmp_path: Path) -> None:
    directory = make_session(tmp_path / "s")
    with served_process(directory) as (process, rig):
        with pytest.raises(StorageError, match=f"number {process.pid}"), Session.open(directory):
            pass
        with rig.client() as client:
            run_generations(client, 1)


def test_two_servers_cannot_share_a_port(rig: Served, tmp_path: Path) -> None:
    port = int(rig.address.rpartition(":")[2])
    with Session.open(make_session(tmp_path / "other")) as session:
        with pytest.raises(StorageError, match=f"cannot serve at 127.0.0.1:{port}"):
            serve(session, port=port, say=print)
        with pytest.raises(ParameterError, match="port is 70000"):
            serve(session, port=70000, say=print)
        with pytest.raises(ParameterError, match="expected an address of this machine"):
            serve(session, host="no such host", say=print)
        with pytest.raises(ParameterError, match="token has 5 characters"):
            serve(session, token="short", say=print)
        with pytest.raises(StorageError, match="cannot serve at"):
            serve(session, host="192.0.2.1", say=print)


def test_elsewhere_than_on_loopback_there_is_a_warning(tmp_path: Path) -> None:
    lines: list[str] = []
    with Session.open(make_session(tmp_path / "s")) as session:
        serve(session, host="0.0.0.0", say=lines.append, stop=lambda: True)
        assert any(line.startswith("Warning: 0.0.0.0 can be reached from other machines") for line in lines)
        assert lines[0].startswith("Live page: http://127.0.0.1:")
        lines.clear()
        serve(session, say=lines.append, stop=lambda: True)
        assert not any("Warning" in line for line in lines)


def test_the_server_is_reached_by_another_address_only_when_bound_to_it(tmp_path: Path) -> None:
    with served(make_session(tmp_path / "s"), host="0.0.0.0") as rig, rig.client(host="10.1.2.3:80") as client:
        assert client.get("/status").status_code == 200
        assert client.get("/status", headers={"host": f"{socket.gethostname()}:80"}).status_code == 200
        assert client.get("/status", headers={"host": "evil.example"}).status_code == 403


def test_the_token_stands_in_no_log_however_much_is_logged(rig: Served, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    with rig.client() as client:
        client.get("/status")
        client.get("/ask")
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))]
    assert not [message for message in ours if rig.token in message]


def test_a_failure_inside_is_a_sentence_and_the_session_goes_on(
    rig: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(self: Session) -> None:
        raise RuntimeError("a secret of the inside")

    with rig.client() as client:
        with monkeypatch.context() as patch:
            patch.setattr(Session, "history", broken)
            answer = client.get("/history.json")
        assert answer.status_code == 500
        assert answer.json()["error"].startswith("the server failed with RuntimeError")
        assert "secret" not in answer.text
        assert "GET /history.json failed" in caplog.text
        assert client.get("/history.json").status_code == 200


def test_a_full_disk_is_said_and_telling_again_counts(rig: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Session, trials: object) -> None:
        raise StorageError("journal.jsonl was not written: No space left on device")

    with rig.client() as client:
        trials = responses(client)
        with monkeypatch.context() as patch:
            patch.setattr(Session, "tell", full)
            answer = client.post("/tell", json={"trials": trials})
        assert (answer.status_code, "No space left" in answer.json()["error"]) == (500, True)
        assert "No space left" in client.get("/status").json()["last_error"]
        assert client.post("/tell", json={"trials": trials}).json()["n_new"] == SHOWN
        assert client.get("/status").json()["last_error"] == ""


def test_a_missing_extra_gives_the_install_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("session_app", "serving"):
        monkeypatch.delitem(sys.modules, f"phosphene.web.{module}", raising=False)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with (
        Session.open(make_session(tmp_path / "s")) as session,
        pytest.raises(MissingExtraError, match=r"serving a session needs .*phosphene\[web\]"),
    ):
        serve(session, say=print)


@pytest.mark.slow
def test_the_room_imports_without_the_framework() -> None:
    code = "import sys, phosphene.web.session_server; assert not {'starlette', 'uvicorn'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=WAIT_S)


def test_requests_during_the_end_are_answered_or_turned_away(tmp_path: Path) -> None:
    directory = make_session(tmp_path / "s")
    answers: list[int] = []

    def hammer(rig: Served) -> None:
        with rig.client() as own:
            for _ in range(1000):
                try:
                    answers.append(own.get("/status").status_code)
                except httpx.TransportError:
                    return

    with ThreadPoolExecutor(1) as pool:
        with served(directory) as rig, rig.client() as client:
            hammering = pool.submit(hammer, rig)
            run_generations(client, 1)
        hammering.result(WAIT_S)
    assert set(answers) <= {200, 503}
    assert Snapshot.read(directory).status().n_trials == SHOWN


def test_a_desk_that_is_closed_does_nothing_more(tmp_path: Path) -> None:
    with Session.open(make_session(tmp_path / "s")) as session:
        desk = Desk(session)
        name = desk.ask()["stimuli"][0]["id"]
        desk.close()
        with pytest.raises(RefusalError, match="the server is ending") as refusal:
            desk.tell(f'{{"scores": {{"{name}": 1}}}}'.encode())
        assert refusal.value.status == 503
        assert session.status().n_trials == 0


def test_arrays_that_would_fill_the_memory_are_refused_and_pngs_still_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("phosphene.web.session_pixels.MAX_ARRAYS", SHOWN * 40 * 60 * 3 - 1)
    directory = make_session(tmp_path / "s", display=Display(height=40, width=60))
    with served(directory) as rig, rig.client() as client:
        refused = client.get("/ask?format=npz")
        assert refused.status_code == 413
        assert f"{SHOWN} stimuli of 40 × 60 pixels" in refused.json()["error"]
        assert client.get(client.get("/ask").json()["stimuli"][0]["url"]).status_code == 200
    monkeypatch.setattr("phosphene.web.session_pixels.MAX_ARRAYS", SHOWN * 40 * 60 * 3)
    with served(directory) as rig, rig.client() as client:
        assert client.get("/ask?format=npz").status_code == 200


def test_a_reference_image_is_kept_once_whatever_the_generation_and_the_canvas(tmp_path: Path) -> None:
    directory = make_session(tmp_path / "s", display=Display(height=400, width=600))
    with Session.open(directory) as session:
        desk = Desk(session)
        for _ in range(2):
            session.tell([Trial(row["id"], (1.0,), row["trial"]) for row in desk.ask()["stimuli"]])
        desk.ask()
        kept = [image for stimuli in desk._stimuli.values() for image in stimuli.values()]
        assert len(kept) == 2 * SHOWN
        assert len({image.data_ptr() for image in kept}) == 2 * (SHOWN - N_REFERENCES) + N_REFERENCES
        assert {tuple(image.shape[1:]) for image in kept} == {(SIZE, SIZE)}


def test_what_is_told_again_otherwise_and_what_was_not_learned_is_said_on_the_page(rig: Served) -> None:
    with rig.client() as client:
        first = client.get("/ask").json()["stimuli"][0]
        client.post("/tell", json={"scores": {first["id"]: 1.0}}).raise_for_status()
        receipt = client.post("/tell", json={"scores": {first["id"]: 99.0}}).json()
        assert (receipt["n_new"], receipt["n_ignored"], receipt["n_conflicting"]) == (0, 1, 1)
        assert first["id"] in receipt["conflict"]
        assert client.get("/status").json()["last_error"].endswith(receipt["conflict"])
        client.post("/advance", json={}).raise_for_status()
        waiting = client.get("/ask").json()["stimuli"]
        client.post("/tell", json={"scores": {waiting[0]["id"]: 1.0}}).raise_for_status()
        assert f"of {POPULATION} candidates of b have a score" in client.get("/status").json()["last_error"]
