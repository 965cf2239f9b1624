"""``phosphene session``: a closed loop with an experiment, as a directory that survives anything."""

from __future__ import annotations

import typer

from phosphene.cli.session_look import advance, report, status
from phosphene.cli.session_new import new
from phosphene.cli.session_run import resume, run, serve, simulate

session = typer.Typer(
    help="Evolve the favourite stimulus of a black box, up to a living neuron, in a closed loop.",
    no_args_is_help=True,
)
for command in (new, run, serve, resume, status, advance, report, simulate):
    session.command()(command)
