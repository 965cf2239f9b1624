"""``phosphene atlas status|verify|compact|render URI``: what an atlas holds, whether it is whole, one picture of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from phosphene.cli import console
from phosphene.cli.atlas_progress import shares
from phosphene.cli.atlas_text import network_of, status_record, unit_of
from phosphene.cli.networks import JsonOption, WeightsOption

if TYPE_CHECKING:
    from phosphene.atlas import Status
    from phosphene.store.atlas.report import Report

AtlasArgument = Annotated[str, typer.Argument(metavar="URI", help="A folder, or an address such as s3://bucket/atlas.")]
_SHOWN = 10  # of what is wrong, so many are named


def status(uri: AtlasArgument, json: JsonOption = False) -> None:
    """Say how far an atlas is: pictures done and planned, failures, size, and what is left of the time."""
    from phosphene.atlas import status as status_of
    from phosphene.store.atlas import open_atlas

    now = status_of(open_atlas(uri))
    if json:
        console.print_json(status_record(now))
    else:
        _show_status(now)


def _show_status(now: Status) -> None:
    from phosphene.atlas.summary import duration, size_of

    numbers = ("done", "planned", "dead", "not finite", "failed", "s each")
    table = console.table("layer", "variant", *numbers, right=numbers)
    for one in now.layers:
        counts = (one.n_done, one.n_planned, *(one.by_status[name] for name in ("dead", "not_finite", "failed")))
        table.add_row(one.layer, one.variant, *map(str, counts), f"{one.seconds:.2f}")
    console.out().print(table)
    left = "" if not now.n_missing else f", {now.n_missing:,} missing"
    if now.n_missing and now.remaining_s is not None:
        left += f" (about {duration(now.remaining_s)} of one worker)"
    facts = "with facts" if now.facts else "without facts"
    console.out().print(
        f"{now.network}: {now.n_done:,} of {now.n_planned:,} pictures{left}, {size_of(now.n_bytes)}, {facts}"
    )
    for path in now.damaged[:_SHOWN]:
        console.say(f"{path} is damaged; phosphene atlas verify says more")


def verify(
    uri: AtlasArgument,
    *,
    mend: Annotated[bool, typer.Option("--mend", help="Remove what is wrong, so that a build makes it again.")] = False,
    json: JsonOption = False,
) -> None:
    """Read every row of an atlas and name what is missing, damaged or doubled. The exit code is 1 where anything is.

    With --mend what is wrong is removed; no builder may be at work then.
    """
    from phosphene.atlas.state import verify as verified
    from phosphene.store.atlas import open_atlas

    folder = open_atlas(uri)
    with shares("Reading") as tell:
        report = verified(folder, progress=tell)
    if json:
        console.print_json(_record(report))
    else:
        _show_report(report, uri)
    if mend:
        console.say(f"{folder.mend(report)} files were removed or written anew.")
    if not report.is_whole:
        raise typer.Exit(1)


def _record(report: Report) -> dict[str, Any]:
    return {
        "pictures": report.n_pictures,
        **report.by_status,
        "missing": [{"job": one.job, "layer": one.layer, "ids": list(one.ids)} for one in report.missing],
        "damaged": [{"path": one.path, "reason": one.reason} for one in report.damaged],
        "doubled": [{"path": one.path, "job": one.job} for one in report.doubled],
        "strays": list(report.strays),
        "bytes": report.bytes,
        "whole": report.is_whole,
    }


def _show_report(report: Report, uri: str) -> None:
    from phosphene.atlas.summary import size_of

    n_missing = sum(len(one.ids) for one in report.missing)
    counts = [f"{report.n_pictures:,} pictures are right, {report.n_ok:,} of them came out"]
    counts += [f"{n_missing:,} are missing"] if n_missing else []
    counts += [f"{len(report.damaged):,} files are damaged"] if report.damaged else []
    counts += [f"{len(report.doubled):,} jobs are doubled"] if report.doubled else []
    counts += [f"{len(report.strays):,} files do not belong there"] if report.strays else []
    console.out().print(f"{uri}: {'; '.join(counts)}; {size_of(report.bytes)}")
    for one in report.damaged[:_SHOWN]:
        console.say(f"{one.path}: {one.reason}")
    for path in report.strays[:_SHOWN]:
        console.say(f"{path} does not belong there")
    if n_missing or report.damaged:
        console.say("phosphene atlas build makes again what is missing or damaged.")


def compact(uri: AtlasArgument, json: JsonOption = False) -> None:
    """Put the files of single jobs together into few large ones, which are quicker to list and to read."""
    from phosphene.store.atlas import open_atlas

    folder = open_atlas(uri)
    with shares("Packing") as tell:
        done = folder.compact(progress=tell)
    if json:
        console.print_json({"uri": uri, "files_before": done.n_before, "files_after": done.n_after})
    else:
        console.out().print(f"{uri}: {done.n_before:,} files are {done.n_after:,} now")


def render(
    uri: AtlasArgument,
    unit: Annotated[str, typer.Argument(metavar="UNIT", help="blocks.8:7, or classifier:espresso.")],
    *,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="The PNG.")] = Path("unit.png"),
    variant: Annotated[
        Literal["positive", "negative", "diverse"], typer.Option(help="Most, least, or most in several ways.")
    ] = "positive",
    member: Annotated[int, typer.Option(min=0, help="Which of the diverse pictures.")] = 0,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of the picture. (default: the first)")] = None,
    net: Annotated[str | None, typer.Option("--net", metavar="NET", help="(default: as the atlas says)")] = None,
    trust: Annotated[
        bool, typer.Option("--trust", help="Let the atlas import modules, run factories and download weights.")
    ] = False,
    weights: WeightsOption = None,
) -> None:
    """Make a picture of an atlas again, as a PNG that carries its recipe: the same bits on the same kind of machine."""
    from phosphene.atlas import render_again
    from phosphene.cli.writable import check_file
    from phosphene.errors import ParameterError
    from phosphene.store.atlas import open_atlas

    if output.suffix.lower() != ".png":
        png = output.with_suffix(".png")
        raise ParameterError(f"{output} would not be a PNG, the format that carries recipes; name it {png}")
    folder = open_atlas(uri)
    layer, number = unit_of(unit, folder.manifest)
    check_file(output)
    network = network_of(folder, net, weights, trust=trust)
    made = render_again(network, folder.manifest, layer, number, variant=variant, member=member, seed=seed)
    made.save(output)
    console.out().print(f"{made}\n{output}")
