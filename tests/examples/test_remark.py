"""The example of the remark runs offline, and its page quotes what it prints."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NUMBER = re.compile(r"-?\d+\.\d+")


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], Path]:
    figure = tmp_path_factory.mktemp("remark") / "remark.png"
    command = [sys.executable, "-W", "error", str(ROOT / "examples" / "remark.py"), "--figure", str(figure)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "http_proxy": "http://127.0.0.1:9"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, env=environment, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines(), figure


def test_the_page_quotes_what_the_example_prints(printed):
    page = (ROOT / "docs" / "remark.md").read_text(encoding="utf-8")
    quoted = re.search(r"```text\n(.*?)\n```", page, re.DOTALL)
    assert quoted is not None
    lines = [(a, b) for a, b in zip(printed[0], quoted[1].splitlines(), strict=True) if "faces" not in a]
    for found, expected in lines:
        assert NUMBER.sub("#", found) == NUMBER.sub("#", expected)
        numbers = [[float(n) for n in NUMBER.findall(line)] for line in (found, expected)]
        # The last digit may turn on another machine.
        assert numbers[0] == pytest.approx(numbers[1], rel=0.03, abs=0.11)


def test_the_identity_holds_for_every_setting_and_every_convolution_of_the_network(printed):
    text = "\n".join(printed[0])
    assert "largest difference below 1e-12: True" in text
    assert "EfficientNet-Lite0: 49, largest relative difference below 1e-12: True" in text


def test_the_grid_is_above_chance_before_kernels_of_three(printed):
    lines = [line for line in printed[0] if "(kernel 3)" in line]
    assert len(lines) == 3
    for line in lines:
        share, chance = (float(n) for n in NUMBER.findall(line))
        assert share > 4 * chance


def test_the_figure_is_drawn(printed):
    assert printed[1].read_bytes().startswith(b"\x89PNG")
