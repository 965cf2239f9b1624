"""``phosphene replay``: the same picture again, and no trust in strangers."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from phosphene import store

NET = "efficientnet_lite0"


@pytest.fixture
def picture(run, tmp_path: Path) -> Path:
    result = run("render", NET, "blocks.1:5", "-o", tmp_path, "--steps", 2, "--size", 32)
    assert result.exit_code == 0, result.output
    return tmp_path / "blocks.1_5.png"


def test_a_picture_replays_bit_for_bit(run, picture: Path) -> None:
    result = run("replay", picture)
    assert (result.exit_code, result.stdout) == (0, f"{picture}: identical, bit for bit\n")
    record = json.loads(run("replay", picture, "--json").stdout)
    assert record == {"picture": str(picture), "identical": True, "max_difference": 0, "n_differing": 0}


def test_a_changed_picture_exits_with_1_and_says_how_much(run, picture: Path) -> None:
    pixels, document = store.read_png_pixels(picture).copy(), store.read_png_document(picture)
    pixels[0, 0, 0] ^= 3
    store.write_png(picture, pixels, document)
    result = run("replay", picture, "--json")
    assert result.exit_code == 1
    record = json.loads(result.stdout)
    assert (record["identical"], record["n_differing"]) == (False, 1)
    assert 1 <= record["max_difference"] <= 3
    assert "different in 1 values" in run("replay", picture).stdout


def test_what_carries_no_recipe_is_one_message(mistake, picture: Path, tmp_path: Path) -> None:
    bare = store.write_png(tmp_path / "bare.png", store.read_png_pixels(picture))
    assert "carries no phosphene document" in mistake("replay", bare)
    assert "there is no such file" in mistake("replay", tmp_path / "absent.png")
    (tmp_path / "text.png").write_text("hello")
    assert "is not a PNG file" in mistake("replay", tmp_path / "text.png")


def test_a_stranger_s_picture_runs_nothing_until_it_is_trusted(
    run, mistake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "phosphene_stranger_of_a_test.py"
    module.write_text("from torch import nn\n\ndef net():\n    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*sys.path])
    with pytest.warns(UserWarning, match="mean"):
        made = run("render", "phosphene_stranger_of_a_test:net", "0:1", "-o", tmp_path, "--steps", 2, "--size", 32)
    assert made.exit_code == 0, made.output
    monkeypatch.delitem(sys.modules, "phosphene_stranger_of_a_test")
    message = mistake("replay", tmp_path / "0_1.png")
    assert "phosphene_stranger_of_a_test:net" in message
    assert "--trust" in message
    assert "phosphene_stranger_of_a_test" not in sys.modules


def test_a_picture_of_a_device_that_is_not_here_is_one_message(mistake, picture: Path) -> None:
    from phosphene.errors import ParameterError
    from phosphene.render.run import usable_device

    for name in ("mps", "xpu", "cuda"):
        try:
            usable_device(name)
        except ParameterError:
            break
    else:
        pytest.skip("every kind of device is here")
    pixels, document = store.read_png_pixels(picture), store.read_png_document(picture)
    store.write_png(picture, pixels, {**document, "device": name})
    assert f"device is '{name}', which cannot be used here" in mistake("replay", picture)
    store.write_png(picture, pixels, {**document, "device": "abacus"})
    assert "device: expected one of cpu, cuda" in mistake("replay", picture)


def test_a_document_that_asks_for_too_much_is_one_message(mistake, picture: Path) -> None:
    pixels, document = store.read_png_pixels(picture), store.read_png_document(picture)
    document["recipe"]["parameterization"].update(height=8192, width=8192)
    document["recipe"]["views"] = 1000
    store.write_png(picture, pixels, document)
    assert "too large to replay" in mistake("replay", picture)
