"""What is to be rendered: pictures, in jobs that one worker does in one go. Worked out from a manifest alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from phosphene.store.atlas.manifest import AtlasLayer, Manifest
from phosphene.store.atlas.records import VARIANTS, Variant

#: Hexadecimal digits of an id: 128 bits, so that a thousand million pictures never meet.
_DIGITS = 32
#: Changes when the same manifest comes to mean other pictures.
_MEANING = 1


@dataclass(frozen=True, slots=True)
class PlannedPicture:
    """A picture that an atlas is to hold; the fields are those of :class:`phosphene.store.atlas.records.Picture`."""

    id: str
    unit: int
    variant: Variant
    member: int
    seed: int


@dataclass(frozen=True, slots=True)
class Job:
    """Pictures of one layer, variant and seed, which are rendered together and written as one part.

    Attributes:
        id: digest of the pictures' ids; it names the part.
        layer: the layer of all of them.
        recipe: digest of the recipe of all of them.
        pictures: those wanted; the diverse ones of a unit stand together.
    """

    id: str
    layer: str
    recipe: str
    pictures: tuple[PlannedPicture, ...]

    @property
    def variant(self) -> Variant:
        """What is asked of the units."""
        return self.pictures[0].variant

    @property
    def seed(self) -> int:
        """Seed of the pictures' random streams."""
        return self.pictures[0].seed

    @property
    def groups(self) -> tuple[tuple[PlannedPicture, ...], ...]:
        """The pictures that must not be parted: those of one unit that are to differ, and each of the others alone."""
        found: dict[object, list[PlannedPicture]] = {}
        for one in self.pictures:
            found.setdefault(one.unit if one.variant == "diverse" else one.id, []).append(one)
        return tuple(map(tuple, found.values()))

    def of(self, pictures: Sequence[PlannedPicture]) -> Job:
        """A job of its own for some of the pictures."""
        return Job(_digest([one.id for one in pictures]), self.layer, self.recipe, tuple(pictures))


def jobs(manifest: Manifest) -> Iterator[Job]:
    """All jobs of an atlas: layer after layer; of each the positive pictures, the negative and the diverse ones, seed
    after seed, unit after unit.

    A job has ``manifest.job_size`` pictures at most, but all diverse ones of a unit, so that the same manifest always
    puts the same pictures together: their bits depend on it.
    """
    for layer in manifest.layers:
        for variant, seed in _passes(manifest):
            n_members = manifest.diversity if variant == "diverse" else 1
            numbers = units_of(layer)
            while units := list(islice(numbers, _units_at_once(manifest, variant))):
                planned = [
                    _planned(manifest, layer, (unit, variant, member, seed))
                    for unit in units
                    for member in range(n_members)
                ]
                yield Job(_digest([one.id for one in planned]), layer.name, layer.recipe, tuple(planned))


def units_of(layer: AtlasLayer) -> Iterator[int]:
    """The numbers of the units that an atlas shows of a layer, rising."""
    return (unit for start, stop in layer.units for unit in range(start, stop))


def pictures_per_unit(manifest: Manifest) -> int:
    """How many pictures each unit gets."""
    return sum(pictures_of(manifest, variant) for variant in VARIANTS)


def pictures_of(manifest: Manifest, variant: Variant) -> int:
    """How many pictures of a variant each unit gets."""
    if variant == "diverse":
        return manifest.diversity
    return len(manifest.seeds) if variant == "positive" or manifest.negative else 0


def n_pictures(manifest: Manifest) -> int:
    """How many pictures the atlas is to hold."""
    return pictures_per_unit(manifest) * sum(layer.n_units for layer in manifest.layers)


def n_jobs(manifest: Manifest) -> int:
    """How many jobs there are."""
    return sum(_n_jobs_of(manifest, layer.n_units) for layer in manifest.layers)


def _n_jobs_of(manifest: Manifest, n_units: int) -> int:
    return sum(-(-n_units // _units_at_once(manifest, variant)) for variant, _ in _passes(manifest))


def _units_at_once(manifest: Manifest, variant: Variant) -> int:
    return max(1, manifest.job_size // (manifest.diversity if variant == "diverse" else 1))


def _passes(manifest: Manifest) -> list[tuple[Variant, int]]:
    """What each unit is asked, and with which seed; several pictures that differ have one seed, the first."""
    return [
        (variant, seed)
        for variant in VARIANTS
        if pictures_of(manifest, variant)
        for seed in (manifest.seeds[:1] if variant == "diverse" else manifest.seeds)
    ]


def _planned(manifest: Manifest, layer: AtlasLayer, which: tuple[int, Variant, int, int]) -> PlannedPicture:
    """A picture with its id: the digest of everything that makes it, and of nothing else."""
    unit, variant, member, seed = which
    network = manifest.network
    shown = [network.n_channels, list(network.input_size), dict(network.preprocessing)]
    company = [manifest.diversity, manifest.diversity_weight] if variant == "diverse" else []
    place = [layer.name, layer.is_output, unit]
    what = [_MEANING, layer.recipe, network.digest, shown, place, variant, member, seed, company]
    return PlannedPicture(_digest(what), unit, variant, member, seed)


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]
