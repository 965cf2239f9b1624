"""The page on atlases as it stands, block after block; its commands are those that there are."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import typer

import phosphene as ph
from phosphene import store

PAGE = Path(__file__).parents[2] / "docs" / "atlas.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.slow
def test_every_block_of_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    # Two steps: what is tested is that every line does what it says.
    monkeypatch.setattr(ph.Recipe, "stage_steps", property(lambda self: (min(2, self.steps),) * len(self.sizes)))
    monkeypatch.chdir(tmp_path)
    for name in ("chelsea", "coffee", "rocket"):
        pixels = np.ascontiguousarray(getattr(skimage.data, name)()[:240, -240:])
        store.write_png(tmp_path / "photographs" / f"{name}.png", pixels)
    names: dict[str, object] = {}
    for block in blocks("python"):
        exec(compile(block, str(PAGE), "exec"), names)
    out = capsys.readouterr().out
    assert "8 pictures, 0 that could not be rendered" in out
    assert re.search(r"^positive ok -?\d", out, re.MULTILINE)
    assert out.strip().endswith("blocks.5 0 (96, 96)")


def test_every_command_of_the_page_is_one() -> None:
    from phosphene.cli.app import app

    group = typer.main.get_command(app)
    commands = [line.partition("#")[0] for block in blocks("bash") for line in block.splitlines()]
    ours = [shlex.split(line) for line in commands if line.startswith("phosphene ")]
    assert len(ours) >= 6
    for _, *arguments in ours:
        name, *rest = arguments
        command = group.commands[name].commands[rest[0]]
        command.make_context(rest[0], rest[1:], resilient_parsing=False)
