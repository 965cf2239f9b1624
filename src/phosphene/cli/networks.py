"""Networks as people name them on the command line, and the options that every command about a network shares."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from phosphene import Network

NetArgument = Annotated[
    str,
    typer.Argument(
        metavar="NET",
        help="efficientnet_lite0, timm/NAME, torchvision/NAME, or pkg.mod:factory, a function that returns a module.",
    ),
]
WeightsOption = Annotated[
    Path | None, typer.Option("--weights", help="Weights for a factory: a safetensors or state-dict file.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def load_network(name: str, weights: Path | None = None) -> Network:
    """`phosphene.load` for a name from the command line; a factory may lie in the current folder."""
    import phosphene as ph

    if ":" in name:
        allow_current_folder()
    return ph.load(name) if weights is None else ph.load(name, weights=str(weights))


def allow_current_folder() -> None:
    """Let modules of the current folder be imported: an installed command, unlike ``python -m``, starts without it."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
