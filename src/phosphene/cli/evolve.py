"""``phosphene evolve NET UNIT…``: a unit's favourite image from scores alone, in the space of a generator."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from phosphene.cli import console
from phosphene.cli.networks import JsonOption, NetArgument, WeightsOption, load_network

if TYPE_CHECKING:
    from phosphene.evolution import Evolution

UnitsArgument = Annotated[
    list[str], typer.Argument(metavar="UNIT…", help="blocks.8:7, blocks.8:0-31, blocks.8:7@3,4, classifier:espresso …")
]
SpaceOption = Annotated[
    str,
    typer.Option(metavar="SPACE", help="dcgan, fourier:64x64, pixels:32x32:grey, upconv-fc6:PATH, taesd:PATH, FILE."),
]
OptimizerOption = Annotated[
    str,
    typer.Option(
        metavar="NAME", help="cmaes, cmaes:full, sphere, genetic, genetic:xdream, pycma, random …, or a FILE."
    ),
]
GenerationsOption = Annotated[int, typer.Option(min=0, help="Generations.")]
PopulationOption = Annotated[int | None, typer.Option(min=2, help="Images of a generation. (default: by the space)")]
ReferencesOption = Annotated[
    Path | None, typer.Option(metavar="FOLDER", help="Photographs to compare the evolved images with.")
]
SeedOption = Annotated[int, typer.Option(min=0, help="Seed of the search.")]
DeviceOption = Annotated[str, typer.Option(help="cpu, cuda, mps, …")]
OutputOption = Annotated[Path, typer.Option("-o", "--output", metavar="FOLDER", help="Where the pictures go.")]


def evolve(
    net: NetArgument,
    units: UnitsArgument,
    *,
    space: SpaceOption = "dcgan",
    optimizer: OptimizerOption = "cmaes",
    generations: GenerationsOption = 75,
    population: PopulationOption = None,
    references: ReferencesOption = None,
    seed: SeedOption = 0,
    device: DeviceOption = "cpu",
    output: OutputOption = Path("out"),
    weights: WeightsOption = None,
    json: JsonOption = False,
) -> None:
    """Evolve the image that drives each unit most, from scores alone: the network is never asked for a gradient.

    For each unit the folder gets UNIT.png, what the search recommends, and UNIT_best.png, what scored highest, which
    both replay, UNIT_strip.png, the way to them, and UNIT.npz, all codes and scores.
    """
    import phosphene as ph
    from phosphene.cli.session_text import parse_optimizer, parse_space
    from phosphene.cli.units_text import parse_units
    from phosphene.evolution.references import reference_images
    from phosphene.store import distinct_stems

    # What is cheap to refuse is refused before the network is loaded.
    codes, (_, search) = parse_space(space), parse_optimizer(optimizer, population)
    shown = None if references is None else reference_images(references, codes.image_shape)
    network = load_network(net, weights)
    named = parse_units(network, units)
    how: dict[str, Any] = {"optimizer": search, "generations": generations, "seed": seed, "device": device}
    for unit, stem in zip(named, distinct_stems(unit.text for unit in named), strict=True):
        scorer = ph.scorers.units(network, unit.unit)
        per_generation = population or search.population_for(codes.dim)
        with console.progress(unit.text, generations * per_generation) as advance:
            result = ph.evolve(scorer, codes, references=shown, progress=advance, **how)
        record = _save(result, unit.text, output, stem)
        if json:
            console.print_json(record)
        else:
            console.out().print(_sentence(record))
        if result.status[0].startswith("interrupted"):
            raise KeyboardInterrupt


def _save(result: Evolution, name: str, folder: Path, stem: str) -> dict[str, Any]:
    """Write what is kept of a unit; what is to be said of it."""
    import numpy as np

    from phosphene import store

    (file,) = result.save(folder / f"{stem}.png")
    result.best_observed.save(folder / f"{stem}_best.png")
    result.save_data(folder / f"{stem}.npz")
    if len(result.trajectory):
        store.write_png(folder / f"{stem}_strip.png", np.asarray(result.film_strip()))
    scores = result.reference_scores
    return {
        "unit": name,
        "file": str(file),
        "score": _finite(float(result.final_scores[0])),
        "best_observed": _finite(result.best_score),
        "best_reference": None if scores is None else _finite(float(scores.nan_to_num(nan=-math.inf).max())),
        "status": result.status[0],
    }


def _finite(value: float) -> float | None:
    return value if abs(value) < float("inf") else None


def _sentence(record: dict[str, Any]) -> str:
    known = (("score", "score"), ("best observed", "best_observed"), ("best reference", "best_reference"))
    figures = [f"{name} {record[key]:.4g}" for name, key in known if record[key] is not None]
    note = "" if record["status"] == "ok" else f"  ({record['status']})"
    return f"{record['unit']}  {', '.join(figures) or 'score –'}  {record['file']}{note}"
