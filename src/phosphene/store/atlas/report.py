"""What a look through an atlas finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from phosphene.store.atlas.index import Damaged
from phosphene.store.atlas.places import Entry


@dataclass(frozen=True)
class Missing:
    """Planned pictures of a job that have no row, or a damaged one."""

    job: str
    layer: str
    ids: tuple[str, ...]


@dataclass(frozen=True)
class Doubled:
    """A job whose rows are in another file as well, which readers take."""

    path: str
    job: str


@dataclass(frozen=True)
class Drop:
    """A file that is not right.

    Attributes:
        entry: the file as it was looked at; one that has changed since is left alone.
        jobs: those whose rows go; None for the whole file.
        rest: row groups that stay, and their jobs.
        generation: of the file.
    """

    entry: Entry
    jobs: tuple[str, ...] | None
    rest: tuple[tuple[int, str], ...] = ()
    generation: int = 0


@dataclass(frozen=True)
class Report:
    """What was found in an atlas.

    Attributes:
        n_pictures: rows that are right, each picture once.
        n_ok: of these, pictures that came out.
        by_status: rows by their status.
        missing: planned pictures without a row that is right.
        damaged: files of which something is not what was written.
        doubled: jobs that are in several files, beyond the one that readers take.
        strays: files that were never finished, and files that belong to no job of this atlas.
        bytes: of all files of rows.
        drops: what `mend` takes out of which file.
    """

    n_pictures: int
    n_ok: int
    by_status: Mapping[str, int]
    missing: tuple[Missing, ...]
    damaged: tuple[Damaged, ...]
    doubled: tuple[Doubled, ...]
    strays: tuple[str, ...]
    bytes: int
    drops: tuple[Drop, ...]

    @property
    def is_whole(self) -> bool:
        """Whether every planned row is there and right, once."""
        return not (self.missing or self.damaged or self.doubled)
