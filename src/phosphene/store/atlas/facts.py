"""What is known of the units of a layer, as a Parquet file: a row a unit, in unit order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from phosphene.errors import ParameterError
from phosphene.store.atlas.checksums import checksum
from phosphene.store.atlas.damage import DamagedRowError, guarded
from phosphene.store.atlas.forms import to_form
from phosphene.store.atlas.libraries import arrow, taken
from phosphene.store.atlas.places import Entry, Place
from phosphene.store.atlas.records import Answers, FactExample, Link, UnitFacts

#: Units in a row group: about a megabyte where each has a dozen crops.
_GROUP = 32


def facts_path(slug: str) -> str:
    """Where the facts of a layer lie."""
    return f"facts/{slug}.parquet"


def write_facts(place: Place, slug: str, layer: str, rows: Iterable[UnitFacts]) -> None:
    """Write the facts of a layer, a row group at a time.

    Raises:
        ParameterError: a row is of another layer, out of order, or fits no column.
        StorageError: the file cannot be written.
    """
    pa = arrow()
    rows, last = iter(rows), -1
    with (
        place.replacing(facts_path(slug)) as path,
        pa.parquet.ParquetWriter(path, facts_schema(), **_OPTIONS) as writer,
    ):
        while group := list(islice(rows, _GROUP)):
            for row in group:
                if row.layer != layer or row.unit <= last:
                    raise ParameterError(
                        f"facts of {row.layer!r} unit {row.unit} came; "
                        f"expected units of {layer!r} above {last}, each once"
                    )
                last = row.unit
            writer.write_table(_table(group), row_group_size=_GROUP)


def read_facts(
    place: Place, slug: str, *, start: int | None = None, stop: int | None = None, images: bool = True
) -> Iterator[UnitFacts]:
    """The facts of a layer, a row group at a time; nothing where there is no file.

    Args:
        place: the atlas.
        slug: the layer's folder name.
        start, stop: only units from ``start`` on, and before ``stop``.
        images: without them the examples' crops are None, and nothing is compared with its checksum.

    Raises:
        DamagedFileError: a row is not what was written.
        StorageError: the file cannot be read.
    """
    entry = place.entry(facts_path(slug))
    if entry is None:
        return
    file = open_facts(place, entry)
    try:
        for group, rows in _stretch(entry, file, start, stop):
            table = guarded(entry, lambda group=group: file.read_row_group(group, columns=None if images else _SMALL))
            yield from guarded(entry, lambda table=table, rows=rows: _rows(taken(table, rows), images=images))
    finally:
        file.close(force=True)


def read_unit_facts(place: Place, slug: str, unit: int) -> UnitFacts | None:
    """The facts of a unit; only its row group is read. Raises as `read_facts` does."""
    return next(read_facts(place, slug, start=unit, stop=unit + 1), None)


def _stretch(entry: Entry, file: Any, start: int | None, stop: int | None) -> Iterator[tuple[int, list[int]]]:
    """Row groups that hold units of a stretch, and which of their rows."""
    units = guarded(entry, lambda: file.read(columns=["unit"])["unit"].to_pylist())
    first = 0
    for group in range(file.metadata.num_row_groups):
        size = file.metadata.row_group(group).num_rows
        here = units[first : first + size]
        first += size
        fits = (start is None or u >= start for u in here), (stop is None or u < stop for u in here)
        rows = [i for i, (low, high) in enumerate(zip(*fits, strict=True)) if low and high]
        if rows:
            yield group, rows


_LINKS = ("correlated", "similar", "inputs", "outputs")
#: Columns without the crops.
_SMALL = [
    *("layer", "unit", "label", "answers", *_LINKS, "checksum"),
    *(f"examples.list.element.{name}" for name in ("kind", "rank", "value", "key", "box")),
]
_OPTIONS = {"compression": "zstd", "write_statistics": False, "write_page_checksum": True}


def facts_schema() -> Any:
    """The pyarrow schema of facts."""
    pa = arrow()

    def several(value: Any) -> Any:
        return pa.list_(pa.field("element", value))

    links = several(pa.struct([("layer", pa.string()), ("unit", pa.int32()), ("strength", pa.float64())]))
    numbers = ("mean", "std", "min", "max", "above_zero")
    answers = [("n", pa.int64()), *((name, pa.float64()) for name in numbers)]
    answers += [(name, several(pa.float64())) for name in ("fractions", "quantiles", "edges", "shares")]
    example = [("kind", pa.string()), ("rank", pa.int32()), ("value", pa.float64()), ("key", pa.string())]
    example += [("box", several(pa.int32())), ("image", pa.binary())]
    return pa.schema(
        [
            *(("layer", pa.string()), ("unit", pa.int32()), ("label", pa.string()), ("answers", pa.struct(answers))),
            ("examples", several(pa.struct(example))),
            *((name, links) for name in _LINKS),
            ("checksum", pa.string()),
        ]
    )


def _table(rows: list[UnitFacts]) -> Any:
    pa = arrow()
    whole = facts_schema()
    try:
        table = pa.Table.from_pylist([to_form(row) for row in rows], pa.schema(list(whole)[:-1]))
    except (pa.ArrowException, OverflowError, TypeError, ValueError) as error:
        raise ParameterError(f"facts do not fit the columns of an atlas: {error}") from error
    # Of the columns' values, not of the caller's: a whole number in a column of reals is read as a real.
    checksums = pa.array([checksum(_row(values)) for values in table.to_pylist()])
    return table.append_column("checksum", checksums)


def open_facts(place: Place, entry: Entry) -> Any:
    """The open file of facts. Raises as `read_facts` does."""

    def opened() -> Any:
        file = arrow().parquet.ParquetFile(place.source(entry), pre_buffer=True, page_checksum_verification=True)
        if not file.schema_arrow.equals(facts_schema()):
            raise DamagedRowError("its columns are not those of facts")
        return file

    return guarded(entry, opened)


def _rows(table: Any, *, images: bool) -> list[UnitFacts]:
    found: list[UnitFacts] = []
    for values in table.to_pylist():
        written = values.pop("checksum")
        row = _row(values)
        if images and checksum(row) != written:
            raise DamagedRowError(f"the checksum of unit {row.unit} is wrong")
        found.append(row)
    return found


def _row(values: dict[str, Any]) -> UnitFacts:
    """A row of values that have their columns' types."""
    fields = dict(values)
    fields |= {name: tuple(Link(**link) for link in values[name]) for name in _LINKS}
    fields["examples"] = tuple(FactExample(**_tuples({"image": None, **one})) for one in values["examples"])
    fields["answers"] = None if values["answers"] is None else Answers(**_tuples(values["answers"]))
    return UnitFacts(**fields)


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if type(value) is list else value for name, value in values.items()}
