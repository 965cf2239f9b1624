"""The Ray backend on a real cluster of two nodes at 127.0.0.1: what is promised of jobs, whatever is killed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from alone import is_permitted, run_alone

pytest.importorskip("ray", reason="the extra ray is not installed")
HERE = Path(__file__).parent
NAMES = [f"{number:04}" for number in range(40)]


@pytest.fixture
def seen(tmp_path: Path, permitted: None, request: pytest.FixtureRequest) -> dict[str, dict]:
    """What the runs named by the parameter saw, one after another on one cluster."""
    run_alone(str(HERE / "toy_runs.py"), str(tmp_path), *request.param, folder=tmp_path, within_s=250)
    return {name: json.loads((tmp_path / f"{name}.json").read_text()) for name in request.param}


@pytest.fixture
def permitted(tmp_path: Path) -> None:
    if not is_permitted(tmp_path):
        pytest.skip("this user may make no network namespace, without which Ray would take the machine's own address")


@pytest.mark.slow
@pytest.mark.parametrize("seen", [("plain", "closed", "errors", "killed_workers")], indirect=True, ids=["workers"])
def test_every_job_is_done_once_by_workers_that_open_once_and_are_replaced(seen: dict[str, dict]) -> None:
    plain = seen["plain"]
    assert plain["answers"] == plain["finished"] == NAMES
    assert (plain["opened"], plain["nodes"], plain["gone"]) == (2, 2, True)
    # Two workers have two jobs each at most, and one job is taken to see whether any is left.
    assert plain["ahead"] <= 5
    assert seen["closed"]["before"] >= 1
    assert (seen["closed"]["gone"], seen["closed"]["connected"]) == (True, False)
    assert seen["errors"] == {
        "bad job": ["StorageError", "0003 was not written: the disk is full"],
        "bad job attempts": 3,
        "changed": ["NetworkError", "the weights have changed"],
        "changed attempts": 0,
    }
    killed = seen["killed_workers"]
    others = [name for name in NAMES if name != "0013"]
    assert killed["killed"] >= 3
    assert killed["done"] == killed["finished"] == others
    assert [name for name, _ in killed["lost"]] == ["0013"]
    assert killed["lost"][0][1].startswith("its worker was lost 3 times, the last time so: The actor died unexpectedly")


@pytest.mark.slow
@pytest.mark.parametrize(
    "seen", [("own_ray", "killed_driver", "keeps_connection", "nodes_come_and_go")], indirect=True, ids=["nodes"]
)
def test_nodes_may_come_and_go_and_drivers_may_die(seen: dict[str, dict]) -> None:
    assert seen["own_ray"] == {"answers": 3, "connected": False, "kept": True}
    driver = seen["killed_driver"]
    assert driver["gone"]
    assert driver["finished"] == NAMES[:30]
    assert driver["before"] + driver["done"] == 30
    assert seen["keeps_connection"] == {"answers": 3, "connected": True}
    nodes = seen["nodes_come_and_go"]
    assert nodes["distinct"] == nodes["answers"]
    assert nodes["nodes"] == 3
    assert nodes["answers"] < 300  # a worker on the new node began before the end


@pytest.mark.slow
@pytest.mark.parametrize("seen", [("refusals",)], indirect=True, ids=["refusals"])
def test_builds_that_cannot_begin_say_why(seen: dict[str, dict]) -> None:
    expected = {
        "room": (
            "ClusterError",
            r"no worker could be started within 1 s: each needs 64 CPU and 0 GPU of one node, and",
        ),
        "pickle": ("ArgumentError", r"the work cannot be sent to other processes: .*; give a network by its name"),
        "opening": ("ClusterError", r"no worker could be opened: The actor died unexpectedly"),
        "version": ("ClusterError", r"a worker has phosphene .* and this process 0\.0; install the same on every node"),
    }
    said = seen["refusals"]
    assert {name: kind for name, (kind, _) in said.items()} == {name: kind for name, (kind, _) in expected.items()}
    for name, (_, text) in expected.items():
        assert re.match(text, said[name][1]), said[name][1]


@pytest.mark.slow
@pytest.mark.usefixtures("permitted")
def test_an_atlas_is_the_same_whatever_is_killed_while_it_is_built(tmp_path: Path) -> None:
    pytest.importorskip("moto.server")
    pytest.importorskip("s3fs")
    run_alone(str(HERE / "campaign.py"), str(tmp_path), "4", "6", "8", folder=tmp_path, within_s=250)
    builds = [json.loads(line) for line in (tmp_path / "campaign.jsonl").read_text().splitlines()]
    assert sum(sum(build["events"].values()) for build in builds) >= 4
    for build in builds:
        assert build["differing"] == []
        assert (build["whole"], build["pictures"], build["missing"], build["damaged"]) == (True, build["rows"], 0, 0)
