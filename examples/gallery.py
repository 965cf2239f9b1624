"""One labelled sheet for each method, on the bundled network and a photograph: the pictures of docs/gallery.md.

Offline: ``python examples/gallery.py --output docs/gallery``. Sheets that are there already are kept, so that a run
that was broken off goes on; ``--fresh`` makes them anew, ``--only NAME`` a single one.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from gallery_rows import ROWS
from gallery_rows.layout import composed
from gallery_rows.studio import Studio

import phosphene as ph

#: Of 100: sheets are for the eye.
_QUALITY = 88


def main() -> None:
    """Make the sheets that are wanted and not there yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("docs/gallery"), help="folder of the sheets")
    parser.add_argument("--only", choices=ROWS, action="append", help="this sheet only; may be given several times")
    parser.add_argument("--fresh", action="store_true", help="make sheets again that are there")
    given = parser.parse_args()
    studio = Studio(ph.load("efficientnet_lite0"))
    for name in given.only or ROWS:
        path = given.output / f"{name}.jpg"
        if path.exists() and not given.fresh:
            print(f"{path} is there")
            continue
        began = time.monotonic()
        print(f"{path}: {make(studio, name, path)}, {time.monotonic() - began:.0f} s", flush=True)


def make(studio: Studio, name: str, path: Path) -> str:
    """Make a sheet and write it; what came of it, in words."""
    title, strips = ROWS[name]
    found = strips(studio)
    if not found:
        return "left out, as what it needs is not installed"
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}")
    composed(title, found).save(part, format="JPEG", quality=_QUALITY, optimize=True)
    part.replace(path)
    return f"{sum(len(strip.pictures) for strip in found)} pictures"


if __name__ == "__main__":
    main()
