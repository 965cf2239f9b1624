"""A plan in numbers: how many pictures, how long, how large."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from phosphene.atlas.calibration import Cost
from phosphene.atlas.jobs import n_jobs, n_pictures, pictures_per_unit
from phosphene.render.recipe import Recipe
from phosphene.store.atlas.manifest import AtlasLayer, Manifest

_UNITS = ("bytes", "kB", "MB", "GB", "TB")


@dataclass(frozen=True)
class Plan:
    """What an atlas comes to.

    Attributes:
        manifest: what it is to hold.
        n_pictures: how many pictures.
        n_jobs: in how many jobs.
        seconds: of one worker such as the one that was timed; None where nothing was.
        n_bytes: of the finished atlas, without facts; None where nothing was timed.
    """

    manifest: Manifest
    n_pictures: int
    n_jobs: int
    seconds: float | None = None
    n_bytes: int | None = None

    @classmethod
    def of(cls, manifest: Manifest, costs: Sequence[Cost] = ()) -> Plan:
        """The plan of a manifest; with the costs of its layers (:func:`phosphene.atlas.calibrate`) also how long it
        takes and how large it becomes.
        """
        count, n = n_pictures(manifest), n_jobs(manifest)
        if not costs:
            return cls(manifest, count, n)
        units = {layer.name: layer.n_units for layer in manifest.layers}
        each = pictures_per_unit(manifest)
        # One picture more is rendered to balance those that differ.
        rendered = each + (1 if manifest.diversity else 0)
        seconds = sum(cost.seconds * units[cost.layer] * rendered for cost in costs)
        return cls(manifest, count, n, seconds, round(sum(cost.n_bytes * units[cost.layer] * each for cost in costs)))

    def describe(self) -> str:
        """The plan for people, in several lines."""
        network = self.manifest.network
        n_units = sum(layer.n_units for layer in self.manifest.layers)
        lines = [
            f"{network.name}: {len(self.manifest.layers)} layers, {n_units:,} units, {self.n_pictures:,} pictures "
            f"({_variants(self.manifest)}) in {self.n_jobs:,} jobs"
        ]
        if self.seconds is not None and self.n_bytes is not None:
            lines.append(f"about {duration(self.seconds)} on one such worker, about {size_of(self.n_bytes)}")
        lines += [self._line(layer) for layer in self.manifest.layers]
        return "\n".join(lines)

    def _line(self, layer: AtlasLayer) -> str:
        recipe = Recipe.from_json(self.manifest.recipes[layer.recipe])
        height, width = recipe.sizes[-1]
        of = "" if layer.n_units == layer.n_channels else f" of {layer.n_channels:,}"
        how = f"{recipe.name} {height} × {width}, {recipe.total_steps} steps"
        return f"  {layer.name}: {layer.n_units:,}{of} units, {how}"


def _variants(manifest: Manifest) -> str:
    n = len(manifest.seeds)
    words = [f"{n} positive" if n > 1 else "positive"]
    words += [f"{n} negative" if n > 1 else "negative"] if manifest.negative else []
    words += [f"{manifest.diversity} diverse"] if manifest.diversity else []
    return ", ".join(words) + " each"


def duration(seconds: float) -> str:
    """A time for people.

    >>> duration(5400), duration(42)
    ('1 h 30 min', '42 s')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60:,} h {minutes % 60} min"


def size_of(n_bytes: float) -> str:
    """A size for people, in powers of 1000.

    >>> size_of(1_234_567)
    '1.2 MB'
    """
    size, name = float(n_bytes), _UNITS[0]
    for name in _UNITS:
        if size < 1000 or name == _UNITS[-1]:
            break
        size /= 1000
    return f"{size:.3g} {name}" if name == "bytes" or size >= 10 else f"{size:.1f} {name}"
