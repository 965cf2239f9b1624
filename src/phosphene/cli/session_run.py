"""``phosphene session run``, ``serve``, ``simulate`` and ``resume``: the loop with an experiment, in its three ways."""

from __future__ import annotations

from typing import Annotated

import typer

from phosphene.cli.session_going import go
from phosphene.cli.session_new import DirectoryArgument
from phosphene.errors import ParameterError

TrustOption = Annotated[bool, typer.Option("--trust", help="Let the session import modules and download weights.")]
_Generations = Annotated[
    int | None, typer.Option(min=1, help="End when so many are over, earlier runs included. (default: as at the last)")
]


def run(
    directory: DirectoryArgument,
    *,
    generations: _Generations = None,
    timeout_s: Annotated[
        float | None, typer.Option("--timeout", min=0, help="Seconds to wait for a file. (default: for ever)")
    ] = None,
    settle_s: Annotated[
        float, typer.Option("--settle", min=0, help="Seconds for which a file must not have changed.")
    ] = 0.5,
    patience_s: Annotated[
        float, typer.Option("--patience", min=0, help="Seconds to wait, after its last change, for rows it lacks.")
    ] = 60.0,
    strict: Annotated[bool, typer.Option("--strict", help="Stimuli must be named to the letter.")] = False,
    trust: TrustOption = False,
) -> None:
    """Run a session through folders: each generation is one, and waits for the rig's responses.

    Ctrl-C leaves the session as it is; session resume goes on. Meanwhile, session advance ends a generation.
    """
    how = {"timeout_s": timeout_s, "settle_s": settle_s, "patience_s": patience_s, "strict": strict}
    go(directory, trust, {"by": "folder", "generations": generations, **how})


def serve(
    directory: DirectoryArgument,
    *,
    host: Annotated[str, typer.Option(help="Address to bind to; only this machine reaches the default.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes one that is free.")] = 0,
    token: Annotated[str | None, typer.Option(help="Secret that clients show. (default: a new one)")] = None,
    generations: _Generations = None,
    trust: TrustOption = False,
) -> None:
    """Run a session over HTTP, with a live page; prints the address and the token."""
    go(directory, trust, {"by": "http", "generations": generations, "host": host, "port": port}, token=token)


def simulate(
    directory: DirectoryArgument,
    *,
    net: Annotated[str | None, typer.Option(metavar="NET", help="A network, as for phosphene render.")] = None,
    unit: Annotated[str | None, typer.Option(metavar="UNIT", help="Its unit, such as blocks.8:7.")] = None,
    gabor: Annotated[bool, typer.Option("--gabor", help="A simple cell: a Gabor filter, rectified.")] = False,
    noise: Annotated[
        str | None, typer.Option(help="Noise of single trials: poisson:SCALE, multiplicative:SD or additive:SD.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the noise.")] = 0,
    folder: Annotated[bool, typer.Option("--folder", help="Answer through the folder, as a rig does.")] = False,
    generations: _Generations = None,
    trust: TrustOption = False,
) -> None:
    """Answer a session by a simulated neuron: a real loop to try out, without a rig."""
    from phosphene.cli.session_memory import Neuron

    if gabor == (net is not None or unit is not None) or (net is None) != (unit is None):
        raise ParameterError("no neuron is named, or two are: expected --gabor, or --net NET with --unit UNIT")
    neuron = Neuron(net, unit, noise, seed, folder)
    go(directory, trust, {"by": "neuron", "generations": generations, "neuron": neuron})


def resume(
    directory: DirectoryArgument,
    *,
    folder: Annotated[
        bool | None, typer.Option("--folder/--http", help="Through the folder, or over HTTP. (default: as at the last)")
    ] = None,
    host: Annotated[
        str | None, typer.Option(help="Address to bind to. (default: as at the last, if only this machine reaches it)")
    ] = None,
    generations: _Generations = None,
    trust: TrustOption = False,
) -> None:
    """Go on with a session after a kill, the way it was run last; says what it found."""
    by = None if folder is None else "folder" if folder else "http"
    go(directory, trust, {"by": by, "generations": generations, "host": host}, is_resumed=True)
