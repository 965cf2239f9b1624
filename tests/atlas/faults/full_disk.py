"""A build on a disk that is full before the end, and again when there is room: ``full_disk.py FOLDER``, a folder that is
a small file system. Writes what it saw as JSON.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from small_atlas import build, differing, opened, rows, state

from phosphene.errors import StorageError

LEFT = 150_000


def main(folder: str) -> None:
    disk, uri = Path(folder, "disk"), str(Path(folder, "disk", "atlas"))
    build(str(Path(folder, "undisturbed")), steps=2, seeds=1)
    wanted = rows(opened(str(Path(folder, "undisturbed"))))
    filler, space = disk / "filler", os.statvfs(disk)
    filler.write_bytes(bytes(space.f_bavail * space.f_frsize - LEFT))
    said = ""
    try:
        build(uri, steps=2, seeds=1)
    except StorageError as error:
        said = str(error)
    half = rows(opened(uri))
    seen = {
        "said": said,
        "written": len(half),
        "wrong": [name for name in half if half[name] != wanted[name]],
        "half": state(opened(uri)),
    }
    filler.unlink()
    build(uri, steps=2, seeds=1)
    seen |= {"differing": differing(rows(opened(uri)), wanted), "whole": state(opened(uri))}
    Path(folder, "seen.json").write_text(json.dumps(seen))


if __name__ == "__main__":
    main(*sys.argv[1:])
