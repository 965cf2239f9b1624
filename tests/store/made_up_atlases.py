"""Made-up atlases: a manifest, rows that differ from each other, and the places that tests write them to."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from phosphene.store.atlas import (
    AtlasFolder,
    AtlasLayer,
    AtlasNetwork,
    Manifest,
    Picture,
    PictureFormat,
    Status,
    Variant,
    create_atlas,
)
from phosphene.store.webp import encode_webp

RECIPE = "ab" * 32
JOB_SIZE = 4
LAYERS = {"blocks.0": 10, "Blocks.0": 6}  # two names that many file systems take for one


def manifest(layers: dict[str, int] | None = None, **changes: Any) -> Manifest:
    network = AtlasNetwork(
        "tiny", "cd" * 32, {"kind": "builtin"}, (8, 8), 3, {"mean": [0.5, 0.5, 0.5], "std": 1}, ("a cat", "</script>")
    )
    made = [
        AtlasLayer(name, "Conv2d", (n, 4, 4), n, ((0, n),), False, RECIPE) for name, n in (layers or LAYERS).items()
    ]
    whole = Manifest(
        network, tuple(made), True, 0, 0.0, (0,), {RECIPE: {"kind": "Recipe", "steps": 3}}, JOB_SIZE, PictureFormat(),
        "2026-11-23T00:00:00Z", "0.1.0",
    )  # fmt: skip
    return replace(whole, **changes)


@cache
def image(unit: int, variant: str) -> bytes:
    rng = np.random.default_rng([unit, len(variant)])
    return encode_webp(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8))


def picture(job: str, layer: str, unit: int, variant: Variant = "positive", status: Status = "ok") -> Picture:
    fine = status == "ok"
    return Picture(
        id=hashlib.sha256(f"{layer}/{unit}/{variant}".encode()).hexdigest(),
        job=job,
        layer=layer,
        unit=unit,
        variant=variant,
        member=0,
        seed=0,
        status=status,
        reason="" if fine else f"unit {unit} has no gradient",
        score=unit + 0.25 if fine else None,
        robust_score=unit / 3 if fine else None,
        curve=(0.0, 0.1 * unit, float(unit)),
        seconds=0.125,
        recipe=RECIPE,
        height=4,
        width=4,
        embedding=(float(unit), 1.0, 0.5) if fine else (),
        image=image(unit, variant) if fine else None,
    )


Planned = tuple[str, str, tuple[Picture, ...]]


@cache
def plan(layers: tuple[tuple[str, int], ...] = tuple(LAYERS.items())) -> tuple[Planned, ...]:
    """Jobs of both variants: id, layer and rows; unit 3 of each layer is dead."""
    made: list[Planned] = []
    for layer, n in layers:
        for variant in ("positive", "negative"):
            for start in range(0, n, JOB_SIZE):
                job = hashlib.sha256(f"{layer} {variant} {start}".encode()).hexdigest()[:32]
                units = range(start, min(start + JOB_SIZE, n))
                made.append((job, layer, tuple(picture(job, layer, u, variant, _status(u)) for u in units)))
    return tuple(made)


def ids(jobs: Iterable[Planned] | None = None) -> list[tuple[str, str, tuple[str, ...]]]:
    """What `verify` is told of a plan."""
    return [(job, layer, tuple(p.id for p in rows)) for job, layer, rows in jobs or plan()]


def rows(jobs: Iterable[Planned] | None = None) -> set[Picture]:
    return {p for _, _, pictures in jobs or plan() for p in pictures}


def filled(uri: Any, jobs: Iterable[Planned] | None = None, **options: Any) -> AtlasFolder:
    """An atlas with a part for each job."""
    folder = create_atlas(uri, manifest(), **options)
    for job, layer, pictures in plan() if jobs is None else jobs:
        folder.write_part(job, layer, pictures)
    return folder


def everything(folder: AtlasFolder) -> list[Picture]:
    """All rows, as a reader gets them."""
    return [p for layer in folder.manifest.layers for p in folder.pictures(layer.name, None)]


def _status(unit: int) -> Status:
    return "dead" if unit == 3 else "ok"


class Killed(BaseException):
    """Stands for kill -9: nothing in the library catches it."""


class DyingPlace:
    """A place whose user is killed before its n-th change, or just after it.

    Args:
        place: the place.
        at: which change, from 0; the process is dead from there on.
        after: whether the change happens.
    """

    def __init__(self, place: Any, at: int, *, after: bool) -> None:
        self._place = place
        self.left = at
        self._after = after
        self.dead = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._place, name)

    def write(self, path: str, data: bytes) -> None:
        self._change(lambda: self._place.write(path, data))

    def remove(self, path: str) -> None:
        self._change(lambda: self._place.remove(path))

    @contextmanager
    def replacing(self, path: str) -> Iterator[Any]:
        with ExitStack() as stack:
            yield stack.enter_context(self._place.replacing(path))
            self._change(stack.close)  # this is where the file takes its name

    def _change(self, change: Any) -> None:
        last = self.left == 0
        self.left -= 1
        if self.dead or (last and not self._after):
            self.dead = True
            raise Killed
        change()
        if last:
            self.dead = True
            raise Killed
