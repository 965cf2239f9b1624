"""``phosphene session status``, ``advance`` and ``report``: how a session stands, and what it found."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from phosphene.cli import console
from phosphene.cli.networks import JsonOption
from phosphene.cli.session_new import DirectoryArgument
from phosphene.cli.session_run import TrustOption

if TYPE_CHECKING:
    from phosphene.sessions import Status, ThreadStatus


def status(directory: DirectoryArgument, *, json: JsonOption = False, trust: TrustOption = False) -> None:
    """Show how a session stands, whether it runs or not; nothing is changed."""
    from phosphene.sessions import Session

    found = Session.read(directory, trust=trust).status()
    if json:
        console.print_json(found.to_json())
    else:
        _show(found)


def advance(directory: DirectoryArgument, *, trust: TrustOption = False) -> None:
    """End the present generation with what is in; candidates without a score count as lost.

    Files of responses that wait are taken in first. While session run waits in another process, that one is asked.
    """
    from phosphene.cli.session_advancing import advance_session

    for line in advance_session(directory, trust=trust):
        console.say(line)


def report(
    directory: DirectoryArgument,
    *,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="The page. (default: DIR/report.html)")
    ] = None,
    trust: TrustOption = False,
) -> None:
    """Write a self-contained page and tidy tables of a session, whether it runs or not."""
    from phosphene.sessions.report import write_report

    for what, path in zip(("page", "trials", "generations"), write_report(directory, output, trust=trust), strict=True):
        console.out().print(f"{what:<12} {path}")


def _show(found: Status) -> None:
    under_way = f"is under way, {found.n_waiting} presentations wait" if found.is_asked else "has not begun"
    table = console.table(
        "thread", "generation", "scored", "waiting", "evolved", "reference", "best", "of", right=_NUMBERS
    )
    for thread in found.threads:
        table.add_row(*_row(thread))
    console.out().print(f"generation {found.generation} {under_way}")
    console.out().print(f"{found.n_trials} trials, {found.n_lost} of them lost, {found.n_late} too late")
    if found.n_unscored:
        console.say(
            f"{found.n_unscored} trials came without the channels that a thread goes by, so that they have no score"
        )
    if found.problem:
        console.say(found.problem)
    console.out().print(table)


_NUMBERS = ("generation", "scored", "waiting", "evolved", "reference", "best")


def _row(thread: ThreadStatus) -> tuple[str, ...]:
    means = (_newest(thread.evolved), _newest(thread.references), thread.best_score)
    counts = (thread.generation, thread.n_scored, thread.n_waiting)
    evolved, reference, best = ("–" if value is None else f"{value:.4g}" for value in means)
    return (thread.name, *map(str, counts), evolved, reference, best, thread.best_stimulus or "–")


def _newest(means: tuple[float | None, ...]) -> float | None:
    return next((mean for mean in reversed(means) if mean is not None), None)
