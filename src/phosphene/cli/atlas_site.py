"""``phosphene atlas serve|export URI``: the pages of an atlas, over HTTP or as plain files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from phosphene.cli import console
from phosphene.cli.atlas_progress import shares
from phosphene.cli.atlas_status import AtlasArgument
from phosphene.cli.networks import JsonOption, WeightsOption, load_network

if TYPE_CHECKING:
    from phosphene.web.atlas_site import Site

CompareOption = Annotated[
    str | None, typer.Option("--compare", metavar="URI", help="Another atlas, to be shown beside this one.")
]
AlignmentOption = Annotated[
    str | None, typer.Option("--alignment", metavar="FILE", help="What `phosphene atlas align` wrote.")
]
TitleOption = Annotated[str | None, typer.Option(metavar="TEXT", help="(default: the network's name)")]
NetOption = Annotated[
    str | None, typer.Option("--net", metavar="NET", help="The atlas's network, to look for units by a picture.")
]


def serve(
    uri: AtlasArgument,
    *,
    host: Annotated[str, typer.Option(help="Address to bind to; others than this machine's own are reachable.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8000,
    compare: CompareOption = None,
    alignment: AlignmentOption = None,
    title: TitleOption = None,
    net: NetOption = None,
    weights: WeightsOption = None,
) -> None:
    """Serve the pages of an atlas until they are no longer wanted. Nothing of the atlas is changed."""
    from phosphene.errors import ParameterError
    from phosphene.web.atlas_server import serve as served

    if weights is not None and net is None:
        raise ParameterError(f"--weights is {str(weights)!r} without a network; name it with --net")
    site = _site(uri, compare, alignment, title=title)
    network = None if net is None else load_network(net, weights)
    served(site, host=host, port=port, network=network, say=console.say)


def export(
    uri: AtlasArgument,
    *,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Folder of the site.")] = Path("site"),
    png: Annotated[bool, typer.Option("--png", help="Also every picture as a PNG.")] = False,
    compare: CompareOption = None,
    alignment: AlignmentOption = None,
    title: TitleOption = None,
    json: JsonOption = False,
) -> None:
    """Write the pages of an atlas as plain files, which any static host serves and which open from disk."""
    from phosphene.cli.writable import check_folder
    from phosphene.web.atlas_export import export_site

    site = _site(uri, compare, alignment, title=title, png=png)
    check_folder(output)
    with shares("Writing") as tell:
        page = export_site(site, output, progress=tell)
    if json:
        console.print_json({"page": str(page)})
    else:
        console.out().print(str(page))


def _site(uri: str, compare: str | None, alignment: str | None, *, title: str | None, png: bool = False) -> Site:
    """The site of an atlas.

    Raises:
        ParameterError: an alignment without another atlas.
        StorageError: an atlas or alignment cannot be opened, or they do not belong together.
    """
    from phosphene.errors import ParameterError
    from phosphene.store.atlas import open_atlas
    from phosphene.store.atlas.alignment import load_alignment
    from phosphene.web.atlas_site import Site

    if alignment is not None and compare is None:
        raise ParameterError(f"--alignment is {alignment!r} without another atlas; name it with --compare")
    folder = open_atlas(uri)
    other = None if compare is None else open_atlas(compare)
    table = None if alignment is None else load_alignment(alignment)
    return Site(folder, compare=other, alignment=table, title=title, png=png)
