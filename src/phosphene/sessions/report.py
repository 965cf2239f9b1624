"""The report of a session: one self-contained page, and its numbers as tidy tables beside it."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import torch

from phosphene._component import Component
from phosphene._types import FrozenArray
from phosphene.sessions.history import History
from phosphene.sessions.plan import Plan, Thread
from phosphene.sessions.report_curves import curves_section, pairs_section
from phosphene.sessions.report_page import Section, empty, heading, page, table
from phosphene.sessions.report_pictures import film_section, found_section, top_section
from phosphene.sessions.snapshot import Snapshot
from phosphene.sessions.tables import write_tables
from phosphene.store import write_text

REPORT = "report.html"
#: Trials on the page, the newest of them; all are in the table beside it.
N_TRIALS = 1000


def write_report(
    directory: str | os.PathLike[str],
    path: str | os.PathLike[str] | None = None,
    *,
    trust: bool = False,
    device: torch.device | str = "cpu",
) -> tuple[Path, Path, Path]:
    """Write a session's report: curves, film strip, evolved against reference images, threads compared, trials.

    The session may be open elsewhere: what is on record is reported, and nothing of the session is written. Beside the
    page come ``trials.csv`` and ``generations.csv``, or for a page called ``NAME.html`` other than ``report.html``,
    ``NAME-trials.csv`` and ``NAME-generations.csv``.

    Args:
        directory: the session's.
        path: the page's; by default ``report.html`` in the session's directory.
        trust: allow a plan that would import, run or download something.
        device: where codes are decoded.

    Returns:
        The paths of the page, of the table of trials, and of that of generations.

    Raises:
        StorageError: there is no session, a file of it is damaged, or the report cannot be written.
        TrustError: the plan would import, run or download something, and ``trust`` is false.
    """
    snapshot = Snapshot.read(directory, trust=trust, device=device)
    path = snapshot.directory / REPORT if path is None else Path(path)
    history = snapshot.history()
    session = _name(snapshot)
    prefix = "" if path.name == REPORT else f"{path.stem}-"
    trials, generations = write_tables(history, path.parent, session=session, prefix=prefix)
    return write_text(path, report_page(snapshot, history, tables=(trials.name, generations.name))), trials, generations


def report_page(snapshot: Snapshot, history: History, *, tables: tuple[str, str]) -> str:
    """The page itself.

    Args:
        snapshot: the session.
        history: its rows, of the same moment.
        tables: names of the files with all trials and all generations, beside the page.
    """
    status = snapshot.status()
    kept = (
        f"{status.n_trials} trials on record, {status.n_lost} of them lost, {status.n_late} too late to be learned from"
    )
    sections = [
        curves_section(history, snapshot.plan.threads),
        film_section(snapshot, history),
        top_section(snapshot, history),
        *([pairs_section(history, snapshot.plan.threads)] if len(snapshot.plan.threads) > 1 else []),
        found_section(snapshot, history),
        _settings(snapshot),
        _trials(history, tables),
    ]
    over = "1 generation is over" if status.generation == 1 else f"{status.generation} generations are over"
    lead = f"{over}; {kept}."
    footer = f"Written by phosphene from the session in {snapshot.directory.resolve()}."
    return page(f"Session {_name(snapshot)}", lead, sections, footer=footer)


def described(value: Any) -> str:
    """A component as short text: its kind, and what differs from the defaults.

    >>> from phosphene.optimizers import RandomSearch
    >>> described(RandomSearch(population=40))
    'RandomSearch(population=40)'
    """
    if isinstance(value, FrozenArray):
        return f"array {' × '.join(map(str, value.shape))}"
    if isinstance(value, tuple):
        return f"({', '.join(map(described, value))})"
    if not isinstance(value, Component):
        return repr(value)
    pairs = ((field, getattr(value, field.name)) for field in dataclasses.fields(value) if field.init)
    given = (f"{field.name}={described(own)}" for field, own in pairs if _differs(field, own))
    return f"{value.kind()}({', '.join(given)})"


def _differs(field: dataclasses.Field[Any], value: object) -> bool:
    made = field.default_factory() if callable(field.default_factory) else field.default
    return made is dataclasses.MISSING or value != made


def _name(snapshot: Snapshot) -> str:
    return snapshot.directory.resolve().name


def _settings(snapshot: Snapshot) -> Section:
    plan = snapshot.plan
    rows = [*_plan_rows(plan), ("reference images", len(snapshot.references) or "none")]
    rows += [(f"version of {name}", version) for name, version in sorted(snapshot.versions.items())]
    columns = ("thread", "optimizer", "space", "numbers of a code", "image", "population", "seed", "channels")
    threads = table(columns, map(_thread_row, plan.threads))
    body = threads + heading("Session") + table(("setting", "value"), [(name, str(value)) for name, value in rows])
    return Section("settings", "Settings and versions", "Everything that is not named has its default.", body)


def _plan_rows(plan: Plan) -> list[tuple[str, object]]:
    missing = "count as lost" if plan.missing == "lost" else f"are shown again, up to {plan.most_trials} trials"
    return [
        ("trials of each stimulus", plan.repeats),
        ("stimuli whose trials were lost", missing),
        ("seed of the order of presentation", plan.order_seed),
        ("order of reference images", f"interleaved {plan.interleave}"),
        ("reference images in a block", plan.references_per_block or "all"),
        ("display", described(plan.display)),
    ]


def _thread_row(thread: Thread) -> tuple[object, ...]:
    channels, height, width = thread.space.image_shape
    by = "mean of all" if thread.channels is None else described(thread.channels)
    image = f"{channels} × {height} × {width}"
    population = thread.optimizer.population_for(thread.space.dim)
    made_of = described(thread.optimizer), described(thread.space)
    return (thread.name, *made_of, thread.space.dim, image, population, thread.seed, by)


def _trials(history: History, tables: tuple[str, str]) -> Section:
    shown = history.trials[-N_TRIALS:]
    n = len(history.trials)
    some = f"The newest {len(shown)} of {n} trials" if len(shown) < n else f"All {n} trials"
    note = f"{some}; a click on a column's head sorts by it. In full: {tables[0]}; by generation: {tables[1]}."
    if not shown:
        return Section("trials", "Trials", "", empty("No trial is on record yet."))
    columns = ("stimulus", "thread", "generation", "trial", "position", "response", "score", "told at", "")
    rows = (
        (
            row.stimulus,
            row.thread or "reference",
            row.generation,
            row.trial,
            row.position,
            _response(row.response),
            row.score,
            row.at,
            "late" if row.is_late else " ",
        )
        for row in shown
    )
    return Section("trials", "Trials", note, table(columns, rows, sortable=True))


def _response(response: tuple[float, ...]) -> float | str:
    """One channel as a number; the first of several as text."""
    if len(response) == 1:
        return response[0]
    more = f", … ({len(response)} channels)" if len(response) > 4 else ""
    return ", ".join(f"{value:.4g}" for value in response[:4]) + more
