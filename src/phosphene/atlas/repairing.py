"""Taking what is damaged out of an atlas, so that it is rendered again: what passes for done first, all at last."""

from __future__ import annotations

from dataclasses import replace

from phosphene.atlas.progress import Meter
from phosphene.atlas.state import verify
from phosphene.store.atlas import AtlasFolder
from phosphene.store.atlas.parts import read_name


def drop_unreadable_parts(folder: AtlasFolder, meter: Meter) -> frozenset[str]:
    """Remove parts that cannot be read, which would pass for done; pictures are not read for it.

    Packs are left to :func:`mend_damaged`, which keeps what is right of them.

    Returns:
        What cannot be read: digests that parts, of which it is the job, and packs are named by.

    Raises:
        StorageError: the atlas cannot be read or written.
    """
    meter.begin("checking", 0, None)
    index = folder.refresh()
    entries = {entry.path: entry for entry in index.all_files()}
    named = {one.path: name for one in index.damaged if (name := read_name(one.path)) is not None}
    for path, name in named.items():
        # One that has changed since is another builder's.
        if name.is_part and folder.place.entry(path) == entries[path]:
            folder.place.remove(path)
    return frozenset(name.digest for name in named.values())


def mend_damaged(folder: AtlasFolder, meter: Meter) -> frozenset[str]:
    """Read every row, and remove jobs of which rows are damaged or missing, and parts of which readers take no row.

    Returns:
        Ids of the jobs that were not whole.

    Raises:
        StorageError: the atlas cannot be read or written.
    """
    meter.begin("verifying", 0, None)
    report = verify(folder, progress=meter.reach)
    # A file that is being written may be another builder's, and so may a pack whose parts are about to go.
    packs = {one.path for one in report.doubled if not _is_part(one.path)} - {one.path for one in report.damaged}
    drops = [drop for drop in report.drops if not drop.entry.is_temporary and drop.entry.path not in packs]
    if drops:
        folder.mend(replace(report, drops=tuple(drops)))
    return frozenset(one.job for one in report.missing)


def _is_part(path: str) -> bool:
    name = read_name(path)
    return name is not None and name.is_part
