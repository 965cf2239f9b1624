"""Looking through an atlas row by row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import TypeAlias

from phosphene.errors import StorageError
from phosphene.store.atlas.damage import DamagedFileError
from phosphene.store.atlas.facts_again import damaged_facts
from phosphene.store.atlas.footers import check_seal
from phosphene.store.atlas.index import Damaged
from phosphene.store.atlas.index_rows import rank
from phosphene.store.atlas.moving import LOOKS, is_as_listed
from phosphene.store.atlas.parts import RowsFile, read_name
from phosphene.store.atlas.places import Entry, Place, is_missing
from phosphene.store.atlas.report import Doubled, Drop, Missing, Report

_Planned: TypeAlias = tuple[str, str, Sequence[str]]
#: Folders of an atlas in which others keep order.
_FOREIGN = ("collecting/", "activations/")


@dataclass(eq=False)
class _Holding:
    """The rows of a job in a file, and the statuses of its pictures by their ids; none where a row is damaged."""

    file: _Looked
    group: int
    job: str
    pictures: dict[str, str] = field(default_factory=dict[str, str])
    reason: str = ""

    def preference(self, picture_id: str) -> tuple[bool, int, int, str]:
        """Of the holdings of a picture, the one with the least is right: as readers have it."""
        return self.pictures[picture_id] != "ok", self.file.rank, -len(self.pictures), self.file.entry.path


@dataclass(eq=False)
class _Looked:
    """A file of rows that was looked through; without holdings where nothing of it can be read."""

    entry: Entry
    generation: int = 0
    holdings: list[_Holding] = field(default_factory=list[_Holding])
    reason: str = ""

    @property
    def rank(self) -> int:
        return rank(self.generation)


@dataclass(frozen=True, eq=False)
class _Sight:
    """What an atlas holds.

    Attributes:
        listed: its files.
        rows: of these, the files of rows.
        files: what was read of them.
        moved: ids of pictures that may be where nobody has read yet, as files were packed each time they were read;
            none where all files were read that there were at a moment.
    """

    listed: list[Entry]
    rows: list[Entry]
    files: list[_Looked]
    moved: frozenset[str] = frozenset()


def verify(
    place: Place,
    slugs: Mapping[str, str],
    jobs: Iterable[_Planned] | None,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Read every row of an atlas; see :meth:`~phosphene.store.atlas.folder.AtlasFolder.verify`."""
    layers = {slug: layer for layer, slug in slugs.items()}
    files = _Files(place, layers, progress or (lambda _done, _all: None))
    sight = _settled(files)
    files.end()
    return _report(sight, jobs or (), damaged_facts(place, slugs))


def _settled(files: _Files) -> _Sight:
    """What is in the files that are there, read one by one.

    They are listed again after they were read, until all that were listed before are still there: a listing that a
    packing overtakes may show neither the old file nor the new one, the next one does. A file that was wrong when it
    was read may have been written again since it was listed, and was not if the next listing has it too.
    """
    before: set[Entry] | None = None
    listed: list[Entry] = []
    rows: list[Entry] = []
    for _ in range(LOOKS):
        listed = [entry for entry in files.place.entries("") if not entry.path.startswith(_FOREIGN)]
        rows = [e for e in listed if (name := read_name(e.path)) is not None and name.slug in files.layers]
        all_right = files.read(rows)
        if all_right and before is not None and before <= set(rows):
            return _Sight(listed, rows, files.of(rows))
        before = set(rows)
    there = [file for file in files.of(rows) if not _reason(file) or is_as_listed(files.place, file.entry)]
    return _Sight(listed, rows, there, files.pictures())


class _Files:
    """Files of rows, each of which is read once.

    Args:
        place: the atlas.
        layers: their layers by the names of their folders.
        tell: called with the files read and their number.
    """

    def __init__(self, place: Place, layers: Mapping[str, str], tell: Callable[[int, int], None]) -> None:
        self.place, self.layers, self._tell = place, layers, tell
        self._looked: dict[Entry, _Looked] = {}
        self._n_opened = 0

    def read(self, rows: Iterable[Entry]) -> bool:
        """Read those that were not read before; whether they were all there, and right."""
        fresh = [entry for entry in rows if entry not in self._looked]
        n, n_right = self._n_opened + len(fresh), 0
        for entry in fresh:
            self._tell(self._n_opened, n)
            self._n_opened += 1
            name = read_name(entry.path)
            looked = _look(self.place, entry, self.layers[name.slug if name else ""])
            if looked is not None:
                self._looked[entry] = looked
                n_right += not _reason(looked)
        return n_right == len(fresh)

    def end(self) -> None:
        """Tell that no more are read."""
        self._tell(self._n_opened, self._n_opened)

    def of(self, rows: Iterable[Entry]) -> list[_Looked]:
        """Some files, as far as they were read."""
        return [self._looked[entry] for entry in rows if entry in self._looked]

    def pictures(self) -> frozenset[str]:
        """Ids of pictures whose rows were right in a file that was read, be it gone by now."""
        return frozenset(i for one in self._looked.values() for held in one.holdings for i in held.pictures)


