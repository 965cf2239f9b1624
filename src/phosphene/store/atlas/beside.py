"""What an atlas holds beside its rows: facts of units, and other files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path

from phosphene.store.atlas import fact_columns, facts
from phosphene.store.atlas.fact_columns import LayerAnswers, OnDamage, TopExamples
from phosphene.store.atlas.facts_again import facts_steadily
from phosphene.store.atlas.manifest import Manifest
from phosphene.store.atlas.moving import steadily
from phosphene.store.atlas.places import Place, safe
from phosphene.store.atlas.records import UnitFacts
from phosphene.store.atlas.slugs import slug_of, slugs


class AtlasFiles:
    """The files of an atlas but for its rows, which :class:`~phosphene.store.atlas.folder.AtlasFolder` adds.

    Args:
        place: where it lies.
        manifest: what it is of.
    """

    def __init__(self, place: Place, manifest: Manifest) -> None:
        self.place = place
        self.manifest = manifest

    @property
    def uri(self) -> str:
        """Where it is, as it was given."""
        return self.place.uri

    @property
    def local_path(self) -> Path | None:
        """The folder, where it is one of this machine."""
        return self.place.local

    @cached_property
    def slugs(self) -> Mapping[str, str]:
        """The folder name of each layer, by the layer's name."""
        return slugs(self.manifest)

    def slug(self, layer: str) -> str:
        """The folder name of a layer. Raises `UnknownLayerError` where the atlas has no such layer."""
        return self.slugs[layer] if layer in self.slugs else slug_of(self.manifest, layer)

    def write_facts(self, layer: str, rows: Iterable[UnitFacts]) -> None:
        """Write what is known of a layer's units, in unit order, wholly or not at all; it replaces what was there."""
        facts.write_facts(self.place, self.slug(layer), layer, rows)

    def facts(
        self, layer: str, *, start: int | None = None, stop: int | None = None, images: bool = True
    ) -> Iterator[UnitFacts]:
        """What is known of a layer's units, in unit order, a few at a time; nothing where there are no facts.

        Args:
            layer: the layer.
            start, stop: only units from ``start`` on, and before ``stop``.
            images: without them the crops of the examples are not read, and are None; rows are then not compared with
                their checksums.

        Raises `UnknownLayerError`, and `StorageError` where a row is damaged.
        """
        return facts_steadily(self.place, self.slug(layer), start=start, stop=stop, images=images)

    def unit_facts(self, layer: str, unit: int) -> UnitFacts | None:
        """What is known of a unit; None where nothing is."""
        return next(self.facts(layer, start=unit, stop=unit + 1), None)

    def answers(self, layer: str, *, on_damage: OnDamage | None = None) -> LayerAnswers:
        """How a layer's units answer photographs, as arrays; empty where there are no facts. Pages of the file are
        compared with their checksums, rows are not.

        Args:
            layer: the layer.
            on_damage: told why units of a damaged stretch are left out; without it the error is raised.

        Raises `UnknownLayerError`, and `StorageError` where a stretch is damaged.
        """
        slug = self.slug(layer)
        return steadily(lambda: fact_columns.read_answers(self.place, slug, on_damage))

    def top_examples(self, layer: str, *, on_damage: OnDamage | None = None) -> TopExamples:
        """Which photographs drive a layer's units most, as arrays. Arguments and errors as those of `answers`."""
        slug = self.slug(layer)
        return steadily(lambda: fact_columns.read_top_examples(self.place, slug, on_damage))

    def labels(self, layer: str, *, on_damage: OnDamage | None = None) -> Mapping[int, str]:
        """Labels of those units of a layer whose facts have one. Arguments and errors as those of `answers`."""
        slug = self.slug(layer)
        return steadily(lambda: fact_columns.read_labels(self.place, slug, on_damage))

    def has_facts(self, layer: str) -> bool:
        """Whether there are facts of a layer."""
        return self.place.entry(facts.facts_path(self.slug(layer))) is not None

    def read_bytes(self, path: str) -> bytes:
        """The content of a file of the atlas. Raises `StorageError` for a path that leads out of it, or to nothing."""
        return self.place.read(safe(path))

    def write_bytes(self, path: str, data: bytes) -> None:
        """Write a file of the atlas, wholly or not at all. Raises `StorageError`."""
        self.place.write(safe(path), data)

    def exists(self, path: str) -> bool:
        """Whether the atlas has a file at ``path``. Raises `StorageError` for a path that leads out of it."""
        return self.place.entry(safe(path)) is not None

    def files(self, folder: str) -> tuple[str, ...]:
        """Paths of the files in and below a folder of the atlas, sorted. Raises as `read_bytes` does."""
        return tuple(entry.path for entry in self.place.entries(safe(folder.rstrip("/"))) if not entry.is_temporary)
