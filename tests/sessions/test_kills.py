"""A session that is killed at any moment goes on as if nothing had happened."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

KILLING = Path(__file__).with_name("killing.py")

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def run(*arguments: object) -> dict[str, int]:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, str(KILLING), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=280,
        env=environment,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout)


@pytest.mark.slow
def test_killed_before_after_and_within_every_write_nothing_is_lost_or_doubled_and_the_end_is_the_same(tmp_path):
    assert run("calls", tmp_path, 2)["kills"] >= 100


@pytest.mark.slow
def test_killed_at_200_random_moments_nothing_is_lost_or_doubled_and_the_end_is_the_same(tmp_path):
    assert run("moments", tmp_path, 200, 6, 0.06)["kills"] == 200


def test_killed_at_20_random_moments_nothing_is_lost_or_doubled_and_the_end_is_the_same(tmp_path):
    assert run("moments", tmp_path, 20, 6, 0.06)["kills"] == 20


@pytest.mark.slow
def test_the_folder_loop_killed_at_60_random_moments_loses_and_doubles_nothing_either(tmp_path):
    assert run("folders", tmp_path, 60, 5, 0.1)["kills"] >= 60
