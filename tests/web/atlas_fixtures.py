"""Atlases that nobody rendered, of any size: small pictures, made-up scores and facts, units that failed, nasty names.

``python tests/web/atlas_fixtures.py FOLDER [--units 300] [--site SITE]`` writes one to look at, and its site.
"""

from __future__ import annotations

import colorsys
import io
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from phosphene.atlas.jobs import Job, PlannedPicture, jobs, units_of
from phosphene.store.atlas import AtlasFolder, create_atlas
from phosphene.store.atlas.manifest import AtlasLayer, AtlasNetwork, Manifest, PictureFormat
from phosphene.store.atlas.records import Answers, FactExample, Link, Picture, Status, UnitFacts

LABELS = ("tabby, tabby cat", "Egyptian cat", "espresso", "goldfinch", "Großer Panda", "猫")
#: Names that would do harm where a text is taken for markup, a script or a path.
NASTY = (
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(2)>',
    "'\\u2028\u2028{{7*7}}${7*7}<!--",
    "../../etc/passwd",
    "javascript:alert(3)",
    "&lt;b&gt; \u202eevil\u0000name",
)
NASTY_LAYER = "a<b>&\"'</script>../x"
FAILURES: dict[int, tuple[Status, str]] = {
    5: ("dead", "Its gradient is zero everywhere."),
    6: ("not_finite", "The score was not finite at step 3."),
    7: ("failed", "RuntimeError: <b>out of memory</b> & more"),
}
POOL = 24  # different pictures


@dataclass(frozen=True)
class Shape:
    """A layer of a made-up network: its name, how many units it has, and which of them the atlas shows."""

    name: str
    n: int
    units: tuple[tuple[int, int], ...] | None = None
    is_output: bool = False


SMALL = (
    Shape("features.3", 40),
    Shape("features.6", 150, ((0, 100), (120, 150))),
    Shape(NASTY_LAYER, 9),
    Shape("classifier", len(LABELS) + len(NASTY), None, True),
)


def made_up_manifest(
    shapes: Sequence[Shape] = SMALL,
    *,
    name: str = "a small network",
    negative: bool = True,
    diversity: int = 2,
    seeds: tuple[int, ...] = (0,),
    job_size: int = 32,
) -> Manifest:
    """A manifest of the network ``name``; another name is another network."""
    digest = name.encode().hex()[:16].ljust(64, "0")
    labels = (*LABELS, *NASTY)
    outputs = [shape.n for shape in shapes if shape.is_output]
    labels += tuple(f"class {i}" for i in range(len(labels), max(outputs, default=0)))
    network = AtlasNetwork(name, digest, {"name": name}, (64, 64), 3, {"mean": [0.5], "std": [0.5]}, labels)
    layers = tuple(
        AtlasLayer(
            shape.name,
            "Linear" if shape.is_output else "Conv2d",
            (shape.n,) if shape.is_output else (shape.n, 8, 8),
            shape.n,
            shape.units or ((0, shape.n),),
            shape.is_output,
            "r" * 32,
        )
        for shape in shapes
    )
    recipe = {"kind": "Recipe", "name": "made up", "steps": 32, "note": NASTY[0]}
    return Manifest(
        network=network,
        layers=layers,
        negative=negative,
        diversity=diversity,
        diversity_weight=1.0,
        seeds=seeds,
        recipes={"r" * 32: recipe},
        job_size=job_size,
        pictures=PictureFormat(),
        created="2026-11-23T00:00:00Z",
        phosphene="0.1.0",
    )


def make_atlas(
    where: str | Path,
    manifest: Manifest | None = None,
    *,
    facts: bool = True,
    side: int = 24,
    left_out: int = 0,
    compacted: bool = True,
    change: Callable[[Picture], Picture] | None = None,
) -> AtlasFolder:
    """A made-up atlas in the folder ``where``.

    Args:
        where: a new folder.
        manifest: what it is of.
        facts: whether there are facts of its units.
        side: pixels of its pictures.
        left_out: how many of its jobs, the last, are not done.
        compacted: whether its parts are packed.
        change: what becomes of each picture.
    """
    manifest = made_up_manifest() if manifest is None else manifest
    folder = create_atlas(str(where), manifest)
    planned = list(jobs(manifest))
    for job in planned[: len(planned) - left_out]:
        pictures = [_picture(job, one, side) for one in job.pictures]
        folder.write_part(job.id, job.layer, pictures if change is None else [change(one) for one in pictures])
    if facts:
        for layer in manifest.layers:
            folder.write_facts(layer.name, _facts(manifest, layer))
    if compacted:
        folder.compact()
    return folder


