"""Sections of `results/atlas.md`, each written by the script that measures it."""

from __future__ import annotations

import re
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
HEAD = "# Atlas: speed, a whole network, faults, and a large one on paper\n"
ORDER = ("speed", "release", "faults", "paper")


def put(section: str, text: str) -> None:
    """Replace a section, between its two comments, and leave the others."""
    path = RESULTS / "atlas.md"
    found = dict(_sections(path.read_text() if path.exists() else ""))
    found[section] = text.strip()
    parts = [f"<!-- {name} -->\n{found[name]}\n<!-- end of {name} -->\n" for name in ORDER if name in found]
    path.write_text("\n".join([HEAD, *parts]))


def _sections(text: str) -> list[tuple[str, str]]:
    pattern = r"<!-- (\w+) -->\n(.*?)\n<!-- end of \1 -->"
    return [(found[1], found[2]) for found in re.finditer(pattern, text, re.DOTALL)]
