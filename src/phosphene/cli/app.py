"""The application: its commands, and what becomes of errors and interrupts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from phosphene.cli import console
from phosphene.cli.atlas import atlas
from phosphene.cli.attribute import attribute
from phosphene.cli.demo import demo
from phosphene.cli.dream import dream
from phosphene.cli.evolve import evolve
from phosphene.cli.examples import examples
from phosphene.cli.explain import explain
from phosphene.cli.layers import layers
from phosphene.cli.recipes import recipes
from phosphene.cli.render import render
from phosphene.cli.replay import replay
from phosphene.cli.session import session
from phosphene.errors import PhospheneError

EXIT_MISTAKE = 2
EXIT_INTERRUPT = 130  # 128 + SIGINT, as shells count


class Commands(TyperGroup):
    """Commands whose deliberate errors are one message and an exit code, never a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except PhospheneError as error:
            console.complain(str(error))
            raise typer.Exit(EXIT_MISTAKE) from error
        except KeyboardInterrupt as interrupt:
            console.say("Interrupted.")
            raise typer.Exit(EXIT_INTERRUPT) from interrupt


app = typer.Typer(
    cls=Commands,
    name="phosphene",
    help="What is a unit of a vision network tuned to? Render the image that drives it most.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (layers, render, dream, attribute, examples, explain, evolve, replay, demo):
    app.command()(command)
app.add_typer(atlas, name="atlas")
app.add_typer(recipes, name="recipes")
app.add_typer(session, name="session")


def _show_version(wanted: bool) -> bool:
    if wanted:
        from phosphene import __version__

        console.out().print(f"phosphene {__version__}")
        raise typer.Exit
    return wanted


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


def run(arguments: Sequence[str] | None = None) -> int:
    """Run ``phosphene`` with ``arguments`` (default: the process's) and return its exit code."""
    try:
        app(args=None if arguments is None else list(arguments), prog_name="phosphene")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    return 0
