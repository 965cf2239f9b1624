"""Whatever happens to the store while an atlas is built, the finished one is the one that nobody disturbed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from alone import environment, is_permitted, run_alone
from faulty_s3 import FAULTS, Faults, faulty_s3
from networks import SIZE, conv_module, conv_net, seeded, wrapped
from small_atlas import build, differing, opened, rows, state, storage

from phosphene.errors import NetworkError, StorageError
from phosphene.store.atlas import AtlasFolder
from phosphene.store.atlas.records import Picture

HERE = Path(__file__).parent
STEPS, PICTURES = 2, 60
WHOLE = {"whole": True, "pictures": PICTURES, "missing": 0, "damaged": 0, "doubled": 0, "strays": 0}


@pytest.fixture(scope="module")
def wanted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Picture]:
    """The rows of an atlas that nobody disturbs."""
    uri = str(tmp_path_factory.mktemp("undisturbed") / "atlas")
    build(uri, steps=STEPS, seeds=1)
    return rows(opened(uri))


def check_whole(folder: AtlasFolder, wanted: dict[str, Picture]) -> None:
    assert differing(rows(folder), wanted) == []
    assert state(folder) == WHOLE


@pytest.mark.slow
def test_throttled_failing_and_half_finished_requests_change_nothing(
    wanted: dict[str, Picture], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("moto.server")
    pytest.importorskip("s3fs")
    faults = Faults(0.12, seed=6)
    with faulty_s3(faults) as port:
        monkeypatch.setenv("S3_PORT", str(port))
        build("s3://atlases/small", steps=STEPS, seeds=1, storage_options=storage(str(port)))
        check_whole(opened("s3://atlases/small"), wanted)
    assert set(FAULTS) <= set(faults.met)


def test_a_store_that_always_fails_is_told_in_bounded_time() -> None:
    pytest.importorskip("moto.server")
    pytest.importorskip("s3fs")
    with (
        faulty_s3(Faults(1.0, seed=6, only=("broken",))) as port,
        pytest.raises(StorageError, match="s3://atlases/small"),
    ):
        build("s3://atlases/small", steps=STEPS, seeds=1, storage_options=storage(str(port)))


def test_a_full_disk_is_told_and_nothing_that_was_written_is_lost(tmp_path: Path) -> None:
    if not is_permitted(tmp_path):
        pytest.skip("this user may make no mount namespace, in which a small disk could be had")
    disk = tmp_path / "disk"
    disk.mkdir()
    run_alone(str(HERE / "full_disk.py"), str(tmp_path), folder=tmp_path, within_s=100, small_disk=f"{disk}:2000000")
    seen = json.loads((tmp_path / "seen.json").read_text())
    assert "the disk is full; free some space" in seen["said"]
    assert 0 < seen["written"] < PICTURES
    assert seen["wrong"] == []
    assert seen["half"] == {**WHOLE, "whole": False, "pictures": seen["written"], "missing": seen["half"]["missing"]}
    assert seen["differing"] == []
    assert seen["whole"] == WHOLE


def test_damaged_parts_are_not_served_and_made_again(wanted: dict[str, Picture], tmp_path: Path) -> None:
    uri = str(tmp_path / "atlas")
    build(uri, steps=STEPS, seeds=1, compact=False)
    parts = sorted((tmp_path / "atlas" / "data").rglob("part-*.parquet"))
    cut, flipped, empty, gone = parts[:4]
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    data = bytearray(flipped.read_bytes())
    middle = data.index(b"WEBP")  # the first picture
    data[middle + 20] ^= 0x10
    flipped.write_bytes(bytes(data))
    empty.write_bytes(b"")
    gone.unlink()
    folder = opened(uri)
    assert {Path(one.path).name for one in folder.refresh().damaged} >= {cut.name, empty.name}
    with pytest.raises(StorageError, match="is damaged.*phosphene atlas verify"):
        rows(folder)
    assert not state(folder)["whole"]
    build(uri, steps=STEPS, seeds=1, compact=False)
    check_whole(opened(uri), wanted)
    again = {path: path.stat().st_mtime_ns for path in parts[4:]}
    build(uri, steps=STEPS, seeds=1, compact=False)
    assert {path: path.stat().st_mtime_ns for path in parts[4:]} == again


@pytest.mark.slow
def test_two_builders_at_once_make_one_atlas(wanted: dict[str, Picture], tmp_path: Path) -> None:
    uri = str(tmp_path / "atlas")
    command = [sys.executable, str(HERE / "atlas_driver.py"), uri, str(STEPS), "1"]
    builders = [
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment())
        for _ in range(2)
    ]
    try:
        said = [builder.communicate(timeout=100)[1] for builder in builders]
    finally:
        for builder in builders:
            builder.kill()
            builder.wait()
    assert [builder.returncode for builder in builders] == [0, 0], said
    folder = opened(uri)
    assert differing(rows(folder), wanted) == []
    assert {**state(folder), "doubled": 0, "whole": True} == WHOLE  # what is there twice is there once for readers
    build(uri, steps=STEPS, seeds=1)
    check_whole(opened(uri), wanted)


def test_a_network_whose_weights_changed_under_the_same_name_is_refused(tmp_path: Path) -> None:
    uri = str(tmp_path / "atlas")
    build(uri, steps=STEPS, seeds=1, units=(0,))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    changed = wrapped(seeded(conv_module(), seed=1), size=SIZE, labels=conv_net().labels)
    with pytest.raises(NetworkError, match=r"weights of .* have changed: their digest is .*give the network as it was"):
        build(uri, steps=STEPS, seeds=1, units=(0,), net=changed)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
