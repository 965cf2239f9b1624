"""Taking out of an atlas what is not right, so that a build makes it again."""

from __future__ import annotations

from phosphene.errors import StorageError
from phosphene.store.atlas.damage import DamagedFileError
from phosphene.store.atlas.moving import is_as_listed
from phosphene.store.atlas.packing import Chunk, Piece, pack
from phosphene.store.atlas.parts import pack_path, read_name
from phosphene.store.atlas.places import Entry, Place, is_missing
from phosphene.store.atlas.report import Drop, Report


def mend(place: Place, report: Report) -> int:
    """Do what a report asks for; see :meth:`~phosphene.store.atlas.folder.AtlasFolder.mend`.

    Raises:
        StorageError: a file cannot be written or removed.
    """
    there = set(place.entries("")) if report.drops else set[Entry]()
    drops = [drop for drop in report.drops if drop.entry in there]  # not what is gone, or written again since
    gone = {drop.entry.path for drop in drops if not drop.rest and _removed(place, drop.entry)}
    taken = {entry.path for entry in there} - gone
    return len(gone) + sum(_salvaged(place, drop, taken) for drop in drops if drop.rest)


def _salvaged(place: Place, drop: Drop, taken: set[str]) -> bool:
    """Write what is right of a pack as another one; not over one that is there, which then is mended another time, and
    not of one that somebody packs or writes again meanwhile.
    """
    entry, name = drop.entry, read_name(drop.entry.path)
    path = pack_path(name.slug if name else "", [job for _, job in drop.rest])
    if name is None or path in taken - {entry.path}:
        return False
    chunks = [Chunk(job, (Piece(entry, group),)) for group, job in drop.rest]
    try:
        taken.add(pack(place, name.slug, chunks, drop.generation + 1))
    except DamagedFileError as error:
        if not is_as_listed(place, entry):  # somebody has written it again since
            return False
        raise StorageError(f"{entry.path} is being damaged while it is mended: {error.reason}") from error
    except StorageError as error:
        if is_missing(error):  # somebody has packed it since
            return False
        raise
    if path != entry.path:  # else all its rows were right, and what stands around them was not
        _removed(place, entry)
    return True


def _removed(place: Place, entry: Entry) -> bool:
    """Remove a file unless it was written again since it was listed: in a folder of this machine up to the moment
    before; far away, where a file alone may be described in other words than in a listing, up to the listing.
    """
    same = place.local is None or place.entry(entry.path) == entry
    if same:
        place.remove(entry.path)
    return same
