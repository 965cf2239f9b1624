"""``phosphene render``: pictures that stay, and mistakes that are one message."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from phosphene import store

NET = "efficientnet_lite0"
SMALL = ("--steps", 2, "--size", 32)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_each_unit_becomes_a_png_with_its_recipe(run, tmp_path: Path) -> None:
    result = run("render", NET, "blocks.1:0-1", "blocks.1:3@2,1", "classifier:espresso", "-o", tmp_path, *SMALL)
    assert result.exit_code == 0, result.output
    assert names(tmp_path) == ["blocks.1_0.png", "blocks.1_1.png", "blocks.1_3@2,1.png", "classifier_espresso.png"]
    assert [line.split()[0] for line in result.stdout.splitlines()] == [
        "blocks.1:0",
        "blocks.1:1",
        "blocks.1:3@2,1",
        "classifier:espresso",
    ]
    for path in tmp_path.iterdir():
        assert store.read_png_pixels(path).shape == (32, 32, 3)
        assert store.read_png_document(path)


def test_json_lists_what_was_saved(run, tmp_path: Path) -> None:
    result = run("render", NET, "blocks.1:5", "-o", tmp_path, *SMALL, "--json")
    (record,) = json.loads(result.stdout)
    assert record["unit"] == "blocks.1:5"
    assert record["file"] == str(tmp_path / "blocks.1_5.png")
    assert isinstance(record["score"], float)
    assert record["status"] == "ok"


def test_the_same_seed_gives_the_same_picture_and_another_seed_another(run, tmp_path: Path) -> None:
    for folder, seed in (("a", 3), ("b", 3), ("c", 4)):
        assert run("render", NET, "blocks.1:5", "-o", tmp_path / folder, "--seed", seed, *SMALL).exit_code == 0
    a, b, c = (store.read_png_pixels(tmp_path / folder / "blocks.1_5.png") for folder in "abc")
    assert (a == b).all()
    assert (a != c).any()


def test_company_and_batch_size_leave_a_picture_as_it_is(run, tmp_path: Path) -> None:
    run("render", NET, "blocks.1:5", "-o", tmp_path / "alone", *SMALL)
    run("render", NET, "blocks.1:3-6", "-o", tmp_path / "many", "--batch-size", 3, *SMALL)
    alone, many = (store.read_png_pixels(tmp_path / folder / "blocks.1_5.png") for folder in ("alone", "many"))
    assert abs(alone.astype(int) - many).max() <= 1


@pytest.mark.parametrize("suffix", ["toml", "json"])
def test_a_recipe_from_a_file_renders_as_the_named_one(run, tmp_path: Path, suffix: str) -> None:
    shown = run("recipes", "show", "channel", *(["--json"] if suffix == "json" else []))
    recipe = tmp_path / f"mine.{suffix}"
    recipe.write_text(shown.stdout)
    for folder, which in (("named", "channel"), ("file", recipe)):
        result = run("render", NET, "blocks.1:5", "-o", tmp_path / folder, "--recipe", which, *SMALL)
        assert result.exit_code == 0, result.output
    named, file = (store.read_png_pixels(tmp_path / folder / "blocks.1_5.png") for folder in ("named", "file"))
    assert (named == file).all()


@pytest.mark.parametrize(
    ("units", "message"),
    [
        (["bloks.8:7"], "did you mean blocks.8"),
        (["blocks.8:112"], "blocks.8 has 112 channels, 0 to 111; 112 is beyond them"),
        (["classifier:expresso"], "espresso"),
        (["classifier:1000"], "1000 classes"),
        (["blocks.8:"], "'blocks.8:' is no unit"),
        (["blocks.8:7@99,0"], "14 x 14 positions"),
        (["blocks.1:0", "blocks.8:x"], "'x' is no channel"),
    ],
)
def test_a_wrong_unit_is_one_message_before_anything_is_rendered(
    mistake, tmp_path: Path, units: list[str], message: str
) -> None:
    assert message in mistake("render", NET, *units, "-o", tmp_path / "out", *SMALL)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("recipe", "text", "message"),
    [
        ("chanel", None, "channel"),
        ("absent.toml", None, "there is no such file"),
        ("bad.toml", "steps = ", "the document is not TOML"),
        ("bad.json", '{"stepz": 3}', "stepz"),
    ],
)
def test_a_wrong_recipe_is_one_message(mistake, tmp_path: Path, recipe: str, text: str | None, message: str) -> None:
    which = tmp_path / recipe if "." in recipe else recipe
    if text is not None:
        Path(which).write_text(text)
    assert message in mistake("render", NET, "blocks.1:0", "--recipe", which, "-o", tmp_path / "out", *SMALL)


def test_a_file_in_place_of_the_folder_is_one_message(mistake, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    message = mistake("render", NET, "blocks.1:0", "-o", tmp_path / "out", *SMALL)
    assert "is a file, not a folder; choose another folder" in message


def test_an_unknown_device_is_one_message(mistake, tmp_path: Path) -> None:
    assert "abacus" in mistake("render", NET, "blocks.1:0", "--device", "abacus", "-o", tmp_path, *SMALL)


def test_a_full_disk_keeps_what_was_rendered(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def full_at_second(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) > 1:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_at_second)
    result = run("render", NET, "blocks.1:0-2", "--batch-size", 1, "-o", tmp_path, *SMALL)
    assert result.exit_code == 2
    assert "the disk is full; free some space" in result.stderr
    assert result.stdout.startswith("blocks.1:0 ")
    assert names(tmp_path) == ["blocks.1_0.png"]
    assert store.read_png_document(tmp_path / "blocks.1_0.png")


def test_an_interrupt_keeps_what_was_rendered_and_exits_with_130(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "phosphene", "render", NET, "blocks.8:0-111", "--batch-size", "1"]
    process = subprocess.Popen(
        [*command, "-o", str(tmp_path), "--steps", "20", "--size", "32"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("blocks*.png")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, messages = process.communicate(timeout=60)
    assert process.returncode == 130, messages
    assert "Traceback" not in messages
    saved = names(tmp_path)
    assert 1 <= len(saved) < 112
    for name in saved:
        assert store.read_png_document(tmp_path / name)


SPOILT = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3)
        self.out = nn.Identity()
        self.head = nn.Linear(3, 2)

    def forward(self, x):
        y = self.conv(x)
        y = self.out(torch.cat([y[:, :1], (-1 - y[:, 1:2].square()).log(), y[:, 2:]], 1))
        return self.head(y.mean((2, 3)))

def net():
    torch.manual_seed(0)
    return Net()
"""


