"""``phosphene layers``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

FACTORY = """
from torch import nn

def tiny():
    return nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.ReLU())
"""


def test_every_layer_is_in_the_table(run) -> None:
    result = run("layers", "efficientnet_lite0")
    assert result.exit_code == 0
    (line,) = [line for line in result.stdout.splitlines() if line.split()[:1] == ["blocks.8"]]
    assert "112 × 14 × 14" in line
    assert "NCHW" in line


def test_an_unknown_network_is_one_message(mistake) -> None:
    assert "no network is called 'efficientnet'" in mistake("layers", "efficientnet")


def test_a_factory_may_lie_in_the_current_folder_and_json_holds_its_records(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "phosphene_factory_of_a_test.py").write_text(FACTORY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    with pytest.warns(UserWarning, match="mean"):
        result = run("layers", "phosphene_factory_of_a_test:tiny", "--json")
    records = json.loads(result.stdout)
    assert [record["type"] for record in records] == ["Conv2d", "ReLU"]
    assert {"name", "type", "shape", "n_channels", "layout", "n_calls", "receptive_field"} <= set(records[0])


def test_weights_that_are_not_there_are_one_message(mistake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "phosphene_other_factory_of_a_test.py").write_text(FACTORY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    absent = tmp_path / "absent.safetensors"
    assert str(absent) in mistake("layers", "phosphene_other_factory_of_a_test:tiny", "--weights", absent)
