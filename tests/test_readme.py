"""The README's quick start runs as it stands."""

from __future__ import annotations

import functools
import re
import sys
from pathlib import Path

import pytest

import phosphene as ph

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
    monkeypatch.setattr(
        sys.modules["phosphene.render"], "render", functools.partial(ph.render, steps=2, progress=False)
    )
    monkeypatch.chdir(tmp_path)
    exec(compile(quick_start(), str(README), "exec"), {})
    assert "blocks.8" in capsys.readouterr().out
    assert ph.replay(tmp_path / "unit.png").identical
