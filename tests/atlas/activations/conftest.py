"""``networks`` of the core's tests, and ``made_up`` and ``planes`` beside this file, are imported by name."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2] / "core")]
