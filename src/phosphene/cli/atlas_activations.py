"""``phosphene atlas activations NET LAYER --images FOLDER``: what a layer makes of many photographs, on a plane."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from phosphene.cli import console
from phosphene.cli.networks import JsonOption, NetArgument, WeightsOption, load_network

if TYPE_CHECKING:
    from phosphene import Network
    from phosphene.store.atlas.activation_map import ActivationAtlas

LayerArgument = Annotated[str, typer.Argument(metavar="LAYER", help="A name that `phosphene layers` lists.")]
ImagesOption = Annotated[
    Path, typer.Option("--images", metavar="FOLDER", help="Photographs, in the folder and in the folders in it.")
]
OutputOption = Annotated[
    str, typer.Option("-o", "--output", metavar="DIR|URI", help="Folder of the atlas, or an address such as s3://…")
]
AlignOption = Annotated[
    str | None,
    typer.Option(metavar="NET2:LAYER2", help="Another layer, of this or another network, at the same places."),
]
CountOption = Annotated[int, typer.Option("--activations", min=10, help="How many activations are laid out.")]
GridOption = Annotated[
    list[int] | None, typer.Option("--grid", help="Squares along each side; again for more. (default: 10 20 40)")
]
CacheOption = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Where icons are kept. (default: the user's cache folder)")
]
AgainOption = Annotated[bool, typer.Option("--again", help="Replace an atlas that is there already.")]


def activations(
    net: NetArgument,
    layer: LayerArgument,
    *,
    images: ImagesOption,
    output: OutputOption = "out/activations",
    align: AlignOption = None,
    count: CountOption = 100_000,
    grid: GridOption = None,
    size: Annotated[int, typer.Option(min=16, max=1024, help="Sides of an icon in pixels.")] = 96,
    steps: Annotated[int, typer.Option(min=1, help="Steps of an icon.")] = 128,
    attempts: Annotated[int, typer.Option(min=1, help="Icons tried for each cell; the best is kept.")] = 2,
    power: Annotated[float, typer.Option(min=0, help="Power of the cosine: how pure an icon's direction is.")] = 2.0,
    whiten: Annotated[bool, typer.Option(help="Whether what all activations share counts for less.")] = True,
    ridge: Annotated[float, typer.Option(min=0, help="How little whitening takes away; the more, the less.")] = 3.0,
    least: Annotated[int, typer.Option(min=1, help="Cells of fewer activations are left out.")] = 5,
    layout: Annotated[Literal["umap", "principal"], typer.Option(help="How activations get places.")] = "umap",
    neighbors: Annotated[int, typer.Option(min=2, help="Neighbours that UMAP keeps near.")] = 50,
    min_dist: Annotated[float, typer.Option(min=0, max=1, help="How near UMAP lets two places come.")] = 0.05,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of every random draw.")] = 0,
    cache: CacheOption = None,
    again: AgainOption = False,
    weights: WeightsOption = None,
    json: JsonOption = False,
) -> None:
    """Lay out what a layer makes of many photographs, and render what each place of the plane looks for.

    Writes the data, and in a local folder a page beside them. Icons are kept: an interrupted run takes up from there.
    """
    from phosphene.atlas.activations import UMAP, Icons, Principal
    from phosphene.blocks import Pictures
    from phosphene.cli.writable import check_folder
    from phosphene.collection.sources import open_source
    from phosphene.store.atlas.activation_files import save_activation_atlas

    # What is cheap to refuse is refused before a network is loaded.
    source = open_source(images)
    _check_output(output, again)
    if cache is not None:
        check_folder(cache)
    how = {
        "n_activations": count,
        "grids": tuple(grid or (10, 20, 40)),
        "icons": Icons(size, steps, attempts, power, whiten, ridge, least),
        "layout": UMAP(neighbors, min_dist) if layout == "umap" else Principal(),
        "seed": seed,
        "pictures": Pictures(cache),
    }
    found = _made(load_network(net, weights), layer, align, source, how)
    file = save_activation_atlas(output, found)
    page = None if "://" in output else _page(found, output)
    if json:
        console.print_json(_record(found, file, page))
    else:
        console.out().print(_sentence(found, file, page))


def _made(net: Network, layer: str, align: str | None, source: object, how: dict[str, Any]) -> ActivationAtlas:
    from phosphene.atlas.activations import activation_atlas, aligned_activation_atlas

    net.layer(layer)
    try:
        if align is None:
            return activation_atlas(net, layer, source, **how)
        return aligned_activation_atlas((net, layer), _other(net, align), source, **how)
    except KeyboardInterrupt:
        console.say("Icons that were finished are kept; the same command goes on.")
        raise


def _other(net: Network, text: str) -> tuple[Network, str]:
    """The network and layer that ``NET2:LAYER2`` means; a network of the same name is not loaded again.

    Raises:
        UnitFormatError: there is no colon, or nothing beside it.
        UnknownLayerError: the network has no such layer.
    """
    from phosphene.errors import UnitFormatError

    name, _, layer = text.rpartition(":")
    if not name or not layer:
        raise UnitFormatError(
            f"--align is {text!r}; expected a network and a layer, such as efficientnet_lite0:blocks.8"
        )
    other = net if name == net.name else load_network(name)
    other.layer(layer)
    return other, layer


def _check_output(output: str, again: bool) -> None:
    """Refuse an address that cannot be reached, a folder that cannot be written, an atlas that is there."""
    from phosphene.cli.writable import check_folder
    from phosphene.errors import ParameterError, StorageError
    from phosphene.store.atlas.activation_files import ACTIVATIONS_FILE
    from phosphene.store.atlas.libraries import arrow
    from phosphene.store.atlas.opening import first_look
    from phosphene.store.atlas.reaching import reach

    arrow()
    if output.startswith("memory:"):
        raise ParameterError(f"-o is {output!r}, which is gone when the command ends; expected a folder or s3://…")
    place = reach(output)
    if place.local is not None:
        check_folder(place.local)
    if first_look(place, lambda brief: brief.entry(ACTIVATIONS_FILE)) is not None and not again:
        raise StorageError(
            f"{output} holds an activation atlas; choose another folder with -o, or replace it with --again"
        )


def _page(found: ActivationAtlas, output: str) -> Path:
    from phosphene.web.activations_page import write_activation_page

    return write_activation_page(found, Path(output))


def _record(found: ActivationAtlas, file: str, page: Path | None) -> dict[str, Any]:
    return {
        "file": file,
        "page": None if page is None else str(page),
        "maps": [
            {
                "network": one.network,
                "layer": one.layer,
                "activations": one.n_activations,
                "images": one.n_images,
                "cells": {str(each.size): len(each.cells) for each in one.grids},
            }
            for one in found.maps
        ],
    }


def _sentence(found: ActivationAtlas, file: str, page: Path | None) -> str:
    lines = [
        f"{one.network} {one.layer}: {one.n_activations} activations of {one.n_images} photographs; "
        + ", ".join(f"{len(each.cells)} cells of {each.size} × {each.size}" for each in one.grids)
        for one in found.maps
    ]
    return "\n".join([*lines, file] if page is None else [*lines, file, str(page)])
