"""Files of rows: a part holds one job, a pack holds many, with a row group for each."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

from phosphene.errors import ParameterError
from phosphene.store.atlas.columns import schema, to_pictures, to_table
from phosphene.store.atlas.damage import DamagedRowError, guarded
from phosphene.store.atlas.footers import SEAL, UNSEALED, sealed
from phosphene.store.atlas.libraries import arrow, taken
from phosphene.store.atlas.places import Entry, Place
from phosphene.store.atlas.records import Picture

_KEY = "phosphene"
#: Rows of which columns are read at once, at least: as much as needs little memory beside what is kept of them.
_STRETCH = 4096
_NAME = re.compile(r"data/(?P<slug>[^/]+)/(?P<kind>part|pack)-(?P<digest>[A-Za-z0-9._-]{1,160})\.parquet")


@dataclass(frozen=True)
class RowsName:
    """What the path of a file of rows says: the layer's folder, and the job of a part or the digest of a pack."""

    slug: str
    is_part: bool
    digest: str


def read_name(path: str) -> RowsName | None:
    """What a path says; None where it is no path of a file of rows."""
    match = _NAME.fullmatch(path)
    return RowsName(match["slug"], match["kind"] == "part", match["digest"]) if match else None


def part_path(slug: str, job: str) -> str:
    """Where the part of a job lies. Raises `ParameterError` for an id that is no file name."""
    path = f"data/{slug}/part-{job}.parquet"
    if read_name(path) is None:
        raise ParameterError(f"job is {job!r}; expected letters, digits, '.', '_' and '-', at most 160")
    return path


def pack_path(slug: str, jobs: Iterable[str]) -> str:
    """Where the pack of some jobs lies."""
    digest = hashlib.sha256("\n".join(sorted(jobs)).encode()).hexdigest()[:32]
    return f"data/{slug}/pack-{digest}.parquet"


@dataclass(frozen=True)
class Contents:
    """What a file of rows says of itself.

    Attributes:
        jobs: the job of each row group.
        generation: 0 for a part; a pack's is above those of the files that it was made of, and where two packs hold a
            row, the higher one's is the newer.
    """

    jobs: tuple[str, ...]
    generation: int = 0

    def metadata(self) -> dict[str, str]:
        """The form that stands in the schema."""
        text = json.dumps({"format": 1, "generation": self.generation, "jobs": list(self.jobs)})
        return {_KEY: text, SEAL: UNSEALED}


def encode_part(job: str, layer: str, pictures: Sequence[Picture]) -> bytes:
    """The bytes of a part. Raises `ParameterError` for rows that no part holds."""
    if {(p.job, p.layer) for p in pictures} != {(job, layer)} or len({p.id for p in pictures}) < len(pictures):
        raise ParameterError(
            f"pictures are {len(pictures)} rows; "
            f"expected at least one, all of job {job!r} and layer {layer!r}, no id twice"
        )
    sink = arrow().BufferOutputStream()
    contents = Contents((job,))
    with row_writer(sink, contents) as writer:
        writer.write_table(to_table(pictures, contents.metadata()), row_group_size=len(pictures))
    return sealed(sink.getvalue().to_pybytes())


@contextmanager
def row_writer(sink: Any, contents: Contents) -> Generator[Any, None, None]:
    """A pyarrow writer of one row group for each of the contents' jobs; the footer is to be sealed afterwards."""
    parquet = arrow().parquet
    # Pictures are compressed already; statistics would hold a picture's bytes again.
    own = {name: "zstd" for name in _leaves() if not name.startswith("image.")}
    compression = {**own, "image.bytes": "none", "image.path": "zstd"}
    with parquet.ParquetWriter(
        sink,
        schema(contents.metadata()),
        compression=compression,
        use_dictionary=["layer", "variant", "status", "recipe", "job"],
        write_statistics=False,
        write_page_checksum=True,
    ) as writer:
        yield writer


class RowsFile:
    """An open file of rows whose form was checked.

    Args:
        place: where it lies.
        entry: which file.
        footer: pyarrow's metadata of the file, if it was open before; then it need not be read again.

    Raises:
        StorageError: it cannot be read.
        DamagedFileError: it is not what was written, or not by phosphene.
    """

    def __init__(self, place: Place, entry: Entry, footer: Any = None) -> None:
        self.entry = entry
        self._file = guarded(entry, lambda: _open(place, entry, footer))

    @property
    def footer(self) -> Any:
        """pyarrow's metadata of the file."""
        return self._file.metadata

    @cached_property
    def contents(self) -> Contents:
        """What it says of itself, compared with its name and its row groups."""
        return guarded(self.entry, lambda: _contents(self.entry, self._file))

    def table(self, group: int, columns: Sequence[str] | None = None) -> Any:
        """A row group, or some of its columns."""
        return guarded(self.entry, lambda: self._file.read_row_group(group, columns=columns))

    def stretches(self, names: Sequence[str]) -> Iterator[tuple[Any, dict[int, int]]]:
        """Some columns of all rows, some row groups at a time, and how many rows each of these has, by its number."""
        sizes: dict[int, int] = {}
        n_groups = self.footer.num_row_groups
        for group in range(n_groups):
            sizes[group] = self.footer.row_group(group).num_rows
            if group == n_groups - 1 or sum(sizes.values()) >= _STRETCH:
                some, sizes = sizes, {}
                yield guarded(self.entry, lambda some=some: self._some(some, names)), some

    def _some(self, groups: Iterable[int], names: Sequence[str]) -> Any:
        # In this thread: buffers of other threads stay theirs, and are more than what is read.
        return self._file.read_row_groups(list(groups), columns=list(names), use_threads=False)

    def pictures(self, group: int, rows: Sequence[int] | None = None) -> list[Picture]:
        """The rows of a row group, or some of them, each compared with its checksum."""

        def read() -> list[Picture]:
            table = self._file.read_row_group(group)
            table.validate(full=True)
            return to_pictures(table if rows is None else taken(table, rows))

        return guarded(self.entry, read)

    def close(self) -> None:
        """Close the file."""
        self._file.close(force=True)


def _open(place: Place, entry: Entry, footer: Any) -> Any:
    source = place.source(entry)
    file = arrow().parquet.ParquetFile(source, metadata=footer, pre_buffer=True, page_checksum_verification=True)
    if not file.schema_arrow.equals(schema()):
        raise DamagedRowError("its columns are not those of an atlas")
    return file


def _contents(entry: Entry, file: Any) -> Contents:
    metadata = file.schema_arrow.metadata or {}
    document = json.loads(metadata.get(_KEY.encode(), b"null"))
    if not isinstance(document, dict) or document.get("format") != 1:
        raise DamagedRowError("it does not say what it holds")
    document = cast("dict[str, Any]", document)
    contents = Contents(tuple(str(job) for job in document["jobs"]), int(document["generation"]))
    name = read_name(entry.path)
    fits = 0 < len(contents.jobs) == file.metadata.num_row_groups == len(set(contents.jobs))
    if name is None or not fits or entry.path != _path_of(name, contents) or name.is_part != (contents.generation == 0):
        raise DamagedRowError("it does not hold what its name says")
    return contents


def _path_of(name: RowsName, contents: Contents) -> str:
    return part_path(name.slug, contents.jobs[0]) if name.is_part else pack_path(name.slug, contents.jobs)


def _leaves() -> list[str]:
    inside = {"image": ["image.bytes", "image.path"]}
    inside |= {name: [f"{name}.list.element"] for name in ("curve", "embedding")}
    return [leaf for name in schema().names for leaf in inside.get(name, [name])]
