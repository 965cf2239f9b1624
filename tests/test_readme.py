"""The README's quick start runs as it stands."""

from __future__ import annotations

import functools
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import skimage.data

import phosphene as ph
from phosphene import store

README = Path(__file__).parents[1] / "README.md"


def quick_start() -> str:
    text = README.read_text(encoding="utf-8").partition("## Quick start")[2]
    found = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert found
    return found[1]


def test_the_quick_start_fits_twelve_lines() -> None:
    assert len(quick_start().splitlines()) <= 12


def test_the_quick_start_runs_and_its_picture_replays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Two steps instead of the recipe's: what is tested is that every line does what it says.
    short = functools.partial(ph.render, steps=2, progress=False)
    monkeypatch.setattr(sys.modules["phosphene.render"], "render", short)
    monkeypatch.chdir(tmp_path)
    exec(compile(quick_start(), str(README), "exec"), {})
    assert "blocks.8" in capsys.readouterr().out
    assert ph.replay(tmp_path / "unit.png").identical


def test_every_method_that_the_readme_names_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = README.read_text(encoding="utf-8").partition("## The methods of the literature")[2]
    found = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert found
    # Two steps in each stage, and two views: what is tested is that every line does what it says.
    monkeypatch.setattr(ph.Recipe, "stage_steps", property(lambda self: (min(2, self.steps),) * len(self.sizes)))
    code = found[1].replace("[32, 128]", "[1, 2]").replace("maco()", "maco(64, 64, crops=2)")
    photograph = skimage.data.chelsea()[::4, ::4]
    store.write_png(tmp_path / "cat.jpg", np.ascontiguousarray(photograph))
    monkeypatch.chdir(tmp_path)
    exec(compile(code, str(README), "exec"), {"ph": ph, "net": ph.load("efficientnet_lite0")})
    assert (tmp_path / "sheet.png").is_file()


def test_the_readme_evolves_a_unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = README.read_text(encoding="utf-8").partition("## Units without gradients")[2]
    found = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert found
    # Two generations of four: what is tested is that every line does what it says.
    code = found[1].replace("generations=75, population=40", "generations=2, population=4, progress=False")
    assert code != found[1]
    monkeypatch.chdir(tmp_path)
    exec(compile(code, str(README), "exec"), {"ph": ph, "net": ph.load("efficientnet_lite0")})
    assert (tmp_path / "strip.png").is_file()
    assert ph.replay(tmp_path / "evolved.png", progress=False).identical


def test_the_readme_explains_a_photograph(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = README.read_text(encoding="utf-8").partition("## From pictures to understanding")[2]
    found = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert found
    monkeypatch.chdir(tmp_path)
    photographs = {"chelsea": skimage.data.chelsea(), "coffee": skimage.data.coffee()}
    for name, pixels in photographs.items():
        store.write_png(tmp_path / "photographs" / f"{name}.png", np.ascontiguousarray(pixels))
    net = ph.load("efficientnet_lite0")
    result = ph.render(net, ph.Channel("blocks.8", 7), steps=1, progress=False)
    photo = store.read_image(tmp_path / "photographs" / "chelsea.png")
    code = found[1].replace('directory="out/seen"', 'directory="out/seen", progress=False')
    assert code != found[1]
    exec(compile(code, str(README), "exec"), {"ph": ph, "net": net, "photo": photo, "result": result})
    assert (tmp_path / "cam.png").is_file()
    assert (tmp_path / "examples.png").is_file()
    assert "of 2 photographs" in capsys.readouterr().out


def test_the_readme_builds_an_atlas(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = README.read_text(encoding="utf-8").partition("## The whole network")[2]
    found = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert found
    monkeypatch.setattr(ph.Recipe, "stage_steps", property(lambda self: (min(2, self.steps),) * len(self.sizes)))
    monkeypatch.chdir(tmp_path)
    exec(compile(found[1], str(README), "exec"), {"ph": ph, "net": ph.load("efficientnet_lite0")})
    out = capsys.readouterr().out
    assert "positive" in out
    assert out.strip().endswith("ok")
