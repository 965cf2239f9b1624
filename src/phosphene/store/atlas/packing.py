"""Writing a pack: row groups of other files, each row compared with its checksum before and after."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from phosphene.errors import StorageError
from phosphene.store.atlas.columns import to_pictures
from phosphene.store.atlas.damage import DamagedFileError, guarded
from phosphene.store.atlas.footers import seal_file
from phosphene.store.atlas.index_rows import Array
from phosphene.store.atlas.libraries import arrow, taken
from phosphene.store.atlas.parts import Contents, RowsFile, pack_path, row_writer
from phosphene.store.atlas.places import Entry, Place


@dataclass(frozen=True, eq=False)
class Piece:
    """Rows of a row group of a file.

    Attributes:
        entry: the file.
        group: the row group.
        rows: which of it, and in which order; None for all as they lie there.
        ids: of the pictures that these rows were when they were chosen, as bytes; None for all.
    """

    entry: Entry
    group: int
    rows: Array | None = None
    ids: Array | None = None


@dataclass(frozen=True, eq=False)
class Chunk:
    """What becomes a row group: rows of a job, of one file or of several."""

    job: str
    pieces: tuple[Piece, ...]


def pack(place: Place, slug: str, chunks: Sequence[Chunk], generation: int) -> str:
    """Write chunks as one file, in their order, wholly or not at all, and read it again.

    Returns the file's path.

    Raises:
        DamagedFileError: a piece, named by its file, is not what was written or chosen; nothing was written then.
        StorageError: a file cannot be read or written.
    """
    contents = Contents(tuple(chunk.job for chunk in chunks), generation)
    path = pack_path(slug, contents.jobs)
    with place.replacing(path) as file:
        with row_writer(str(file), contents) as writer, _Reading(place).open() as reading:
            for chunk in chunks:
                table = arrow().concat_tables([reading.table(piece) for piece in chunk.pieces])
                writer.write_table(table, row_group_size=len(table))
        seal_file(file)
    _check(place, path, contents)
    return path


class _Reading:
    """Reads pieces, with the last file kept open."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._file: RowsFile | None = None

    @contextmanager
    def open(self) -> Generator[_Reading, None, None]:
        try:
            yield self
        finally:
            if self._file is not None:
                self._file.close()

    def table(self, piece: Piece) -> Any:
        if self._file is None or self._file.entry != piece.entry:
            if self._file is not None:
                self._file.close()
            self._file = RowsFile(self._place, piece.entry)
        table = self._file.table(piece.group)
        if piece.rows is not None:
            rows: list[int] = piece.rows.tolist()
            table = guarded(piece.entry, lambda whole=table: taken(whole, rows))
        pictures = guarded(piece.entry, lambda: to_pictures(table))
        if piece.ids is not None and [picture.id.encode() for picture in pictures] != piece.ids.tolist():
            raise DamagedFileError(piece.entry.path, "its rows are not where they were")
        return table


def _check(place: Place, path: str, contents: Contents) -> None:
    entry = place.entry(path)
    if entry is None:
        gone = f"{path} was written and is not there; check who else writes to the atlas"
        raise StorageError(gone) from FileNotFoundError(path)
    file = RowsFile(place, entry)
    try:
        if file.contents.jobs == contents.jobs:
            for group in range(len(contents.jobs)):
                file.pictures(group)
    finally:
        file.close()
