"""``phosphene atlas activations`` from a folder of photographs to data and a page."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from phosphene import store
from phosphene.cli.app import Commands
from phosphene.cli.atlas_activations import activations
from phosphene.store.atlas.activation_files import load_activation_atlas

pytestmark = pytest.mark.filterwarnings("ignore:no normalisation was given")

NET = "tiny_for_the_activation_atlas:net"
QUICK = [
    "--layout",
    "principal",
    "--grid",
    "2",
    "--size",
    "16",
    "--steps",
    "1",
    "--attempts",
    "1",
    "--least",
    "1",
    "--activations",
    "24",
]

Run = Callable[..., Any]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command in a folder with photographs and a factory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PHOSPHENE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "path", [*sys.path])
    code = "from torch import nn\ndef net(input_size=(24, 24)):\n    return nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.SiLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))\n"
    (tmp_path / f"{NET.split(':')[0]}.py").write_text(code)
    for i in range(12):
        pixels = np.random.default_rng(i).integers(0, 256, (24, 24, 3), np.uint8)
        store.write_png(tmp_path / "photos" / f"{i}.png", pixels)
    app = typer.Typer(cls=Commands, name="phosphene")
    app.command()(activations)
    app.callback()(lambda: None)

    def invoke(*arguments: object) -> Any:
        return CliRunner().invoke(app, ["activations", *map(str, arguments)])

    return invoke


def said(result: Any) -> str:
    return " ".join(result.stderr.split())


def test_it_writes_data_and_a_page_and_says_so(run: Run, tmp_path: Path) -> None:
    result = run(NET, "0", "--images", "photos", "-o", "new/atlas", *QUICK)
    assert result.exit_code == 0, result.output
    (one,) = load_activation_atlas(tmp_path / "new" / "atlas").maps
    assert (one.layer, one.n_activations, one.n_images, [grid.size for grid in one.grids]) == ("0", 24, 12, [2])
    assert (tmp_path / "new" / "atlas" / "index.html").is_file()
    assert "24 activations of 12 photographs" in result.stdout
    assert str(Path("new/atlas/index.html")) in result.stdout
    assert "principal" in dict(one.settings)["layout"]


def test_another_layer_is_aligned_and_json_says_how_many_cells(run: Run, tmp_path: Path) -> None:
    result = run(NET, "0", "--images", "photos", "-o", "both", "--align", f"{NET}:1", "--json", *QUICK)
    assert result.exit_code == 0, result.output
    found, atlas = json.loads(result.stdout), load_activation_atlas(tmp_path / "both")
    assert [one["layer"] for one in found["maps"]] == ["0", "1"]
    assert [one["cells"] for one in found["maps"]] == [{"2": len(atlas.maps[0].grids[0].cells)}] * 2
    assert Path(found["file"]).is_file()
    assert Path(found["page"]).is_file()


def test_an_address_gets_the_data_only(run: Run, tmp_path: Path) -> None:
    result = run(NET, "0", "--images", "photos", "-o", f"file://{tmp_path}/far", "--json", *QUICK)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["page"] is None
    assert load_activation_atlas(f"file://{tmp_path}/far").maps[0].n_images == 12


def test_what_would_be_gone_with_the_command_is_refused(run: Run, tmp_path: Path) -> None:
    for wrong, message in {
        ("-o", "memory://activations"): "which is gone when the command ends; expected a folder or s3://",
        ("-o", "afile"): "nothing can be written into afile",
        ("-o", "new", "--cache", "afile"): "nothing can be written into afile",
    }.items():
        (tmp_path / "afile").write_text("a file")
        result = run(NET, "0", "--images", "photos", *QUICK, *wrong)
        assert result.exit_code == 2
        assert message in said(result)


def test_an_atlas_is_replaced_only_when_asked_for(run: Run) -> None:
    arguments = (NET, "0", "--images", "photos", "-o", "atlas", *QUICK)
    assert run(*arguments).exit_code == 0
    again = run(*arguments)
    assert again.exit_code == 2
    assert "holds an activation atlas; choose another folder with -o, or replace it with --again" in said(again)
    assert run(*arguments, "--again", "--seed", "1").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((NET, "0", "--images", "nowhere"), "nowhere is no folder"),
        ((NET, "2.0", "--images", "photos"), "the network has no layer '2.0'"),
        (
            (NET, "0", "--images", "photos", "--align", "nothing"),
            "--align is 'nothing'; expected a network and a layer",
        ),
        ((NET, "0", "--images", "photos", "--align", f"{NET}:9"), "the network has no layer '9'"),
        ((NET, "0", "--images", "photos", "--grid", "0"), "grids is 0"),
        ((NET, "0", "--images", "photos", "--seed", "5000000000"), "4294967295"),
        ((NET, "0", "--images", "photos", "-o", "nope://x"), "Protocol not known: nope"),
        ((NET, "0", "--images", "photos", "-o", f"{NET.split(':')[0]}.py/x"), "is a file"),
    ],
)
def test_mistakes_are_one_message_each(run: Run, arguments: tuple[str, ...], message: str) -> None:
    result = run(*arguments, *(("--layout", "principal")))
    assert result.exit_code == 2, result.output
    assert message in said(result)
    assert result.stdout == ""
    assert "Traceback" not in result.stderr


def test_icons_are_whitened_by_the_ridge_or_not_at_all(run: Run, tmp_path: Path) -> None:
    for name, options in {"plain": ("--no-whiten",), "little": ("--ridge", "0.5"), "default": ()}.items():
        assert run(NET, "0", "--images", "photos", "-o", name, *QUICK, *options).exit_code == 0
    said = {
        name: dict(load_activation_atlas(tmp_path / name).maps[0].settings)["icons"]
        for name in ("plain", "little", "default")
    }
    assert said["plain"].endswith("not whitened")
    assert said["little"].endswith("whitened, ridge 0.5")
    assert said["default"].endswith("whitened, ridge 3")


def test_an_interrupt_says_that_the_same_command_goes_on(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("phosphene.atlas.activations.activation_atlas", interrupted)
    result = run(NET, "0", "--images", "photos", *QUICK)
    assert result.exit_code == 130
    assert "the same command goes on" in said(result)
