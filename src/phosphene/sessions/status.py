"""How a session stands, in short."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, cast

from phosphene._types import JSON
from phosphene.optimizers.search import Search
from phosphene.sessions.blocks import Block
from phosphene.sessions.history import GenerationRow, generation_row
from phosphene.sessions.plan import Thread
from phosphene.sessions.record import Record


@dataclass(frozen=True)
class ThreadStatus:
    """How a thread stands.

    Attributes:
        name: the thread.
        generation: the generation that it is in.
        population: candidates of a generation.
        n_scored: candidates of the present generation that need no more trials.
        n_waiting: candidates of the present generation that wait for trials.
        best_score: the highest score so far; None before any.
        best_stimulus: which candidate scored so.
        figures: what the search says of itself, such as its step size.
        evolved: mean score of the candidates in each generation; None where there is none.
        references: mean score of the reference images in each generation.
    """

    name: str
    generation: int
    population: int
    n_scored: int
    n_waiting: int
    best_score: float | None
    best_stimulus: str
    figures: Mapping[str, float]
    evolved: tuple[float | None, ...]
    references: tuple[float | None, ...]


@dataclass(frozen=True)
class Status:
    """How a session stands.

    Attributes:
        directory: the session's.
        generation: the one that waits, or is to begin.
        is_asked: whether its stimuli were asked for.
        round: 0, or how often stimuli of it are shown again.
        n_waiting: presentations that wait.
        n_trials: trials on record.
        n_lost: of these, lost ones.
        n_late: of these, such as came when their generation was over.
        n_unscored: of these, such as came in part, but not in the channels by which they would have a score.
        threads: how each thread stands.
        problem: what could not be written, and is tried again; empty if all is well.
    """

    directory: str
    generation: int
    is_asked: bool
    round: int
    n_waiting: int
    n_trials: int
    n_lost: int
    n_late: int
    threads: tuple[ThreadStatus, ...]
    problem: str = ""
    n_unscored: int = 0

    def to_json(self) -> dict[str, JSON]:
        """The same as plain JSON values."""
        return cast("dict[str, JSON]", _plain(asdict(self)))


def thread_status(
    record: Record, thread: Thread, search: Search, *, over: dict[tuple[int, str], GenerationRow]
) -> ThreadStatus:
    """How a thread stands; ``over`` remembers the rows of generations that are over, which change no more."""
    rows = [_row(block, thread, over) for block in record.blocks]
    best = search.best_observed
    shown = None if record.current is None else record.current.of_thread(thread.name)
    n_scored = sum(not s.n_missing(record.plan) for s in shown or ())
    return ThreadStatus(
        name=thread.name,
        generation=search.generation,
        population=search.population,
        n_scored=n_scored,
        n_waiting=(search.population if shown is None else len(shown)) - n_scored,
        best_score=None if best is None else best.score,
        best_stimulus="" if best is None else f"{thread.name}_{best.id}",
        figures=search.figures(),
        evolved=tuple(finite(row.mean) for row in rows),
        references=tuple(finite(row.reference_mean) for row in rows),
    )


def _row(block: Block, thread: Thread, over: dict[tuple[int, str], GenerationRow]) -> GenerationRow:
    place = block.number, thread.name
    row = over.get(place) or generation_row(block, thread)
    if row.is_over:
        over[place] = row
    return row


def finite(value: float) -> float | None:
    """The value, or None for what is no number."""
    return value if math.isfinite(value) else None


def _plain(value: Any) -> JSON:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in cast("tuple[Any, ...]", value)]
    return finite(value) if isinstance(value, float) else value
