"""Facts of a layer whose file is written again, or removed, while it is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from phosphene.errors import StorageError
from phosphene.store.atlas.damage import DamagedFileError
from phosphene.store.atlas.facts import facts_path, read_facts
from phosphene.store.atlas.moving import LOOKS, listed, may_have_moved
from phosphene.store.atlas.places import Entry, Place
from phosphene.store.atlas.records import UnitFacts


def facts_steadily(
    place: Place, slug: str, *, start: int | None = None, stop: int | None = None, images: bool = True
) -> Iterator[UnitFacts]:
    """The facts of a layer as :func:`~phosphene.store.atlas.facts.read_facts` gives them. Where the file is written
    again meanwhile the units that follow are those of the new one, where it is removed none follows.
    """
    failed_at = set[int | None]()
    while True:
        try:
            for row in read_facts(place, slug, start=start, stop=stop, images=images):
                yield row
                start = row.unit + 1
            return
        except StorageError as error:
            if not may_have_moved(error) or start in failed_at:
                raise
            failed_at.add(start)


def damaged_facts(place: Place, slugs: Mapping[str, str]) -> dict[Entry, str]:
    """Files of facts of which a row is not what was written, and why; each is there as it was read."""
    entries = {entry.path: entry for entry in place.entries("facts")}
    found = (_damage(place, slug, entries.get(facts_path(slug))) for slug in slugs.values())
    return dict(one for one in found if one is not None)


def _damage(place: Place, slug: str, entry: Entry | None) -> tuple[Entry, str] | None:
    """What is wrong with the facts of a layer, whose file was listed as ``entry``, and with which file."""
    for _ in range(LOOKS):
        try:
            for _row in read_facts(place, slug):
                pass
        except StorageError as error:
            if not may_have_moved(error):
                raise
            before, entry = entry, listed(place, facts_path(slug))
            if isinstance(error, DamagedFileError) and entry is not None and entry == before:
                return entry, error.reason
        else:
            return None
    return None
