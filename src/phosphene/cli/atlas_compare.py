"""``phosphene atlas align A B --images FOLDER``: which unit of one atlas answers photographs like which of another."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Annotated, Any

import typer

from phosphene.cli import console
from phosphene.cli.atlas_text import network_of
from phosphene.cli.networks import JsonOption
from phosphene.errors import ParameterError

if TYPE_CHECKING:
    from phosphene.store.atlas.alignment import AlignmentTable

Atlas = typer.Argument(help="A folder, or an address such as s3://bucket/atlas.")
ImagesOption = Annotated[
    Path, typer.Option("--images", metavar="FOLDER", help="Photographs, in the folder and in the folders in it.")
]
OutputOption = Annotated[
    str,
    typer.Option("-o", "--output", metavar="FILE", help="A .parquet file; or a folder or address that gets one."),
]
LayersOption = Annotated[
    list[str] | None,
    typer.Option("--layers", metavar="LAYER=LAYER", help="A layer of A and one of B; again for more. (default: all)"),
]
DeviceOption = Annotated[str | None, typer.Option(help="cpu, cuda, mps, … (default: where the networks are)")]
TrustOption = Annotated[
    bool, typer.Option("--trust", help="Let the atlases import modules, run factories and download weights.")
]


def align(
    a: Annotated[str, Atlas],
    b: Annotated[str, Atlas],
    *,
    images: ImagesOption,
    output: OutputOption = "alignment.parquet",
    layers: LayersOption = None,
    net_a: Annotated[str | None, typer.Option(metavar="NET", help="The network of A. (default: as A says)")] = None,
    net_b: Annotated[str | None, typer.Option(metavar="NET", help="The network of B. (default: as B says)")] = None,
    device: DeviceOption = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Photographs at once.")] = 32,
    trust: TrustOption = False,
    json: JsonOption = False,
) -> None:
    """For each unit of atlas A find the unit of atlas B whose answers to the same photographs go with its own most.

    `phosphene atlas serve A --compare B --alignment FILE` shows them side by side.
    """
    from phosphene.atlas.comparing import align as aligned
    from phosphene.collection.sources import open_source
    from phosphene.store.atlas import open_atlas
    from phosphene.store.atlas.alignment import save_alignment

    # What is cheap to refuse is refused before networks are loaded.
    source, pairs = open_source(images), _pairs(layers)
    _try_out(output)
    folders = (open_atlas(a), open_atlas(b))
    named = zip(folders, (net_a, net_b), ("--net-a", "--net-b"), strict=True)
    nets = [network_of(folder, name, trust=trust, option=option) for folder, name, option in named]
    with console.progress("Looking", 2 * (source.n or 0)) as advance:
        how: dict[str, Any] = {"layers": pairs, "device": device, "batch_size": batch_size, "progress": advance}
        table = aligned(nets[0], folders[0], nets[1], folders[1], source, **how)
    where = save_alignment(table, output)
    if json:
        console.print_json({"file": where, "images": table.n_images, "layers": _rows(table)})
    else:
        _show(table, where)


def _try_out(output: str) -> None:
    """Refuse a place where no file can be written; in a folder the file has a name of its own."""
    from phosphene.cli.writable import check_folder

    if "://" not in output:
        check_folder(Path(output) if Path(output).is_dir() else Path(output).parent)


def _pairs(layers: list[str] | None) -> dict[str, list[str]] | None:
    """Layers of B by layers of A, from texts such as ``blocks.3=blocks.4``."""
    if not layers:
        return None
    found: dict[str, list[str]] = {}
    for text in layers:
        ours, sign, theirs = text.partition("=")
        if not sign:
            raise ParameterError(f"--layers is {text!r}; expected a layer of A and one of B, such as {text}={text}")
        found.setdefault(ours, []).append(theirs)
    return found


def _rows(table: AlignmentTable) -> list[dict[str, Any]]:
    """For each layer of A: its units, the median of their correlations, and where most partners are."""
    rows: list[dict[str, Any]] = []
    for layer in dict.fromkeys(one.layer_a for one in table.units):
        units = table.of(layer)
        partner, n = Counter(one.layer_b for one in units).most_common(1)[0]
        rows.append(
            {"layer": layer, "units": len(units), "median_r": median(u.r for u in units), "partner": partner, "in": n}
        )
    return rows


def _show(table: AlignmentTable, where: str) -> None:
    shown = console.table("layer of A", "units", "median r", "most partners in", right=("units", "median r"))
    for row in _rows(table):
        shown.add_row(
            row["layer"],
            str(row["units"]),
            f"{row['median_r']:.3f}",
            f"{row['partner']} ({row['in']} of {row['units']})",
        )
    console.out().print(shown)
    console.out().print(f"{len(table.units)} units over {table.n_images} photographs: {where}")
