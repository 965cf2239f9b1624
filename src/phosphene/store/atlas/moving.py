"""Files that move under a reader: whoever packs writes rows into another file and removes those that they were in."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from phosphene.errors import StorageError
from phosphene.store.atlas.damage import DamagedFileError
from phosphene.store.atlas.places import Entry, Place, is_missing

T = TypeVar("T")

#: How often rows that move are looked for. Once is enough where one builder packs; it takes several that pack one after
#: the other, each in the moment between a look and what is read by it, to use up so many.
LOOKS = 8


def may_have_moved(error: StorageError) -> bool:
    """Whether an error may come of a file that somebody packed, or wrote again, after it was listed."""
    return isinstance(error, DamagedFileError) or is_missing(error)


def listed(place: Place, path: str) -> Entry | None:
    """A file as a listing of its folder has it, in the same words as other listings, which an answer about one file may
    not have; None where it is not there.
    """
    return next((entry for entry in place.entries(path.rpartition("/")[0]) if entry.path == path), None)


def is_as_listed(place: Place, entry: Entry) -> bool:
    """Whether a file that was listed is there and has not been written again."""
    return listed(place, entry.path) == entry


def steadily(read: Callable[[], T]) -> T:
    """What ``read`` gives, tried once more where the file that it opened may have been written again or removed."""
    try:
        return read()
    except StorageError as error:
        if not may_have_moved(error):
            raise
    return read()