def _look(place: Place, entry: Entry, layer: str) -> _Looked | None:
    """Read all rows of a file; None where somebody has packed it since it was listed."""
    looked = _Looked(entry)
    try:
        with closing(RowsFile(place, entry)) as file:
            looked.generation = file.contents.generation
            for group, job in enumerate(file.contents.jobs):
                looked.holdings.append(_hold(file, looked, group, job, layer))
            check_seal(place, entry)
    except DamagedFileError as error:
        looked.reason = error.reason
    except StorageError as error:
        if not is_missing(error):
            raise
        return None
    return looked


def _hold(file: RowsFile, looked: _Looked, group: int, job: str, layer: str) -> _Holding:
    holding = _Holding(looked, group, job)
    try:
        pictures = file.pictures(group)
    except DamagedFileError as error:
        holding.reason = error.reason
        return holding
    holding.pictures = {picture.id: picture.status for picture in pictures}
    if any((p.job, p.layer) != (job, layer) for p in pictures) or len(holding.pictures) < len(pictures):
        holding.pictures, holding.reason = {}, f"the row group of job {job!r} holds rows that do not belong there"
    return holding


def _report(sight: _Sight, planned: Iterable[_Planned], facts: Mapping[Entry, str]) -> Report:
    files, strays = sight.files, _strays(sight)
    right = _right(files)
    missing = tuple(_missing(planned, sight.moved.union(right)))
    doubled = _doubled(files, right)
    removed = [*facts, *(entry for entry in strays if entry.is_temporary)]
    statuses = Counter(holding.pictures[picture_id] for picture_id, holding in right.items())
    damaged = [Damaged(file.entry.path, _reason(file)) for file in files if _reason(file)]
    return Report(
        n_pictures=len(right),
        n_ok=statuses["ok"],
        by_status=dict(statuses),
        missing=missing,
        damaged=(*damaged, *(Damaged(entry.path, reason) for entry, reason in facts.items())),
        doubled=tuple(Doubled(holding.file.entry.path, holding.job) for holding in doubled),
        strays=tuple(entry.path for entry in strays),
        bytes=sum(file.entry.size for file in files),
        drops=(*_drops(files, doubled, {lost.job for lost in missing}), *(Drop(entry, None) for entry in removed)),
    )


def _missing(planned: Iterable[_Planned], there: Container[str]) -> Iterator[Missing]:
    for job, layer, ids in planned:
        lost = tuple(picture_id for picture_id in ids if picture_id not in there)
        if lost:
            yield Missing(job, layer, lost)


def _doubled(files: list[_Looked], right: Mapping[str, _Holding]) -> list[_Holding]:
    """Holdings of which readers take no row."""
    holdings = [holding for file in files for holding in file.holdings]
    return [held for held in holdings if held.pictures and all(right[i] is not held for i in held.pictures)]


def _right(files: list[_Looked]) -> dict[str, _Holding]:
    """Which holding readers take each picture from."""
    right: dict[str, _Holding] = {}
    for holding in (holding for file in files for holding in file.holdings):
        for picture_id in holding.pictures:
            other = right.get(picture_id)
            if other is None or holding.preference(picture_id) < other.preference(picture_id):
                right[picture_id] = holding
    return right


def _drops(files: list[_Looked], doubled: list[_Holding], incomplete: set[str]) -> Iterator[Drop]:
    ids = {id(holding) for holding in doubled}
    for file in files:
        bad = [held for held in file.holdings if held.reason or id(held) in ids or held.job in incomplete]
        rest = tuple((held.group, held.job) for held in file.holdings if held not in bad)
        if not rest and (bad or file.reason):
            yield Drop(file.entry, None)
        elif bad or file.reason:
            yield Drop(file.entry, tuple(held.job for held in bad), rest, file.generation)


def _reason(file: _Looked) -> str:
    return file.reason or next((holding.reason for holding in file.holdings if holding.reason), "")


def _strays(sight: _Sight) -> list[Entry]:
    """Files that were never finished, anywhere, and others among the rows."""
    known = {entry.path for entry in sight.rows}
    return [e for e in sight.listed if e.is_temporary or (e.path.startswith("data/") and e.path not in known)]
