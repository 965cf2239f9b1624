"""How far an atlas is, by what it says of itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from phosphene.atlas.jobs import jobs, n_pictures, pictures_of
from phosphene.store.atlas import AtlasFolder, Report
from phosphene.store.atlas.manifest import AtlasLayer
from phosphene.store.atlas.records import STATUSES, VARIANTS, Variant


@dataclass(frozen=True)
class LayerStatus:
    """How far the pictures of one layer and variant are.

    Attributes:
        layer: the layer.
        variant: what is asked of its units.
        n_planned: pictures that are planned.
        by_status: pictures that have a row, by its status.
        seconds: to render one, in the mean; 0 before the first.
    """

    layer: str
    variant: Variant
    n_planned: int
    by_status: Mapping[str, int]
    seconds: float

    @property
    def n_done(self) -> int:
        """Pictures that have a row."""
        return sum(self.by_status.values())


@dataclass(frozen=True)
class Status:
    """How far an atlas is.

    Attributes:
        network: name of its network.
        n_planned: pictures that are planned.
        layers: layer by layer, and variant by variant.
        n_bytes: size of the rows' files.
        damaged: files that cannot be read; :func:`~phosphene.atlas.build` makes their rows again.
        facts: layers of which facts are known, such as how their units answer photographs.
    """

    network: str
    n_planned: int
    layers: tuple[LayerStatus, ...]
    n_bytes: int
    damaged: tuple[str, ...]
    facts: tuple[str, ...]

    @property
    def n_done(self) -> int:
        """Pictures that have a row."""
        return sum(layer.n_done for layer in self.layers)

    @property
    def n_missing(self) -> int:
        """Pictures that have none yet."""
        return self.n_planned - self.n_done

    @property
    def by_status(self) -> Mapping[str, int]:
        """Pictures that have a row, by its status."""
        return {name: sum(layer.by_status[name] for layer in self.layers) for name in STATUSES}

    @property
    def remaining_s(self) -> float | None:
        """Seconds of one worker such as those before, for what is missing; None where a layer has no picture yet."""
        left = [(layer.n_planned - layer.n_done, layer.seconds) for layer in self.layers]
        if any(n > 0 and not seconds for n, seconds in left):
            return None
        return sum(n * seconds for n, seconds in left)


def status(folder: AtlasFolder) -> Status:
    """How far an atlas is; only what is new since the last look is read, and no pictures.

    Raises:
        StorageError: it cannot be read.
    """
    index, manifest = folder.refresh(), folder.manifest
    variants: list[Variant] = [variant for variant in VARIANTS if pictures_of(manifest, variant)]
    return Status(
        network=manifest.network.name,
        n_planned=n_pictures(manifest),
        layers=tuple(_layer(folder, layer, variant) for layer in manifest.layers for variant in variants),
        n_bytes=sum({file.path: file.size for layer in index.layers.values() for file in layer.files}.values()),
        damaged=tuple(one.path for one in index.damaged),
        facts=tuple(layer.name for layer in manifest.layers if folder.has_facts(layer.name)),
    )


def _layer(folder: AtlasFolder, layer: AtlasLayer, variant: Variant) -> LayerStatus:
    rows = folder.index().layer(layer.name)
    here = rows.variant == VARIANTS.index(variant)
    counts = np.bincount(rows.status[here], minlength=len(STATUSES))
    return LayerStatus(
        layer=layer.name,
        variant=variant,
        n_planned=layer.n_units * pictures_of(folder.manifest, variant),
        by_status={name: int(count) for name, count in zip(STATUSES, counts, strict=True)},
        seconds=float(rows.seconds[here].mean()) if here.any() else 0.0,
    )


def verify(folder: AtlasFolder, *, progress: Callable[[int, int], None] | None = None) -> Report:
    """Read every row of an atlas and say what is missing of its plan, damaged or doubled; nothing is changed.

    Args:
        folder: the atlas.
        progress: called with the files read and their number.

    Raises:
        StorageError: it cannot be listed, or a file cannot be read for another reason than damage.
    """
    planned = ((job.id, job.layer, [one.id for one in job.pictures]) for job in jobs(folder.manifest))
    return folder.verify(planned, progress=progress)
