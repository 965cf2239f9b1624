"""One bar for a build: pictures, pictures a second, remaining time, failures."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from phosphene.cli import console

if TYPE_CHECKING:
    from phosphene.atlas import Progressed

#: Steps of a bar whose length is not known beforehand.
_PARTS = 1000
_WORDS = MappingProxyType(
    {
        "checking": "Looking what is there",
        "rendering": "Rendering",
        "packing": "Packing",
        "verifying": "Reading every row",
        "joining": "Joining what is known",
    }
)


@contextmanager
def shown() -> Generator[Callable[[Progressed], None]]:
    """While the block lasts, a bar on standard error; yields what tells it how far a build is."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=40),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TextColumn("elapsed"),
        TimeElapsedColumn(),
    )
    # Standard output is data, which rich would otherwise send where the bar is.
    with Progress(*columns, console=console.err(), redirect_stdout=False) as bar:
        task = bar.add_task("Planning", total=None, note="")

        def tell(now: Progressed) -> None:
            words = _WORDS[now.stage]
            bar.tasks[0].total = now.n  # by update, a number once known would stay
            bar.update(task, description=words, completed=now.n_done, note=note_of(now))

        yield tell


@contextmanager
def shares(what: str) -> Generator[Callable[[int, int], None]]:
    """While the block lasts, a bar on standard error; yields what tells it how many of how many are done."""
    told = [0, 0]
    with console.progress(what, _PARTS) as advance:

        def tell(n: int, total: int) -> None:
            told[0] = _PARTS * n // total if total else _PARTS
            advance(told[0] - told[1])
            told[1] = told[0]

        yield tell


def note_of(now: Progressed) -> str:
    """Pace, remaining time and failures, so far as they are known."""
    parts = [f"{now.per_second:.3g}/s"] if now.per_second is not None else []
    if now.remaining_s is not None:
        parts.append(f"remaining {timedelta(seconds=round(now.remaining_s))}")
    if now.n_failed:
        parts.append(f"{now.n_failed:,} failed")
    return ", ".join(parts)