def _picture(job: Job, planned: PlannedPicture, side: int) -> Picture:
    status, reason = FAILURES.get(planned.unit % 37, ("ok", ""))
    spin = planned.unit + 7 * planned.member + 3 * planned.seed
    score = (
        None
        if status in ("not_finite", "failed")
        else _score(planned.unit) * (-1 if planned.variant == "negative" else 1)
    )
    return Picture(
        id=planned.id,
        job=job.id,
        layer=job.layer,
        unit=planned.unit,
        variant=planned.variant,
        member=planned.member,
        seed=planned.seed,
        status=status,
        reason=reason,
        score=score,
        robust_score=None if score is None else 0.8 * score,
        curve=() if score is None else tuple(round(score * step / 16, 4) for step in range(17)),
        seconds=0.25,
        recipe=job.recipe,
        height=side,
        width=side,
        embedding=_place(planned.unit),
        image=None if status in ("not_finite", "failed") else drawn(spin % POOL, side, planned.variant == "negative"),
    )


def _score(unit: int) -> float:
    return round(2.0 + 1.7 * np.sin(unit * 1.3).item() + unit % 5, 4)


def _place(unit: int) -> tuple[float, ...]:
    """Units whose pictures have like colours lie near each other."""
    angle = 2 * np.pi * (unit % POOL) / POOL
    return (round(np.cos(angle).item(), 6), round(np.sin(angle).item(), 6), 0.01 * (unit % 3), 0.0)


@cache
def drawn(number: int, side: int, inverted: bool = False, kind: str = "WEBP") -> bytes:
    """An encoded picture: rings in the colour of its number."""
    rows, columns = np.mgrid[:side, :side] / side - 0.5
    waves = 0.5 + 0.5 * np.cos(2 * np.pi * (2 + number % 4) * np.hypot(rows, columns))
    color = np.array(colorsys.hsv_to_rgb(number / POOL, 0.8, 1.0))
    pixels = np.rint(255 * (waves[..., None] * color)).astype(np.uint8)
    buffer = io.BytesIO()
    options = {"lossless": True} if kind == "WEBP" else {"quality": 80}
    Image.fromarray(255 - pixels if inverted else pixels).save(buffer, format=kind, **options)
    return buffer.getvalue()


def _facts(manifest: Manifest, layer: AtlasLayer) -> Iterator[UnitFacts]:
    names = [one.name for one in manifest.layers]
    at = names.index(layer.name)
    units = list(units_of(layer))
    for place, unit in enumerate(units):
        near = [units[(place + step) % len(units)] for step in (1, 2, 3)]
        yield UnitFacts(
            layer=layer.name,
            unit=unit,
            label=manifest.network.labels[unit] if layer.is_output else "",
            answers=_answers(unit),
            examples=tuple(_examples(unit)),
            correlated=tuple(Link(layer.name, other, 0.9 - 0.1 * i) for i, other in enumerate(near)),
            similar=tuple(Link(layer.name, other, 0.8 - 0.1 * i) for i, other in enumerate(near)),
            inputs=tuple(Link(names[at - 1], i, 0.5 - i) for i in range(3)) if at else (),
            outputs=tuple(Link(names[at + 1], i, 0.4 - i) for i in range(3)) if at + 1 < len(names) else (),
        )


def _answers(unit: int) -> Answers:
    edges = tuple(round(-1 + 0.5 * i, 3) for i in range(13))
    shares = tuple(round(x, 6) for x in (np.exp(-0.5 * (np.arange(12) - 4 - unit % 3) ** 2) / 2.5066).tolist())
    fractions = (0.01, 0.1, 0.5, 0.9, 0.99)
    return Answers(640, 1.1, 0.9, -1.0, 4.5, 0.8, fractions, (-0.6, 0.1, 1.0, 2.4, 3.6), edges, shares)


def _examples(unit: int) -> Iterator[FactExample]:
    for kind, low in (("top", 4.5), ("bottom", -1.0), ("zero", 0.0)):
        for rank in range(3):
            number = (5 * unit + rank + 11 * (kind != "top")) % 40
            key = NASTY[number] if number < len(NASTY) else f"n0{number:03}/photograph {number}.jpg"
            image = drawn(number % POOL, 32, False, "JPEG")
            yield FactExample(kind, rank, low - 0.1 * rank * (1 if kind == "top" else -1), key, (0, 0, 32, 32), image)


def broken_copy(folder: AtlasFolder, slug: str, where: Path) -> AtlasFolder:
    """A copy of a local atlas in which one byte of a picture of a layer is another."""
    import shutil

    from phosphene.store.atlas import open_atlas

    shutil.copytree(folder.uri, where)
    path = min((where / "data" / slug).glob("*.parquet"))
    data = bytearray(path.read_bytes())
    at = data.index(b"RIFF") + 40
    data[at] ^= 0xFF
    path.write_bytes(bytes(data))
    return open_atlas(str(where))


def main() -> None:
    """See the module."""
    import argparse

    from phosphene.web.atlas_export import export_site
    from phosphene.web.atlas_site import Site

    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--units", type=int, default=300)
    parser.add_argument("--site", type=Path)
    asked = parser.parse_args()
    shapes = (replace(SMALL[0], n=asked.units), *SMALL[1:])
    folder = make_atlas(asked.folder, made_up_manifest(shapes), side=64)
    if asked.site:
        sys.stdout.write(f"{export_site(Site(folder), asked.site)}\n")


if __name__ == "__main__":
    main()
