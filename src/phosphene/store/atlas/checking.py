"""Looking through an atlas row by row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from phosphene.errors import StorageError
from phosphene.store.atlas import facts
from phosphene.store.atlas.damage import DamagedFileError
from phosphene.store.atlas.footers import check_seal
from phosphene.store.atlas.index import Damaged
from phosphene.store.atlas.index_rows import rank
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


def verify(
    place: Place,
    slugs: Mapping[str, str],
    jobs: Iterable[_Planned] | None,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Read every row of an atlas; see :meth:`~phosphene.store.atlas.folder.AtlasFolder.verify`."""
    layers = {slug: layer for layer, slug in slugs.items()}
    entries = [entry for entry in place.entries("") if not entry.path.startswith(_FOREIGN)]
    rows = [e for e in entries if (name := read_name(e.path)) is not None and name.slug in layers]
    files: list[_Looked] = []
    tell = progress or (lambda _done, _all: None)
    for number, entry in enumerate(rows):
        tell(number, len(rows))
        files += _look(place, entry, layers)
    tell(len(rows), len(rows))
    return _report(files, jobs or (), _strays(entries, rows), _damaged_facts(place, slugs))


def _look(place: Place, entry: Entry, layers: Mapping[str, str]) -> list[_Looked]:
    """Read all rows of a file; nothing where somebody has packed it since it was listed."""
    name = read_name(entry.path)
    layer = layers[name.slug if name else ""]
    looked = _Looked(entry)
    try:
        file = RowsFile(place, entry)
    except DamagedFileError as error:
        looked.reason = error.reason
        return [looked]
    except StorageError as error:
        if is_missing(error):
            return []
        raise
    try:
        looked.generation = file.contents.generation
        for group, job in enumerate(file.contents.jobs):
            looked.holdings.append(_hold(file, looked, group, job, layer))
        check_seal(place, entry)
    except DamagedFileError as error:
        looked.reason = error.reason
    finally:
        file.close()
    return [looked]


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


def _report(
    files: list[_Looked], planned: Iterable[_Planned], strays: list[Entry], damaged_facts: Mapping[Entry, str]
) -> Report:
    right = _right(files)
    missing = tuple(_missing(planned, right))
    doubled = _doubled(files, right)
    removed = [*damaged_facts, *(entry for entry in strays if entry.is_temporary)]
    statuses = Counter(holding.pictures[picture_id] for picture_id, holding in right.items())
    damaged = [Damaged(file.entry.path, _reason(file)) for file in files if _reason(file)]
    return Report(
        n_pictures=len(right),
        n_ok=statuses["ok"],
        by_status=dict(statuses),
        missing=missing,
        damaged=(*damaged, *(Damaged(entry.path, reason) for entry, reason in damaged_facts.items())),
        doubled=tuple(Doubled(holding.file.entry.path, holding.job) for holding in doubled),
        strays=tuple(entry.path for entry in strays),
        bytes=sum(file.entry.size for file in files),
        drops=(*_drops(files, doubled, {lost.job for lost in missing}), *(Drop(entry, None) for entry in removed)),
    )


def _missing(planned: Iterable[_Planned], right: Mapping[str, _Holding]) -> Iterator[Missing]:
    for job, layer, ids in planned:
        lost = tuple(picture_id for picture_id in ids if picture_id not in right)
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


def _strays(entries: list[Entry], rows: list[Entry]) -> list[Entry]:
    """Files that were never finished, anywhere, and others among the rows."""
    known = {entry.path for entry in rows}
    return [e for e in entries if e.is_temporary or (e.path.startswith("data/") and e.path not in known)]


def _damaged_facts(place: Place, slugs: Mapping[str, str]) -> dict[Entry, str]:
    """Files of facts of which a row is not what was written, and why."""
    entries = {entry.path: entry for entry in place.entries("facts")}
    found: dict[Entry, str] = {}
    for slug in slugs.values():
        try:
            for _ in facts.read_facts(place, slug):
                pass
        except DamagedFileError as error:
            if error.path in entries:
                found[entries[error.path]] = error.reason
    return found
