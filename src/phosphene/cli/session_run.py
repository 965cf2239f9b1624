"""``phosphene session run``, ``serve``, ``simulate`` and ``resume``: the loop with an experiment, in its three ways."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from phosphene.cli import console
from phosphene.cli.session_new import DirectoryArgument
from phosphene.errors import ParameterError, StorageError

if TYPE_CHECKING:
    from phosphene.cli.session_memory import Run
    from phosphene.sessions import Session

TrustOption = Annotated[
    bool, typer.Option("--trust", help="Let the session's plan import modules and download weights.")
]
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
    strict: Annotated[bool, typer.Option("--strict", help="Stimuli must be named to the letter.")] = False,
    trust: TrustOption = False,
) -> None:
    """Run a session through folders: each generation is one, and waits for the rig's responses.

    Ctrl-C leaves the session as it is; session resume goes on.
    """
    with _opened(directory, trust, generations, by="folder", timeout_s=timeout_s, strict=strict) as opened:
        _folders(*opened)


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
    with _opened(directory, trust, generations, by="http", host=host, port=port) as (session, how):
        _http(session, how, token)


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
    with _opened(directory, trust, generations, by="neuron", neuron=neuron) as opened:
        _neuron(*opened)


def resume(
    directory: DirectoryArgument,
    *,
    folder: Annotated[
        bool | None, typer.Option("--folder/--http", help="Through the folder, or over HTTP. (default: as at the last)")
    ] = None,
    generations: _Generations = None,
    trust: TrustOption = False,
) -> None:
    """Go on with a session after a kill, the way it was run last; says what it found."""
    was_torn = _is_torn(directory)
    changes = {} if folder is None else {"by": "folder" if folder else "http"}
    with _opened(directory, trust, generations, **changes) as (session, how):
        for line in _found(session, was_torn):
            console.say(line)
        _WAYS[how.by](session, how)


@contextlib.contextmanager
def _opened(directory: Path, trust: bool, generations: int | None, **changes: Any) -> Generator[tuple[Session, Run]]:
    """The session, open, and how it is run: as at the last, but for what is given, which is written down."""
    from phosphene.cli.session_memory import recall, remember
    from phosphene.sessions import Session

    with Session.open(directory, trust=trust) as session:
        before = recall(directory)
        how = replace(before, generations=generations or before.generations, **changes)
        remember(directory, how)
        try:
            yield session, how
        except KeyboardInterrupt:
            console.say(f"{directory} is intact; go on with: phosphene session resume {directory}")
            raise
        n_over = session.status().generation
        console.say(f"{n_over} generations are over; see them with: phosphene session report {directory}")


def _folders(session: Session, how: Run) -> None:
    from phosphene.sessions import run_folder

    run_folder(session, generations=how.generations, timeout_s=how.timeout_s, strict=how.strict, say=console.say)


def _http(session: Session, how: Run, token: str | None = None) -> None:
    from phosphene.web.session_server import serve as serve_session

    def is_over() -> bool:
        return how.generations is not None and session.n_finished >= how.generations

    serve_session(session, host=how.host, port=how.port, token=token, say=console.out().print, stop=is_over)


def _neuron(session: Session, how: Run) -> None:
    from phosphene.cli.session_memory import Neuron
    from phosphene.cli.session_neuron import answer_directly, answering
    from phosphene.cli.session_rig import Rig
    from phosphene.sessions import run_folder

    neuron = how.neuron or Neuron()
    with answering(neuron) as answer:
        if not neuron.through_folder:
            answer_directly(session, answer, generations=how.generations, say=console.say)
            return
        with Rig(session.layout.blocks, answer).working() as rig:
            run_folder(session, generations=how.generations, settle_s=0.0, stop=rig.has_failed, say=console.say)


_WAYS: Mapping[str, Callable[[Session, Run], None]] = MappingProxyType(
    {"folder": _folders, "http": _http, "neuron": _neuron}
)


def _is_torn(directory: Path) -> bool:
    """Whether a kill cut off the last line of the journal; what else is wrong is told by opening the session."""
    from phosphene.sessions.journal import read_journal
    from phosphene.sessions.layout import Layout

    with contextlib.suppress(StorageError):
        return read_journal(Layout(directory).journal).is_torn
    return False


def _found(session: Session, was_torn: bool) -> Iterator[str]:
    """What the session has on record, in sentences."""
    status = session.status()
    yield f"{status.generation} generations are over, {status.n_trials} trials on record, {status.n_lost} of them lost."
    if was_torn:
        yield "The journal's last line was cut off while it was written: it never counted, and is dropped."
    if status.is_asked:
        yield f"Generation {status.generation} is under way: {status.n_waiting} presentations wait for a response."
