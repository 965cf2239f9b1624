"""What ``docs/closed-loop.md`` tells people to type and to write runs as it stands."""

from __future__ import annotations

import csv
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from phosphene import store
from phosphene.sessions import Session

PAGE = Path(__file__).parents[2] / "docs" / "closed-loop.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def commands() -> list[list[str]]:
    lines = "".join(blocks("sh")).replace("\\\n", " ").splitlines()
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("phosphene ")]


def test_every_command_of_the_page_runs(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for i in range(3):
        pixels = np.random.default_rng(i).integers(0, 256, (24, 32, 3), np.uint8)
        store.write_png(Path("pictures") / f"natural{i}.png", pixels)
    said = commands()
    names = [line[1] for line in said]
    assert {"new", "simulate", "status", "report", "resume", "advance", "run", "serve"} <= set(names)
    for line in said:
        if line[1] == "run":  # the folder is written, and nobody answers
            assert run(*line, "--timeout", 0).exit_code == 2
            assert (Path(line[2]) / "blocks" / "gen_0000" / "manifest.csv").is_file()
        elif line[1] == "serve" or (line[1] == "resume" and "rig" in line):  # tests of their own start these
            assert run(*line, "--help").exit_code == 0
        else:
            result = run(*line)
            assert result.exit_code == 0, (line, result.output)
    assert Path("pilot/report.html").is_file()
    assert Session.read("pilot").status().generation == 10


def test_the_rig_of_the_page_answers_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run) -> None:
    (code,) = [block for block in blocks("python") if "responses.csv" in block]
    run("session", "new", tmp_path / "rig", "--space", "fourier:8x8", "--population", 4, "--repeats", 2)
    assert run("session", "run", tmp_path / "rig", "--timeout", 0).exit_code == 2  # the folder is written first
    folder = tmp_path / "rig" / "blocks" / "gen_0000"
    monkeypatch.chdir(tmp_path)
    shown: list[str] = []
    exec(compile(code, str(PAGE), "exec"), {"show": lambda path: shown.append(Path(path).name) or 3.5})
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as file:
        manifest = list(csv.DictReader(file))
    assert shown == [row["file"] for row in manifest]
    result = run("session", "run", "rig", "--generations", 1, "--timeout", 60)
    assert result.exit_code == 0, result.output
    assert {row.response for row in Session.read(tmp_path / "rig").history().trials} == {(3.5,)}


def test_the_example_of_a_response_file_is_read(tmp_path: Path) -> None:
    from phosphene.exchange import read_responses

    (table,) = [block for block in blocks("csv") if block.startswith("stimulus,trial")]
    (tmp_path / "responses.csv").write_text(table, encoding="utf-8")
    found = read_responses(tmp_path / "responses.csv")
    assert found.values.shape[1] == 2
    assert found.trials[0] == 1
    assert np.isnan(found.values).any()
