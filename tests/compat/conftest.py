"""Fixtures of the tests of compatibility layers; ``toys`` of the core's tests are imported by name."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "core"))


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    """Lucent draws from torch's own generator; every test begins with the same, and leaves it as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield
