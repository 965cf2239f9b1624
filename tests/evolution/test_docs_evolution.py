"""The page on evolution runs as it stands, block after block."""

from __future__ import annotations

import importlib.metadata
import re
from pathlib import Path

import numpy as np
import pytest
import skimage.data

import phosphene as ph
from phosphene import store

PAGE = Path(__file__).parents[2] / "docs" / "evolution.md"
MEASURED = PAGE.parents[1] / "benchmarks" / "results" / "evolution_noise.md"
FILES = ("scores", "references", "way", "film", "best", "highest", "tuning", "tuning-pictures", "evolved")


def has_faces() -> bool:
    try:
        return bool(importlib.metadata.distribution("gan-face-generate"))
    except importlib.metadata.PackageNotFoundError:
        return False


def blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.skipif(not has_faces(), reason="pip install --no-deps gan-face-generate==1.1.1")
def test_every_block_of_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    pytest.importorskip("matplotlib")
    original = ph.evolve

    def short(*what, **how):
        # Three generations of six: what is tested is that every line does what it says.
        return original(*what, **{**how, "generations": 3, "population": 6, "progress": False})

    monkeypatch.setattr(ph, "evolve", short, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photographs").mkdir()
    store.write_png(tmp_path / "photographs" / "cat.png", np.ascontiguousarray(skimage.data.chelsea()[::4, ::4]))
    names: dict[str, object] = {}
    for block in blocks():
        exec(compile(block.replace("tuning_map(9)", "tuning_map(3)"), str(PAGE), "exec"), names)
    assert "blocks.8:60" in capsys.readouterr().out
    assert all((tmp_path / f"{name}.png").is_file() for name in FILES)
    assert (tmp_path / "run.npz").is_file()


@pytest.mark.skipif(not MEASURED.is_file(), reason="the benchmarks' results come with the repository only")
def test_the_figures_of_the_page_are_those_that_were_measured():
    page = PAGE.read_text(encoding="utf-8")
    measured = MEASURED.read_text(encoding="utf-8")
    row = next(line for line in measured.splitlines() if line.startswith("| CMA-ES (default)"))
    # Spikes of the page's columns: all of the table but 2.
    figures = [cell.split()[0] for i, cell in enumerate(row.split("|")[2:-1]) if i != 1]
    assert f"| recommended, `CMAES()` | {' | '.join(figures)} |" in page
