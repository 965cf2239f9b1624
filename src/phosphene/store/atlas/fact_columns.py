"""The facts of a whole layer as arrays, without an object for each unit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from phosphene.errors import StorageError
from phosphene.store.atlas.damage import DamagedRowError, guarded
from phosphene.store.atlas.facts import facts_path, facts_schema, open_facts
from phosphene.store.atlas.libraries import arrow, coded, numbers
from phosphene.store.atlas.places import Entry, Place

Floats: TypeAlias = npt.NDArray[np.float64]
T = TypeVar("T")
OnDamage: TypeAlias = Callable[[StorageError], None]

#: Row groups that are read at once: two thousand units.
_AT_ONCE = 64
_SCALARS, _LISTS = ("n", "mean", "std", "min", "max", "above_zero"), ("fractions", "quantiles")


@dataclass(frozen=True, eq=False)
class LayerAnswers:
    """How the units of a layer answer photographs; a row a unit that has answers, in unit order.

    Attributes:
        unit: its number (n).
        n, mean, std, min, max, above_zero: as in :class:`~phosphene.store.atlas.records.Answers` (n).
        fractions, quantiles: the same (n q); where a unit has fewer than others, 1 and its maximum follow.
    """

    unit: npt.NDArray[np.int32]
    n: npt.NDArray[np.int64]
    mean: Floats
    std: Floats
    min: Floats
    max: Floats
    above_zero: Floats
    fractions: Floats
    quantiles: Floats

    def percentiles(self, values: Floats) -> Floats:
        """Of a value for each unit (n) what :meth:`Answers.percentile` says, bit for bit."""
        low, high = np.c_[self.min, self.quantiles], np.c_[self.quantiles, self.max]
        below, above = np.c_[np.zeros(len(self.n)), self.fractions], np.c_[self.fractions, np.ones(len(self.n))]
        holds = (low < values[:, None]) & (values[:, None] <= high)
        at = np.arange(len(values)), holds.argmax(1) if len(values) else np.empty(0, np.intp)
        with np.errstate(divide="ignore", invalid="ignore"):
            found = 100 * (below[at] + (above[at] - below[at]) * (values - low[at]) / (high[at] - low[at]))
        return np.where(values > self.max, 100.0, np.where(values <= self.min, 0.0, np.where(holds[at], found, 100.0)))

    def multiples(self, values: Floats) -> Floats:
        """Of a value for each unit (n) what :meth:`Answers.multiple` says; nan for None."""
        return np.divide(values, self.max, out=np.full(len(values), np.nan), where=self.max > 0)


@dataclass(frozen=True, eq=False)
class TopExamples:
    """Photographs that drive the units of a layer most; a row for each that drives one, in the order of the facts.

    Attributes:
        keys: names of the photographs, each once.
        key: position in them (n).
        unit: the unit (n).
        value: its answer (n).
    """

    keys: tuple[str, ...]
    key: npt.NDArray[np.int32]
    unit: npt.NDArray[np.int32]
    value: Floats


def read_answers(place: Place, slug: str, on_damage: OnDamage | None = None) -> LayerAnswers:
    """The answers of a layer's units; see :meth:`~phosphene.store.atlas.beside.AtlasFiles.answers`."""
    columns = [*(f"answers.{name}" for name in _SCALARS), *(f"answers.{name}.list.element" for name in _LISTS)]
    found = _read(place, slug, ["unit", *columns], _answers, on_damage)
    width = max(part["fractions"].shape[1] for part in found)
    for part in found:
        part["fractions"] = _widened(part["fractions"], width, np.ones(len(part["n"])))
        part["quantiles"] = _widened(part["quantiles"], width, part["max"])
    return LayerAnswers(**{name: np.concatenate([part[name] for part in found]) for name in found[0]})


def read_top_examples(place: Place, slug: str, on_damage: OnDamage | None = None) -> TopExamples:
    """What drives a layer's units; see :meth:`~phosphene.store.atlas.beside.AtlasFiles.top_examples`."""
    columns = [f"examples.list.element.{name}" for name in ("kind", "value", "key")]
    found = _read(place, slug, ["unit", *columns], _top_examples, on_damage)
    keys = {name: number for number, name in enumerate(dict.fromkeys(name for part in found for name in part.keys))}
    places = [np.array([keys[name] for name in part.keys], np.int32)[part.key] for part in found]
    unit, value = np.concatenate([part.unit for part in found]), np.concatenate([part.value for part in found])
    return TopExamples(tuple(keys), np.concatenate(places), unit, value)


