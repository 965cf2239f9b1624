"""What people and programs see: data on standard output, messages and progress on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

_FILE_WIDTH = 240  # characters; in a file or pipe no table needs to wrap


def out() -> Console:
    """Standard output, for data; made anew so that a redirected stream is the one that is written to."""
    width = None if sys.stdout.isatty() else _FILE_WIDTH
    return Console(soft_wrap=True, highlight=False, markup=False, emoji=False, width=width)


def err() -> Console:
    """Standard error, for messages and progress."""
    return Console(stderr=True, soft_wrap=True, highlight=False, emoji=False)


def say(message: str) -> None:
    """A message for people; rich markup in it is shown as it is."""
    err().print(escape(message))


def complain(message: str) -> None:
    """A mistake, in one message."""
    err().print(f"[bold red]Error:[/] {escape(message)}")


def print_json(value: Any) -> None:
    """A value for programs: JSON, with nothing else around it."""
    out().print(json.dumps(value, indent=2, ensure_ascii=False))


def table(*columns: str, right: tuple[str, ...] = ()) -> Table:
    """An empty table without a frame; the columns named in ``right`` hold numbers."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left", no_wrap=column in right)
    return made


@contextmanager
def progress(what: str, total: int) -> Generator[Callable[[int], None]]:
    """A bar on standard error with elapsed and remaining time; yields the function that advances it."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=40),
        TaskProgressColumn(),
        TextColumn("elapsed"),
        TimeElapsedColumn(),
        TextColumn("remaining"),
        TimeRemainingColumn(),
    )
    # Standard output is data, which rich would otherwise send where the bar is.
    with Progress(*columns, console=err(), redirect_stdout=False) as bar:
        task = bar.add_task(what, total=total)
        yield lambda n: bar.advance(task, n)
