"""What a collection of photographs says of units, in the form in which an atlas keeps it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from phosphene.collection import Collection
from phosphene.collection.statistics import UnitStatistics, statistics_of
from phosphene.errors import ImageError, StorageError
from phosphene.store.atlas.records import Answers, FactExample, Link
from phosphene.store.jpeg import encode_jpeg
from phosphene.store.tiles import read_jpeg

#: Examples of each kind that are kept at most; those nearest to zero only where they are not the smallest ones.
KEPT = MappingProxyType({"top": 9, "bottom": 4, "zero": 4})
#: Bins of the histogram.
N_BINS = 32
#: Channels that are named as answering alike, at most.
N_CORRELATED = 8
_QUALITY = 85  # of the crops' JPEGs; they are cut from sheets of that quality
_SHIFT = 32  # bits of a channel's number


@dataclass(frozen=True)
class Seen:
    """What photographs say of a unit.

    Attributes:
        answers: how it answers them, by its mean over positions.
        examples: those that stand out, by its maximum over positions.
        correlated: units that answer them alike.
    """

    answers: Answers | None = None
    examples: tuple[FactExample, ...] = ()
    correlated: tuple[Link, ...] = ()


@dataclass(frozen=True, eq=False)
class Photographs:
    """A collection, read a few units at a time.

    Attributes:
        collection: by "max" and "mean".
    """

    collection: Collection

    def of(self, layer: str, units: Sequence[int]) -> Iterator[Seen]:
        """What is said of some units of a layer, in their order.

        Raises:
            StorageError: a table is damaged, or a unit is not in the collection.
        """
        numbers = _grouped(self._numbers.rows(layer, units))
        examples = _grouped(self._examples.rows(layer, units))
        for unit in units:
            rows = [row for row in numbers.get(unit, ()) if row["reduction"] == "mean"]
            if len(rows) != 1:
                raise StorageError(f"{self.collection.directory} has {len(rows)} rows for {layer}:{unit}; expected 1")
            statistics = statistics_of(rows[0], ())
            correlated = tuple(Link(layer, other, r) for other, r in statistics.correlated[:N_CORRELATED])
            yield Seen(_answers(statistics), tuple(self._standing_out(examples.get(unit, ()))), correlated)

    @cached_property
    def _numbers(self) -> _Table:
        return _Table(self.collection.units_table())

    @cached_property
    def _examples(self) -> _Table:
        return _Table(self.collection.examples_table())

    def _standing_out(self, rows: Sequence[Mapping[str, Any]]) -> Iterator[FactExample]:
        kept = [row for row in rows if row["reduction"] == "max" and row["rank"] < KEPT[row["kind"]]]
        keys = {kind: [row["key"] for row in kept if row["kind"] == kind] for kind in KEPT}
        sheets = {name: self._sheet(name) for name in {row["sheet"] for row in kept}}
        for row in kept:
            # Where all answers lie above 0, the smallest are those nearest to it.
            if row["kind"] != "zero" or keys["zero"] != keys["bottom"]:
                yield FactExample(
                    **{name: row[name] for name in ("kind", "rank", "value", "key")},
                    box=(row["top"], row["left"], row["bottom"], row["right"]),
                    image=self._tile(sheets[row["sheet"]], row["tile"]),
                )

    def _sheet(self, name: str) -> npt.NDArray[Any] | None:
        """The pixels of a sheet; None where there is none, as for a photograph that was gone, or it is damaged."""
        path = self.collection.directory / name
        if not name or not path.resolve().is_relative_to(self.collection.directory.resolve()):
            return None
        try:
            return read_jpeg(path)
        except (StorageError, ImageError):
            return None

    def _tile(self, sheet: npt.NDArray[Any] | None, tile: int) -> bytes | None:
        if sheet is None:
            return None
        of = self.collection.description
        top, left = (n * of.tile for n in divmod(tile, of.columns))
        cut = sheet[top : top + of.tile, left : left + of.tile]
        return encode_jpeg(cut, quality=_QUALITY) if cut.shape[:2] == (of.tile, of.tile) else None


class _Table:
    """Rows of a table of a collection by layer and channel."""

    def __init__(self, table: Any) -> None:
        self._table = table
        layers = table.column("layer").combine_chunks().dictionary_encode()
        self._codes: dict[str, int] = {name: i for i, name in enumerate(layers.dictionary.to_pylist())}
        codes = layers.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        keys = (codes << _SHIFT) | table.column("channel").to_numpy().astype(np.int64)
        self._order = np.argsort(keys, kind="stable")
        self._keys = keys[self._order]

    def rows(self, layer: str, units: Sequence[int]) -> list[dict[str, Any]]:
        """The rows of some units, unit after unit, those of one in the table's order."""
        keys = (self._codes.get(layer, -1) << _SHIFT) | np.asarray(units, np.int64)
        first, last = (np.searchsorted(self._keys, keys, side=side) for side in ("left", "right"))
        places = [self._order[start:stop] for start, stop in zip(first, last, strict=True)]
        return self._table.take(np.concatenate([np.empty(0, np.int64), *places])).to_pylist()


def _grouped(rows: Sequence[dict[str, Any]]) -> dict[int, list[dict[str, Any]]]:
    found: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row["channel"], []).append(row)
    return found


def _answers(of: UnitStatistics) -> Answers:
    edges, shares = of.histogram(N_BINS)
    fractions, quantiles = zip(*of.quantiles, strict=True)
    return Answers(
        n=of.n,
        mean=of.mean,
        std=of.std,
        min=of.min,
        max=of.max,
        above_zero=of.above_zero,
        fractions=fractions,
        quantiles=quantiles,
        edges=tuple(edges.tolist()),
        shares=tuple(shares.tolist()),
    )
