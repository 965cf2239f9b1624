"""The pictures of an atlas, read in stretches of units; what is damaged is told, and stops nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from phosphene.errors import StorageError
from phosphene.store.atlas.records import VARIANTS, Picture, UnitFacts, Variant

if TYPE_CHECKING:
    from phosphene.store.atlas import AtlasFolder

_ROW_BYTES = 1 << 10  # of what a picture has beside its image

#: Numbers of units: the first, and the one behind the last.
Span = tuple[int, int]


@dataclass(frozen=True)
class Damage:
    """A row that should be there and cannot be read.

    Attributes:
        unit, variant, member, seed: what it was to show.
        reason: what is known of it.
    """

    unit: int
    variant: Variant
    member: int
    seed: int
    reason: str


@dataclass(frozen=True)
class Rows:
    """All that was read of a stretch of units."""

    pictures: tuple[Picture, ...] = ()
    damages: tuple[Damage, ...] = ()

    def __add__(self, other: Rows) -> Rows:
        return Rows(self.pictures + other.pictures, self.damages + other.damages)

    @property
    def size(self) -> int:
        """Bytes, about."""
        return sum(len(one.image or b"") + _ROW_BYTES for one in self.pictures) + _ROW_BYTES * len(self.damages)


def read_rows(folder: AtlasFolder, layer: str, span: Span, *, variant: Variant | None = None) -> Rows:
    """The pictures of the units of ``span``: all, or those of one variant and the first seed."""
    damages: list[Damage] = []

    def note(picture_id: str, error: StorageError) -> None:
        rows = folder.index().layer(layer)
        place = rows.find(picture_id)
        if place is not None:
            shows = (int(rows.unit[place]), VARIANTS[rows.variant[place]], int(rows.member[place]))
            damages.append(Damage(*shows, int(rows.seed[place]), str(error)))

    pictures = tuple(folder.pictures(layer, variant, start=span[0], stop=span[1], on_damage=note))
    return Rows(pictures, tuple(damages))


def read_facts(folder: AtlasFolder, layer: str, span: Span | None = None) -> Iterator[UnitFacts]:
    """Facts of the units of ``span``; of all units, without photographs, where there is none. It ends where they cannot
    be read on.
    """
    start, stop = (None, None) if span is None else span
    with contextlib.suppress(StorageError):
        yield from folder.facts(layer, start=start, stop=stop, images=span is not None)
