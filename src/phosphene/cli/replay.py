"""``phosphene replay PNG``: render a saved picture again and say whether it is the same."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from phosphene.cli import console
from phosphene.cli.networks import JsonOption, allow_current_folder

if TYPE_CHECKING:
    from phosphene import Replay

EXIT_DIFFERENT = 1


def replay(
    picture: Annotated[Path, typer.Argument(metavar="PNG", help="A picture that phosphene saved.")],
    trust: Annotated[
        bool, typer.Option("--trust", help="Let the picture import modules, run factories and download weights.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Render a saved picture again from its own recipe. Exit code 0: bit-identical; 1: different."""
    import phosphene as ph

    if trust:
        allow_current_folder()
    replayed = ph.replay(picture, trust=trust)
    if json:
        console.print_json(
            {
                "picture": str(picture),
                "identical": replayed.identical,
                "max_difference": replayed.max_difference,
                "n_differing": replayed.n_differing,
            }
        )
    else:
        console.out().print(_sentence(picture, replayed))
    if not replayed.identical:
        raise typer.Exit(EXIT_DIFFERENT)


def _sentence(picture: Path, replayed: Replay) -> str:
    if replayed.identical:
        return f"{picture}: identical, bit for bit"
    return f"{picture}: different in {replayed.n_differing} values, by at most {replayed.max_difference} of 255"
