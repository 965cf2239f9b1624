"""Which rows an atlas holds and where they lie, as arrays; pictures are left where they are."""

from __future__ import annotations

from collections.abc import Container, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

from phosphene.errors import StorageError
from phosphene.store.atlas.damage import DamagedFileError
from phosphene.store.atlas.index_rows import FileHead, FileRows, read_rows
from phosphene.store.atlas.layer_index import LayerIndex, LayerRows, merged
from phosphene.store.atlas.libraries import arrow
from phosphene.store.atlas.moving import LOOKS
from phosphene.store.atlas.parts import read_name
from phosphene.store.atlas.places import Entry, Place, is_missing

#: Files that are read at once, of an address far away; waiting is most of the work.
_AT_ONCE = 16


@dataclass(frozen=True)
class Damaged:
    """A file that cannot be used, and why."""

    path: str
    reason: str


_Known: TypeAlias = Mapping[Entry, FileHead | Damaged]


@dataclass(frozen=True, eq=False)
class Index:
    """What an atlas held when it was looked through.

    Attributes:
        layers: the index of each layer, by name, in the manifest's order; empty ones too.
        damaged: files that were left out.
        n_doubled: rows that are in several files, beyond the first.
    """

    layers: Mapping[str, LayerIndex]
    damaged: tuple[Damaged, ...]
    n_doubled: int
    _place: Place
    _slugs: Mapping[str, str]
    _rows: Mapping[str, LayerRows]
    _known: _Known

    def layer(self, name: str) -> LayerIndex:
        """The index of a layer. Raises `KeyError` for a layer that the atlas does not have."""
        return self.layers[name]

    def __len__(self) -> int:
        return sum(len(layer) for layer in self.layers.values())

    def find(self, picture_id: str) -> tuple[LayerIndex, int] | None:
        """The layer of a picture and the position of its row there; None where the atlas does not have it."""
        for layer in self.layers.values():
            if (position := layer.find(picture_id)) is not None:
                return layer, position
        return None

    def files(self, layer: str) -> list[FileRows]:
        """Each file of a layer and its rows, those too that readers take from another one."""
        return self._rows[layer].of_files()

    def all_files(self) -> list[Entry]:
        """Every file of rows, damaged ones too."""
        return list(self._known)

    def refreshed(self) -> Index:
        """The index of what is there now; only files that are new or changed are read. This one if nothing changed."""
        index = _built(self._place, self._slugs, self._rows, self._known)
        return self if index is None else index


def build_index(place: Place, slugs: Mapping[str, str]) -> Index:
    """Look through the rows of an atlas, without their pictures.

    Args:
        place: where it lies.
        slugs: folders of the layers, by their names.

    Raises:
        StorageError: the atlas cannot be read.
    """
    rows = {layer: merged(layer, []) for layer in slugs}
    index = _built(place, slugs, rows, {})
    return _index(place, slugs, rows, {}) if index is None else index


def _index(place: Place, slugs: Mapping[str, str], rows: Mapping[str, LayerRows], known: _Known) -> Index:
    layers = MappingProxyType({layer: one.index for layer, one in rows.items()})
    damaged = tuple(one for one in known.values() if isinstance(one, Damaged))
    n_doubled = sum(len(one.columns["id"]) - len(one.index) for one in rows.values())
    return Index(layers, damaged, n_doubled, place, slugs, MappingProxyType(rows), MappingProxyType(known))


def _built(place: Place, slugs: Mapping[str, str], rows: Mapping[str, LayerRows], known: _Known) -> Index | None:
    """The index of what is there now; what is known is not read again, nor made again where it stays. None if that is
    all.
    """
    there, read = _settled(place, {slug: layer for layer, slug in slugs.items()}, known)
    if not read and len(there) == len(known):
        return None
    own: dict[str, list[Entry]] = {slug: [] for slug in slugs.values()}
    for entry in there:
        own[_slug(entry)].append(entry)
    rows = {layer: _now(layer, rows[layer], own[slug], read) for layer, slug in slugs.items()}
    arrow().default_memory_pool().release_unused()
    heads = {head.entry: head for one in rows.values() for head in one.files}
    return _index(place, slugs, rows, {entry: heads.get(entry) or _damaged(entry, read, known) for entry in there})


def _now(layer: str, before: LayerRows, there: list[Entry], read: Mapping[Entry, FileRows | Damaged]) -> LayerRows:
    """The rows of a layer whose files are there now, of which some were read."""
    fresh = {entry: read[entry] for entry in there if entry in read}
    gone = {head.entry for head in before.files}.difference(there)
    if not fresh and not gone:
        return before
    old = {one.entry: one for one in before.of_files()}
    found = [fresh.get(entry) or old.get(entry) for entry in there]
    return merged(layer, [one for one in found if isinstance(one, FileRows)])


def _damaged(entry: Entry, read: Mapping[Entry, FileRows | Damaged], known: _Known) -> FileHead | Damaged:
    return read[entry] if entry in read else known[entry]


def _settled(
    place: Place, layers: Mapping[str, str], known: Container[Entry]
) -> tuple[list[Entry], Mapping[Entry, FileRows | Damaged]]:
    """The files that are there, and what is read of those that are not known, when none has vanished between being
    listed and being read. Each time they are listed twice: a listing that a packing overtakes may show neither the old
    file nor the new one, the next one does.
    """
    entries: list[Entry] = []
    read: dict[Entry, FileRows | Damaged] = {}
    for _ in range(LOOKS):
        listed = {entry.path: entry for entry in (*row_entries(place), *row_entries(place))}.values()
        entries = [entry for entry in listed if _slug(entry) in layers]
        fresh = [entry for entry in entries if entry not in known and entry not in read]
        found = dict(zip(fresh, _read_all(place, fresh, layers), strict=True))
        read |= {entry: rows for entry, rows in found.items() if rows is not None}
        if None not in found.values():
            break
    there = [entry for entry in entries if entry in known or entry in read]
    return there, {entry: read[entry] for entry in there if entry in read}


def _slug(entry: Entry) -> str:
    name = read_name(entry.path)
    return name.slug if name is not None else ""


def row_entries(place: Place) -> list[Entry]:
    """The files of rows that are there, sorted by path; those being written are left out."""
    return [entry for entry in place.entries("data") if read_name(entry.path) is not None]


def _read_all(place: Place, entries: list[Entry], layers: Mapping[str, str]) -> list[FileRows | Damaged | None]:
    def read(entry: Entry) -> FileRows | Damaged | None:
        try:
            return read_rows(place, entry, layers[_slug(entry)])
        except DamagedFileError as error:
            return Damaged(entry.path, error.reason)
        except StorageError as error:
            if is_missing(error):  # it was packed since
                return None
            raise

    if place.local is not None:
        return [read(entry) for entry in entries]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(read, entries))