@pytest.fixture
def spoilt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A factory of a network whose second channel is never a number."""
    name = "phosphene_spoilt_net_of_a_test"
    (tmp_path / f"{name}.py").write_text(SPOILT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*sys.path])
    monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, name)
    return f"{name}:net"


def strictly(text: str) -> object:
    """JSON as the standard has it: no NaN, no Infinity."""

    def refuse(name: str) -> float:
        raise AssertionError(f"{name} is no JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.mark.filterwarnings("ignore:.*mean")
@pytest.mark.parametrize("batch_size", [1, 3])
def test_a_score_that_is_no_number_stops_neither_saving_nor_the_units_after_it(
    run, spoilt: str, tmp_path: Path, batch_size: int
) -> None:
    result = run("render", spoilt, "out:0-2", "-o", tmp_path / "o", "--batch-size", batch_size, *SMALL)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["out:0", "out:1", "out:2"]
    assert "score –" in lines[1]
    assert "(stopped at step 1: score or gradient was not finite" in lines[1]
    assert names(tmp_path / "o") == ["out_0.png", "out_1.png", "out_2.png"]
    scores = [store.read_png_document(tmp_path / "o" / name)["score"] for name in names(tmp_path / "o")]
    assert [score is None for score in scores] == [False, True, False]


@pytest.mark.filterwarnings("ignore:.*mean")
def test_json_of_a_score_that_is_no_number_is_null(run, spoilt: str, tmp_path: Path) -> None:
    result = run("render", spoilt, "out:0-1", "-o", tmp_path / "o", *SMALL, "--json")
    good, bad = strictly(result.stdout)
    assert isinstance(good["score"], float)
    assert (bad["score"], bad["robust_score"]) == (None, None)
    assert bad["status"].startswith("stopped at step 1")
    assert Path(bad["file"]).exists()


@pytest.mark.parametrize("device", ["cuda:99", "abacus", "cpu:x"])
def test_a_device_that_is_not_here_is_one_message_and_leaves_nothing(mistake, tmp_path: Path, device: str) -> None:
    message = mistake("render", NET, "blocks.1:0", "--device", device, "-o", tmp_path / "o", *SMALL)
    assert f"device is '{device}', which cannot be used here; expected 'cpu', 'cuda'" in message
    assert not (tmp_path / "o").exists()
