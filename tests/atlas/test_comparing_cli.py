"""``phosphene atlas align`` on two atlases of small networks that a factory makes."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

import phosphene as ph
from phosphene.cli.app import Commands
from phosphene.cli.atlas_compare import align
from phosphene.store.atlas.alignment import load_alignment

from .join_rigs import atlas_of

FACTORY = """
import torch
from torch import nn

def make(order=(0, 1, 2, 3)):
    generator = torch.Generator().manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    for parameter in module.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator)
    module[0].weight.data = module[0].weight.data[list(order)]
    module[0].bias.data = module[0].bias.data[list(order)] + 1
    return module

def turned():
    return make((3, 1, 0, 2))
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with two atlases, a and b, the module that makes their networks, and photographs."""
    (tmp_path / "aligned_factory.py").write_text(FACTORY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.delitem(sys.modules, "aligned_factory", raising=False)
    for name, factory in (("a", "make"), ("b", "turned")):
        net = ph.load(f"aligned_factory:{factory}", mean=0, std=1, input_size=(16, 16))
        atlas_of(net, tmp_path / name, ("0", "4"))
    random = np.random.default_rng(0)
    (tmp_path / "photographs").mkdir()
    for i in range(12):
        pixels = (random.integers(0, 256, 3) // 2 + random.integers(0, 128, (20, 20, 3))).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photographs" / f"{i}.png")
    yield tmp_path
    monkeypatch.delitem(sys.modules, "aligned_factory", raising=False)


def run(*arguments):
    app = typer.Typer(cls=Commands, pretty_exceptions_enable=False)
    app.command()(align)
    app.command(name="other")(lambda: None)
    result = CliRunner().invoke(app, ["align", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_partners_are_found_and_written(place):
    result = run("a", "b", "--images", "photographs", "-o", "out.parquet", "--trust")
    assert result.exit_code == 0, result.output
    table = load_alignment(place / "out.parquet")
    assert [one.unit_b for one in table.of("0")] == [2, 1, 3, 0]
    assert "7 units over 12 photographs: out.parquet" in " ".join(result.stdout.split())
    rows = [line.split() for line in result.stdout.splitlines()]
    assert ["0", "4", "1.000", "0", "(4", "of", "4)"] in rows


def test_layers_may_be_named_and_the_record_is_json(place):
    result = run("a", "b", "--images", "photographs", "-o", place, "--trust", "--layers", "0=4", "--json")
    record = json.loads(result.stdout)
    assert record["images"] == 12
    assert [(row["layer"], row["units"], row["partner"], row["in"]) for row in record["layers"]] == [("0", 4, "4", 4)]
    assert {one.layer_b for one in load_alignment(record["file"]).units} == {"4"}


def test_only_what_is_trusted_is_loaded(place):
    result = run("a", "b", "--images", "photographs")
    assert result.exit_code == 2
    message = " ".join(result.stderr.split())
    assert "allow it with --trust if you know where the atlas comes from, or name the network with --net-a" in message
    assert not (place / "alignment.parquet").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("a", "b", "--images", "nowhere"), "nowhere is no folder"),
        (("a", "b", "--images", "photographs", "--layers", "0"), "expected a layer of A and one of B, such as 0=0"),
        (("a", "nothing", "--images", "photographs"), "nothing"),
        (("a", "b", "--images", "photographs", "--trust", "--layers", "0=9"), "has no layer '9'"),
        (
            ("a", "b", "--images", "photographs", "--trust", "--net-b", "efficientnet_lite0"),
            "the weights of efficientnet_lite0 have changed",
        ),
    ],
)
def test_mistakes_are_one_message(place, arguments, message):
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
    assert result.stderr.count("Error:") == 1
