"""``phosphene atlas``: every unit of a network, built anywhere, and read like a book."""

from __future__ import annotations

import typer

from phosphene.cli.atlas_activations import activations
from phosphene.cli.atlas_build import build
from phosphene.cli.atlas_compare import align
from phosphene.cli.atlas_site import export, serve
from phosphene.cli.atlas_status import compact, render, status, verify

atlas = typer.Typer(help="Render every unit of a network into an atlas, and read it.", no_args_is_help=True)
for command in (build, status, verify, compact, render, serve, export, align, activations):
    atlas.command()(command)
