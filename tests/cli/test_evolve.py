"""``phosphene evolve``: pictures that replay, and mistakes that are one message."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from phosphene import store

NET = "efficientnet_lite0"
QUICK = ("--space", "fourier:24x24", "--generations", 2, "--population", 4)


def test_each_unit_gets_a_picture_that_replays_a_strip_and_its_data(run, tmp_path: Path) -> None:
    result = run("evolve", NET, "stem:3,5", *QUICK, "-o", tmp_path)
    assert result.exit_code == 0, result.output
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["stem:3", "stem:5"]
    assert {path.name for path in tmp_path.iterdir()} == {
        f"stem_{i}{end}" for i in (3, 5) for end in (".png", "_best.png", "_strip.png", ".npz")
    }
    assert all(run("replay", tmp_path / f"stem_5{end}.png").exit_code == 0 for end in ("", "_best"))
    with np.load(tmp_path / "stem_3.npz") as data:
        assert data["scores"].shape == (2, 4)


def test_json_says_how_it_compares_with_the_references(run, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    store.write_png(photos / "a.png", np.full((30, 40, 3), 99, np.uint8))
    result = run("evolve", NET, "stem:3", *QUICK, "--references", photos, "-o", tmp_path / "out", "--json")
    record = json.loads(result.stdout)
    assert record["unit"] == "stem:3"
    assert record["status"] == "ok"
    assert isinstance(record["best_reference"], float)
    assert record["best_observed"] >= record["score"] - 10


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("stem:3", "--space", "dcgam"), "did you mean dcgan"),
        (("stem:3", "--optimizer", "cmaess"), "did you mean cmaes"),
        (("stm:3",), "did you mean stem"),
        (("stem:700",), "32 channels"),
        (("stem:3", "--references", "nowhere"), "nowhere"),
        (("stem:3", "--device", "abacus"), "abacus"),
    ],
)
def test_a_mistake_is_one_message(mistake, options, words, tmp_path: Path) -> None:
    assert words in mistake("evolve", NET, *options, *([] if "--space" in options else QUICK), "-o", tmp_path)
