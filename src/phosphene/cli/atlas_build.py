"""``phosphene atlas build NET --out URI``: every unit of a network, in pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

from phosphene.cli import console
from phosphene.cli.atlas_text import backend_of, numbers_of, recipe_of, status_record
from phosphene.cli.networks import JsonOption, NetArgument, WeightsOption, load_network

if TYPE_CHECKING:
    from phosphene import Network
    from phosphene.atlas import BuildReport
    from phosphene.atlas.wishes import Wishes

OutOption = Annotated[
    str, typer.Option("--out", "-o", metavar="URI", help="A folder, or an address such as s3://bucket/atlas.")
]
LayersOption = Annotated[
    list[str] | None,
    typer.Option(metavar="LAYER", help="A layer; again for more. (default: 12, of every resolution and the output)"),
]
UnitsOption = Annotated[str, typer.Option(metavar="all|0-31,40", help="Units of every layer.")]
RecipeOption = Annotated[
    str | None, typer.Option(metavar="NAME|FILE", help="A named recipe, or a file. (default: small pictures)")
]
SizeOption = Annotated[int | None, typer.Option(min=8, help="Height and width in pixels. (default: the recipe's)")]
DiversityOption = Annotated[
    int, typer.Option(metavar="N", min=0, help="Pictures of each unit that differ; 0 or from 2.")
]
SeedsOption = Annotated[int, typer.Option(metavar="N", min=1, help="Pictures of each unit from other noise.")]
QualityOption = Annotated[
    int | None, typer.Option(metavar="1-100", min=1, max=100, help="Of the WebP pictures. (default: without loss)")
]
ImagesOption = Annotated[
    Path | None, typer.Option(metavar="FOLDER", help="Photographs, to know how the units answer them.")
]
AddressOption = Annotated[
    str | None, typer.Option(metavar="HOST:PORT", help="Of a Ray cluster. (default: this machine)")
]
BatchOption = Annotated[
    str, typer.Option("--batch-size", metavar="auto|N", help="Pictures rendered together; decides their last bits.")
]
DryOption = Annotated[bool, typer.Option("--dry-run", help="Only say how many pictures, how long and how large.")]


def build(
    net: NetArgument,
    *,
    out: OutOption,
    layers: LayersOption = None,
    units: UnitsOption = "all",
    recipe: RecipeOption = None,
    size: SizeOption = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Steps of each picture. (default: the recipe's)")] = None,
    negative: Annotated[bool, typer.Option("--negative", help="Also what drives each unit least.")] = False,
    diversity: DiversityOption = 0,
    seeds: SeedsOption = 1,
    quality: QualityOption = None,
    images: ImagesOption = None,
    backend: Annotated[Literal["local", "ray"], typer.Option(help="This process, or workers of Ray.")] = "local",
    address: AddressOption = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Workers of Ray. (default: what there is room for)")
    ] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, auto, … (default: where the network is)")] = None,
    batch_size: BatchOption = "auto",
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try again where an error was raised.")] = False,
    no_compact: Annotated[bool, typer.Option("--no-compact", help="Leave each job's file by itself.")] = False,
    no_verify: Annotated[bool, typer.Option("--no-verify", help="Do not read every row again at the end.")] = False,
    dry_run: DryOption = False,
    weights: WeightsOption = None,
    json: JsonOption = False,
) -> None:
    """Render every unit of a network into an atlas. The same command goes on with what was interrupted or killed.

    With --images, how the units answer photographs is collected too and joined.
    """
    from phosphene.atlas.wishes import check_wishes
    from phosphene.collection.sources import open_source
    from phosphene.store.atlas import PictureFormat

    # What is cheap to refuse is refused before the network is loaded.
    given = {"layers": layers, "size": size, "steps": steps, "diversity": diversity, "seeds": seeds}
    wishes: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    wishes |= {"units": numbers_of(units), "negative": negative, "pictures": PictureFormat(quality)}
    wishes["batch_size"] = None if batch_size == "auto" else numbers_of(batch_size, "--batch-size", single=True)
    check_wishes(wishes)
    named, source = recipe_of(recipe), None if images is None else open_source(images)
    chosen = backend_of(backend, address, workers)
    _try_out(out)
    network = load_network(net, weights)
    wishes["recipe"] = named(network)
    if dry_run:
        _show_plan(network, out, wishes, {"device": device, "backend": chosen}, json)
        return
    how = {"images": source, "backend": chosen, "device": device, "retry_failed": retry_failed}
    _show(_built(network, out, wishes, how | {"compact": not no_compact, "verify": not no_verify}), json)


def _try_out(out: str) -> None:
    """Refuse an address at which there is something else, that cannot be reached, or that ends with the command."""
    from phosphene.atlas.finding import find_atlas
    from phosphene.cli.writable import check_folder
    from phosphene.errors import ParameterError
    from phosphene.store.atlas.reaching import reach

    if out.startswith("memory:"):
        raise ParameterError(f"--out is {out!r}, which is gone when the command ends; expected a folder or s3://…")
    find_atlas(out)
    if (local := reach(out).local) is not None:
        check_folder(local)


def _built(net: Network, out: str, wishes: dict[str, Any], how: dict[str, Any]) -> BuildReport:
    from phosphene.atlas import build as built
    from phosphene.cli.atlas_progress import shown

    try:
        with shown() as tell:
            return built(net, out, progress=tell, **how, **wishes)
    except KeyboardInterrupt:
        console.say("What was rendered so far is kept; the same command goes on.")
        raise


def _show_plan(net: Network, out: str, wishes: dict[str, Any], how: dict[str, Any], json: bool) -> None:
    from phosphene.atlas import Plan, calibrate
    from phosphene.atlas.building import planned
    from phosphene.store.atlas import check_same_plan

    manifest, was = planned(net, out, cast("Wishes", wishes), **how)
    if was is not None:
        check_same_plan(was.uri, was.manifest, manifest)
    # A cluster's workers are elsewhere: what is timed is this machine.
    device = how["device"] if how["backend"] is None else None
    found = Plan.of(manifest, calibrate(net, manifest, device=device))
    n_there = 0 if was is None else len(was.index())
    if not json:
        console.out().print(found.describe())
        if n_there:
            console.out().print(f"{n_there:,} of {found.n_pictures:,} pictures are in {out} already")
        return
    counts = {"pictures": found.n_pictures, "jobs": found.n_jobs, "seconds": found.seconds, "bytes": found.n_bytes}
    counts["there"] = n_there
    console.print_json({**counts, "layers": {layer.name: layer.n_units for layer in manifest.layers}})


def _show(report: BuildReport, json: bool) -> None:
    from phosphene.atlas.summary import duration, size_of

    now = report.status
    if json:
        done = {"rendered": report.n_rendered, "failed": report.n_failed, "damaged_jobs": report.n_damaged}
        done["unread_photographs"] = report.n_unread
        done |= {"seconds": report.seconds}
        console.print_json({"uri": report.uri, **done, **status_record(now)})
    else:
        wrong = {name: n for name, n in now.by_status.items() if n and name != "ok"}
        said = "".join(f", {n:,} {name.replace('_', ' ')}" for name, n in wrong.items())
        console.out().print(
            f"{report.uri}: {now.n_done:,} of {now.n_planned:,} pictures{said}, {size_of(now.n_bytes)}; "
            f"{report.n_rendered:,} rendered in {duration(report.seconds)}"
        )
        if report.n_unread:
            some = "1 photograph" if report.n_unread == 1 else f"{report.n_unread:,} photographs"
            console.say(f"{some} could not be read, and left out.")
        if report.n_damaged:
            console.say(f"{report.n_damaged:,} jobs were damaged or not whole, and were rendered again.")
        console.say(f"Look at it: phosphene atlas serve {report.uri}")
    if now.n_missing:
        raise typer.Exit(1)
