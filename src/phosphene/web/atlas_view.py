"""An atlas as its site reads it: numbers of whole layers, and the pictures and facts of a few units at a time."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from threading import Lock, RLock
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
import numpy.typing as npt

from phosphene.store.atlas.records import STATUSES, VARIANTS, Picture, UnitFacts, Variant
from phosphene.web.atlas_cache import SizedCache
from phosphene.web.atlas_reading import Damage, Rows, Span, read_facts, read_rows

if TYPE_CHECKING:
    from phosphene.store.atlas import AtlasFolder

T = TypeVar("T")
Floats = npt.NDArray[np.float64]

#: Statuses of a unit as its layer's numbers count them: those of pictures, and two more.
SHOWN_STATUSES = (*STATUSES, "missing", "damaged")
_MISSING, _DAMAGED = SHOWN_STATUSES.index("missing"), SHOWN_STATUSES.index("damaged")
_FACTS = "facts"  # their folder in an atlas
_FILE_PICTURES = 48  # in a file of units, about: most of a megabyte
_FACTS_PICTURES = 3  # that weigh as much as the photographs of a unit
_BLOCKS = (32, 128)  # units that are read at once, at least and at most
_FACTS_AT_ONCE = 256  # units: to open a file costs more than to read them
_ROWS_BYTES = 12 << 20  # of pictures that were read and may be wanted again
_FACTS_BYTES = 12 << 20
_UNIT_BYTES = 16 << 10  # of a unit's facts beside its photographs


@dataclass(frozen=True)
class Standing:
    """How the units of a layer stand, by their first picture of a variant; arrays over the layer's units, in order.

    Attributes:
        status: index into :data:`SHOWN_STATUSES`.
        score, robust: nan where there is none.
        n_rows: pictures of the layer that there are, of all variants.
        n_ok: of these, those with status "ok".
    """

    status: npt.NDArray[np.int8]
    score: Floats
    robust: Floats
    n_rows: int
    n_ok: int


class AtlasView:
    """One atlas. Everything is read when it is asked for; numbers of layers are kept, pictures up to a bound.

    Safe to read from several threads.
    """

    def __init__(self, folder: AtlasFolder) -> None:
        self.folder, self.manifest = folder, folder.manifest
        self.layers = {folder.slugs[layer.name]: layer for layer in self.manifest.layers}
        self.index, self._facts_files = folder.index(), frozenset(folder.place.entries(_FACTS))
        self._kept: dict[Hashable, Any] = {}
        self._making: dict[Hashable, RLock] = {}
        self._damages: dict[tuple[str, Variant], frozenset[int]] = {}
        self._rows = SizedCache[Rows](_ROWS_BYTES, lambda rows: rows.size)
        self._facts = SizedCache[list[UnitFacts]](_FACTS_BYTES, _size)
        self._lock = Lock()

    def refresh(self) -> bool:
        """Look for new rows and facts; whether there are any, or others, or some are gone."""
        before, facts = self.index, frozenset(self.folder.place.entries(_FACTS))
        after = self.folder.refresh()
        if after is before and facts == self._facts_files:
            return False
        with self._lock:
            self.index, self._facts_files = after, facts
            self._kept = {}  # what is being made goes where nobody looks
            self._damages = {}
            self._rows.clear()
            self._facts.clear()
        return True

    def kept(self, key: Hashable, make: Callable[[], T]) -> T:
        """What ``make`` gives, kept under ``key`` until the atlas has changed."""
        with self._lock:
            if key in self._kept:
                return cast(T, self._kept[key])
            making = self._making.setdefault(key, RLock())
        with making:  # others wait for this value alone
            with self._lock:
                if key in self._kept:
                    return cast(T, self._kept[key])
                kept = self._kept
            kept[key] = value = make()
        return value

    def units(self, slug: str) -> npt.NDArray[np.int64]:
        """Numbers of the layer's units that the atlas shows, rising."""
        ranges = self.layers[slug].units
        none = np.arange(0, dtype=np.int64)
        make = lambda: np.concatenate([none, *(np.arange(*pair, dtype=np.int64) for pair in ranges)])  # noqa: E731
        return self.kept(("units", slug), make)

    def label(self, slug: str, unit: int) -> str:
        """The class that a unit stands for; empty where it stands for none."""
        labels = self.manifest.network.labels
        return labels[unit] if self.layers[slug].is_output and unit < len(labels) else ""

    def standing(self, slug: str, variant: Variant = "positive") -> Standing:
        """How the units of a layer stand. That a row is damaged is known as soon as it was read."""
        found = self.kept(("standing", slug, variant), lambda: self._standing(slug, variant))
        damages = self._damages.get((slug, variant))
        if not damages:
            return found
        is_damaged = np.isin(self.units(slug), list(damages))
        return replace(found, status=np.where(is_damaged, np.int8(_DAMAGED), found.status))

    @property
    def n_damaged(self) -> int:
        """First pictures of units that turned out damaged since the atlas was last looked at."""
        return sum(map(len, self._damages.values()))

    def has_facts(self, slug: str) -> bool:
        """Whether the layer's units have facts."""
        return self.kept(("facts", slug), lambda: self.folder.has_facts(self.layers[slug].name))

    def variants(self) -> list[Variant]:
        """The variants that the atlas is to have, in order."""
        wanted = {"positive": True, "negative": self.manifest.negative, "diverse": self.manifest.diversity > 0}
        return [variant for variant in VARIANTS if wanted[variant]]

    def n_pictures(self) -> int:
        """Pictures that a unit is to have."""
        return len(self.manifest.seeds) * (1 + self.manifest.negative) + self.manifest.diversity

    def chunk(self) -> int:
        """Units in a file of units: a power of two, smaller where a unit has many pictures. It is the same before and
        after there are facts, as a page that is open goes on by it.
        """
        return _power_of_two(max(1, _FILE_PICTURES // (self.n_pictures() + _FACTS_PICTURES)))

    def rows(self, slug: str, places: Span) -> Rows:
        """All that there is of the units at these places of the layer's :meth:`units`."""
        units, found = self.units(slug), Rows()
        # As many units as a job rendered lie side by side, and the next file wants them too.
        size = _power_of_two(min(max(self.manifest.job_size, _BLOCKS[0]), _BLOCKS[1]))
        for block in _blocks(places, size):
            found += self._rows.get((slug, block), partial(self._read_rows, slug, _span(units, block)))
        wanted = set(units[slice(*places)].tolist())
        pictures = (one for one in found.pictures if one.unit in wanted)
        return Rows(tuple(pictures), tuple(one for one in found.damages if one.unit in wanted))

    def facts(self, slug: str, places: Span) -> dict[int, UnitFacts]:
        """Facts of the units at these places, by unit, photographs and all; those that there are."""
        units, found = self.units(slug), list[UnitFacts]()
        for block in _blocks(places, _FACTS_AT_ONCE) if self.has_facts(slug) else ():
            found += self._facts.get((slug, block), partial(self._read_facts, slug, _span(units, block)))
        wanted = set(units[slice(*places)].tolist())
        return {one.unit: one for one in found if one.unit in wanted}

    def all_facts(self, slug: str) -> Iterator[UnitFacts]:
        """Facts of all units of a layer, without photographs, in order."""
        return read_facts(self.folder, self.layers[slug].name) if self.has_facts(slug) else iter(())

    def first_pictures(self, slug: str, variant: Variant, places: Span) -> Iterator[tuple[int, Picture]]:
        """Of the units at these places, their place and the first picture of a variant, where it can be read."""
        units = self.units(slug)
        for start in range(*places, _BLOCKS[0]):
            stop = min(start + _BLOCKS[0], places[1], len(units))
            rows = read_rows(self.folder, self.layers[slug].name, _span(units, (start, stop)), variant=variant)
            self._note(slug, rows.damages)
            for one in rows.pictures:
                place = int(np.searchsorted(units, one.unit))
                if start <= place < stop and units[place] == one.unit:
                    yield place, one

    def _read_rows(self, slug: str, span: Span) -> Rows:
        rows = read_rows(self.folder, self.layers[slug].name, span)
        self._note(slug, rows.damages)
        return rows

    def _note(self, slug: str, damages: Iterable[Damage]) -> None:
        firsts = [one for one in damages if (one.member, one.seed) == (0, self.manifest.seeds[0])]
        with self._lock:
            for one in firsts:
                key = slug, one.variant
                self._damages[key] = self._damages.get(key, frozenset()) | {one.unit}

    def _read_facts(self, slug: str, span: Span) -> list[UnitFacts]:
        return list(read_facts(self.folder, self.layers[slug].name, span))

    def _standing(self, slug: str, variant: Variant) -> Standing:
        units, rows = self.units(slug), self.index.layer(self.layers[slug].name)
        status = np.full(len(units), _MISSING, np.int8)
        score, robust = np.full(len(units), np.nan), np.full(len(units), np.nan)
        first = (rows.variant == VARIANTS.index(variant)) & (rows.member == 0) & (rows.seed == self.manifest.seeds[0])
        first &= np.isin(rows.unit, units)
        places = np.searchsorted(units, rows.unit[first])
        status[places], score[places] = rows.status[first], rows.score[first]
        robust[places] = rows.robust_score[first]
        return Standing(status, score, robust, len(rows.unit), int((rows.status == 0).sum()))


def _blocks(places: Span, size: int) -> Iterator[Span]:
    """Stretches of one size, counted from the first place of all, that hold these places."""
    return ((start, start + size) for start in range(places[0] - places[0] % size, places[1], size))


def _power_of_two(n: int) -> int:
    """The largest that is not above ``n``."""
    return 1 << (n.bit_length() - 1)


def _span(units: npt.NDArray[np.int64], places: Span) -> Span:
    shown = units[slice(*places)]
    return (int(shown[0]), int(shown[-1]) + 1) if len(shown) else (0, 0)


def _size(facts: list[UnitFacts]) -> int:
    return sum(_UNIT_BYTES + sum(len(example.image or b"") for example in one.examples) for one in facts)
