"""The curves of a session's report, and its threads compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from phosphene.sessions.findings import of_thread, pairings
from phosphene.sessions.history import GenerationRow, History
from phosphene.sessions.plan import Thread
from phosphene.sessions.plots import Curve, line_chart
from phosphene.sessions.report_page import Section, heading, plus_minus, table
from phosphene.sessions.tables import ratio, sem


def curves_section(history: History, threads: Sequence[Thread]) -> Section:
    """Mean score of candidates and reference images against generations."""
    curves = [curve for i, thread in enumerate(threads) for curve in _evolved(history, thread, i)]
    curves += _references(history, threads)
    chart = line_chart(
        curves, title="Mean score in each generation", x_label="generation", y_label="mean score ± standard error"
    )
    note = (
        "Solid: the candidates of each generation, the one that is under way included. Dashed: the reference images "
        "shown among them, by the same channels. The bands are standard errors over images. Reference images that rise "
        "or fall tell of drift, not of the search."
    )
    return Section("curves", "Scores", note, chart + _generations(history.generations))


def _evolved(history: History, thread: Thread, color: int) -> Iterator[Curve]:
    rows = of_thread(history.generations, thread.name)
    errors = tuple(sem(row.sd, row.n_scored) for row in rows)
    yield Curve(f"{thread.name}: evolved", _places(rows), tuple(row.mean for row in rows), errors, color)


def _references(history: History, threads: Sequence[Thread]) -> Iterator[Curve]:
    """A curve for each selection of channels: threads that go by the same ones see the same reference scores."""
    firsts = {thread.channels: i for i, thread in reversed(list(enumerate(threads)))}
    for color in sorted(firsts.values()):
        name = "reference images" if len(firsts) == 1 else f"{threads[color].name}: reference images"
        rows = of_thread(history.generations, threads[color].name)
        errors = tuple(sem(row.reference_sd, row.n_references) for row in rows)
        values = tuple(row.reference_mean for row in rows)
        yield Curve(name, _places(rows), values, errors, None if len(firsts) == 1 else color, dashed=True)


def _places(rows: Sequence[GenerationRow]) -> tuple[float, ...]:
    return tuple(float(row.generation) for row in rows)


def _generations(rows: Sequence[GenerationRow]) -> str:
    if not rows:
        return ""
    columns = ("generation", "thread", "scored", "lost", "mean ± sem", "best", "of", "reference ± sem", "ratio", "over")
    cells = (
        (
            row.generation,
            row.thread,
            row.n_scored,
            row.n_lost,
            plus_minus(row.mean, sem(row.sd, row.n_scored)),
            row.best,
            row.best_stimulus,
            plus_minus(row.reference_mean, sem(row.reference_sd, row.n_references)),
            ratio(row),
            "yes" if row.is_over else "not yet",
        )
        for row in rows
    )
    return heading("Generation by generation") + table(columns, cells)


def pairs_section(history: History, threads: Sequence[Thread]) -> Section:
    """Threads that shared generations, compared in pairs."""
    columns = ("first", "second", "generations", "first ahead in", "mean difference ± sem", "difference in the last")
    rows = [
        (pair.first, pair.second, pair.n, pair.n_won, plus_minus(pair.difference, pair.sem), pair.last)
        for pair in pairings(history.generations)
    ]
    note = (
        "Mean scores of the first thread's candidates less those of the second, generation by generation: both saw the "
        "same state of the experiment. Generations of one search follow from each other, so the standard error is no "
        "test of significance: that needs several sessions."
    )
    if len({thread.channels for thread in threads}) > 1:
        note += " These threads go by different channels, so their scores do not compare as they stand."
    return Section("pairs", "Threads compared", note, table(columns, rows))
