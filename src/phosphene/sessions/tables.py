"""A session as tidy tables: a row for each trial, and a row for each generation and thread."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from phosphene.sessions.history import GenerationRow, History, TrialRow
from phosphene.store import write_text

TRIALS, GENERATIONS = "trials.csv", "generations.csv"
_TRIAL_COLUMNS = (
    "session",
    "thread",
    "generation",
    "candidate",
    "stimulus",
    "is_reference",
    "position",
    "trial",
    "score",
    "is_late",
    "time",
)
_GENERATION_COLUMNS = (
    "session",
    "thread",
    "generation",
    "is_over",
    "n_shown",
    "n_scored",
    "n_lost",
    "mean",
    "sem",
    "best",
    "best_stimulus",
    "n_references",
    "reference_mean",
    "reference_sem",
    "ratio",
)


def write_tables(
    history: History, folder: str | os.PathLike[str], *, session: str, prefix: str = ""
) -> tuple[Path, Path]:
    """Write the two tables as CSV, each wholly or not at all; returns their paths.

    Args:
        history: what the session has seen.
        folder: where they go.
        session: its name, for the first column.
        prefix: what the files' names begin with, before ``trials.csv`` and ``generations.csv``.

    Raises:
        StorageError: they cannot be written.
    """
    trials = write_text(Path(folder) / f"{prefix}{TRIALS}", trials_csv(history.trials, session))
    generations = generations_csv(history.generations, session)
    return trials, write_text(Path(folder) / f"{prefix}{GENERATIONS}", generations)


def trials_csv(rows: Sequence[TrialRow], session: str) -> str:
    """A row for each trial, as they came; channels are the columns ``response_0``, ``response_1``, …, and a cell is
    empty where a response was lost.
    """
    n_channels = max((len(row.response) for row in rows), default=1)
    columns = [*_TRIAL_COLUMNS[:8], *(f"response_{i}" for i in range(n_channels)), *_TRIAL_COLUMNS[8:]]
    return _csv(columns, (_trial(row, session, n_channels) for row in rows))


def generations_csv(rows: Sequence[GenerationRow], session: str) -> str:
    """A row for each generation and thread; what a search says of itself are columns of its own, such as ``sigma``."""
    names = sorted({name for row in rows for name in row.figures})
    return _csv([*_GENERATION_COLUMNS, *names], (_generation(row, session, names) for row in rows))


def sem(sd: float, n: int) -> float:
    """The standard error of a mean of ``n``; NaN for fewer than two.

    >>> sem(2.0, 16)
    0.5
    """
    return sd / math.sqrt(n) if n > 1 else math.nan


def ratio(row: GenerationRow) -> float:
    """Evolved over reference; NaN where the references do not respond on average."""
    return row.mean / row.reference_mean if row.reference_mean > 0 else math.nan


def _trial(row: TrialRow, session: str, n_channels: int) -> list[object]:
    lost = (math.nan,) * (n_channels - len(row.response))
    who = [session, row.thread, row.generation, row.candidate, row.stimulus, row.is_reference]
    return [*who, row.position, row.trial, *row.response, *lost, row.score, row.is_late, row.at]


def _generation(row: GenerationRow, session: str, figures: Iterable[str]) -> list[object]:
    counts = [row.is_over, row.n_shown, row.n_scored, row.n_lost]
    evolved = [row.mean, sem(row.sd, row.n_scored), row.best, row.best_stimulus]
    references = [row.n_references, row.reference_mean, sem(row.reference_sd, row.n_references), ratio(row)]
    own = [row.figures.get(name, math.nan) for name in figures]
    return [session, row.thread, row.generation, *counts, *evolved, *references, *own]


def _csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def _cell(value: object) -> object:
    """The value as a spreadsheet and a program read it alike: 0 and 1 for truth, nothing for none."""
    if isinstance(value, bool):
        return int(value)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    # A text that a spreadsheet would run as a formula is shown as a text.
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@") else value