def read_labels(place: Place, slug: str, on_damage: OnDamage | None = None) -> dict[int, str]:
    """Labels of those of a layer's units that have one, by unit, in unit order."""
    found = _read(place, slug, ["unit", "label"], _labels, on_damage)
    return {unit: label for part in found for unit, label in part.items()}


def _answers(table: Any) -> dict[str, npt.NDArray[Any]]:
    table = table.filter(table["answers"].is_valid()).flatten()
    found = {name: numbers(table[f"answers.{name}"], 0 if name == "n" else np.nan) for name in _SCALARS}
    lengths, fractions = _lists(table["answers.fractions"])
    others, quantiles = _lists(table["answers.quantiles"])
    if not np.array_equal(lengths, others):
        raise DamagedRowError("a unit has more quantiles than fractions, or fewer")
    found |= {"fractions": _filled(lengths, fractions, np.ones(len(table)))}
    return found | {"quantiles": _filled(lengths, quantiles, found["max"]), "unit": numbers(table["unit"], 0)}


def _top_examples(table: Any) -> TopExamples:
    compute = arrow().compute
    lengths = numbers(compute.list_value_length(table["examples"]), 0)
    columns = dict(zip(("kind", "value", "key"), _fields(compute.list_flatten(table["examples"])), strict=True))
    (kind, kinds), (key, keys) = coded(columns["kind"]), coded(columns["key"])
    top = kind == kinds.index("top") if "top" in kinds else np.zeros(len(kind), bool)
    used, key = np.unique(key[top], return_inverse=True)
    unit = np.repeat(numbers(table["unit"], 0), lengths)[top]
    return TopExamples(tuple(keys[i] for i in used), key.astype(np.int32), unit, numbers(columns["value"], np.nan)[top])


def _labels(table: Any) -> dict[int, str]:
    pairs = zip(numbers(table["unit"], 0).tolist(), table["label"].to_pylist(), strict=True)
    return {unit: label for unit, label in pairs if label}


def _fields(column: Any) -> Iterator[Any]:
    """Kind, value and key of examples."""
    names = [field.name for field in column.type]
    return (column.flatten()[names.index(name)] for name in ("kind", "value", "key"))


def _lists(column: Any) -> tuple[npt.NDArray[Any], Floats]:
    """Lengths of lists, and what is in them."""
    compute = arrow().compute
    return numbers(compute.list_value_length(column), 0), numbers(compute.list_flatten(column), np.nan)


def _filled(lengths: npt.NDArray[Any], values: Floats, rest: Floats) -> Floats:
    """Lists as rows of one length; where one is shorter its own ``rest`` follows."""
    rows = _widened(np.empty((len(lengths), 0)), int(lengths.max(initial=0)), rest)
    rows[np.arange(rows.shape[1]) < lengths[:, None]] = values
    return rows


def _widened(rows: Floats, width: int, rest: Floats) -> Floats:
    return np.concatenate([rows, np.repeat(rest[:, None], width - rows.shape[1], axis=1)], axis=1)


def _read(place: Place, slug: str, columns: list[str], of: Callable[[Any], T], on_damage: OnDamage | None) -> list[T]:
    """What ``of`` makes of the rows, some row groups at a time; at first that of no row, so that there is one."""
    entry, found = place.entry(facts_path(slug)), [of(arrow().Table.from_batches([], facts_schema()))]
    if entry is None:
        return found
    try:
        file = open_facts(place, entry)
    except StorageError as error:
        _tell(error, on_damage)
        return found
    try:
        groups = range(file.metadata.num_row_groups)
        for first in groups[::_AT_ONCE]:
            some = list(groups[first : first + _AT_ONCE])
            found += _stretch(some, lambda groups: _part(entry, file, groups, columns, of), on_damage)
    finally:
        file.close(force=True)
    return found


def _stretch(groups: list[int], read: Callable[[list[int]], T], on_damage: OnDamage | None) -> list[T]:
    """Row groups together; where that fails one by one, without those that are damaged."""
    try:
        return [read(groups)]
    except StorageError as error:
        if on_damage is None or len(groups) == 1:
            _tell(error, on_damage)
            return []
    return [part for group in groups for part in _stretch([group], read, on_damage)]


def _tell(error: StorageError, on_damage: OnDamage | None) -> None:
    if on_damage is None:
        raise error
    on_damage(error)


def _part(entry: Entry, file: Any, groups: list[int], columns: list[str], of: Callable[[Any], T]) -> T:
    return guarded(entry, lambda: of(file.read_row_groups(groups, columns=columns, use_threads=False)))
