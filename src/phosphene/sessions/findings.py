"""What a report says in numbers: how strongly each image drove a thread's unit, and how threads compare."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from phosphene.sessions.history import GenerationRow, History, TrialRow
from phosphene.sessions.plan import Thread
from phosphene.sessions.scoring import deviation, mean, score
from phosphene.sessions.tables import sem


@dataclass(frozen=True)
class Driven:
    """How an image scored, over its trials.

    Attributes:
        stimulus: its name.
        candidate: the search's name for it; for a reference image that of the picture.
        generation: that in which it was first shown.
        mean: mean over its trials.
        sem: standard error of that mean; NaN for one trial.
        n: trials that were not lost.
    """

    stimulus: str
    candidate: str
    generation: int
    mean: float
    sem: float
    n: int


@dataclass(frozen=True)
class Pairing:
    """Two threads that shared generations.

    Attributes:
        first: a thread's name.
        second: another's.
        n: generations that are over and in which both have scores.
        n_won: those in which the first's mean score was the higher one.
        difference: mean over generations of the first's mean score less the second's.
        sem: standard error of that mean.
        last: the difference in the last of these generations.
    """

    first: str
    second: str
    n: int
    n_won: int
    difference: float
    sem: float
    last: float


def evolved(history: History, thread: Thread) -> list[Driven]:
    """A thread's candidates that have scores, the strongest first; equal ones as they came."""
    rows = [row for row in history.trials if row.thread == thread.name]
    return _driven(rows, thread, by="stimulus")


def references(history: History, thread: Thread) -> list[Driven]:
    """The reference images by the thread's channels, over all generations, the strongest first."""
    rows = [row for row in history.trials if row.is_reference]
    return _driven(rows, thread, by="candidate")


def pairings(rows: Sequence[GenerationRow]) -> list[Pairing]:
    """Every two threads, compared generation by generation."""
    means: dict[str, dict[int, float]] = {}
    for row in rows:
        own = means.setdefault(row.thread, {})
        if row.is_over and math.isfinite(row.mean):
            own[row.generation] = row.mean
    return [_pairing(first, second, means) for first, second in combinations(means, 2)]


def of_thread(rows: Sequence[GenerationRow], name: str) -> list[GenerationRow]:
    """The generations of a thread."""
    return [row for row in rows if row.thread == name]


def last_over(rows: Sequence[GenerationRow]) -> GenerationRow | None:
    """The newest generation that is over and has a score."""
    return next((row for row in reversed(rows) if row.is_over and math.isfinite(row.mean)), None)


def spread(items: Sequence[int], n: int) -> list[int]:
    """At most ``n`` of the items, evenly spread, the first and the last among them.

    >>> spread(range(10), 4)
    [0, 3, 6, 9]
    """
    if len(items) <= n:
        return list(items)
    return [items[round(i * (len(items) - 1) / (n - 1))] for i in range(n)]


def _driven(rows: Sequence[TrialRow], thread: Thread, *, by: str) -> list[Driven]:
    """Late trials are left out, as the search never learned from them."""
    groups: dict[str, list[TrialRow]] = {}
    for row in rows:
        if not row.is_late:
            groups.setdefault(getattr(row, by), []).append(row)
    driven = (_one(group, thread) for group in groups.values())
    return sorted((one for one in driven if one.n), key=lambda one: -one.mean)


def _one(rows: Sequence[TrialRow], thread: Thread) -> Driven:
    scores = [score(row.response, thread.channels) for row in rows]
    found = [value for value in scores if not math.isnan(value)]
    middle, error = mean(found), sem(deviation(found), len(found))
    return Driven(rows[0].stimulus, rows[0].candidate, rows[0].generation, middle, error, len(found))


def _pairing(first: str, second: str, means: dict[str, dict[int, float]]) -> Pairing:
    both = sorted(means[first].keys() & means[second].keys())
    differences = [means[first][g] - means[second][g] for g in both]
    return Pairing(
        first,
        second,
        n=len(both),
        n_won=sum(value > 0 for value in differences),
        difference=mean(differences),
        sem=sem(deviation(differences), len(both)),
        last=differences[-1] if differences else math.nan,
    )
