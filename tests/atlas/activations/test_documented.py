"""What ``docs/activation_atlas.md`` and the example tell people to run runs as it stands, on a small network."""

from __future__ import annotations

import re
import runpy
import shlex
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any

import networks
import numpy as np
import pytest
import typer
from torch import nn

import phosphene as ph
from phosphene import store
from phosphene.atlas.activations import UMAP, Icons, Principal
from phosphene.atlas.activations.icons import Icons as _Icons
from phosphene.blocks.icons import cell_of_grid
from phosphene.cli.atlas_activations import activations

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "activation_atlas.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


class Small(nn.Module):
    """``blocks.8`` and ``blocks.14``, and five classes."""

    def __init__(self) -> None:
        super().__init__()
        layers = {"8": nn.Conv2d(3, 6, 3, 2), "14": nn.Conv2d(6, 8, 3, 2)}
        self.blocks = nn.Sequential(OrderedDict(layers))
        self.head = nn.Linear(8, 5)

    def forward(self, x: Any) -> Any:
        return self.head(self.blocks(x).mean((2, 3)))


@pytest.fixture
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with photographs, a small network by the bundled one's name, a quick layout and quick icons."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PHOSPHENE_CACHE", str(tmp_path / "cache"))
    for i in range(14):
        pixels = np.random.default_rng(i).integers(0, 256, (20, 20, 3), np.uint8)
        store.write_png(tmp_path / "photographs" / f"{i}.png", pixels)
    net = networks.wrapped(networks.seeded(Small()), size=(20, 20), labels=("cat", "dog", "cup", "fish", "tree"))
    monkeypatch.setattr(ph, "load", lambda _: net)
    monkeypatch.setattr(UMAP, "places", lambda _, vectors, seed: Principal().places(vectors, seed))
    monkeypatch.setattr(_Icons, "recipe", lambda self, net, layer: cell_of_grid(net, layer, size=16, steps=1))


@pytest.mark.usefixtures("_elsewhere")
def test_every_python_block_of_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    space: dict[str, Any] = {}
    found = blocks("python")
    assert len(found) == 4
    for code in found:
        exec(compile(code, "docs/activation_atlas.md", "exec"), space)
    assert Path("out/blocks.14/index.html").is_file()
    assert "blocks.14 224 activations of 14 photographs" in capsys.readouterr().out
    assert len(space["sharp"].maps[0].grids) == 1


def test_every_command_of_the_page_is_understood() -> None:
    app = typer.Typer()
    app.command()(activations)
    command = typer.main.get_command(app)
    lines = [shlex.split(line) for block in blocks("bash") for line in block.replace("\\\n", " ").splitlines()]
    assert [line[:3] for line in lines] == [["phosphene", "atlas", "activations"]] * 2
    for line in lines:
        context = command.make_context("activations", line[3:])
        assert context.params["images"] == Path("photographs")


@pytest.mark.usefixtures("_elsewhere")
def test_the_example_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["activation_atlas.py", "photographs", "--activations", "100"])
    runpy.run_path(str(ROOT / "examples" / "activation_atlas.py"), run_name="__main__")
    said = capsys.readouterr().out.split()
    assert [Path(line).is_file() for line in said] == [True, True]


def test_the_defaults_are_those_that_the_page_names() -> None:
    icons, layout = Icons(), UMAP()
    assert (icons.size, icons.steps, icons.attempts, icons.cossim_power, icons.least) == (96, 128, 2, 2, 5)
    assert (icons.whiten, icons.ridge) == (True, 3)
    assert (layout.n_neighbors, layout.min_dist, layout.metric) == (50, 0.05, "cosine")
