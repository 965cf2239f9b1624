"""What goes to and fro between a search and whoever scores: candidates, scores, what was observed."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor

from phosphene._component import check
from phosphene.errors import ArgumentError, ParameterError

_ID = re.compile(r"g(\d{4,9})c(\d{3,9})")


def candidate_id(generation: int, index: int) -> str:
    """The name of a candidate.

    >>> candidate_id(3, 17)
    'g0003c017'
    """
    return f"g{generation:04d}c{index:03d}"


def parse_id(text: object) -> tuple[int, int] | None:
    """Generation and number of a candidate; None if it is no candidate's name."""
    found = _ID.fullmatch(text) if isinstance(text, str) else None
    numbers_ = None if found is None else (int(found[1]), int(found[2]))
    # A candidate has one name only: no more zeros than needed, no digits of other scripts.
    return numbers_ if numbers_ is not None and candidate_id(*numbers_) == text else None


def index_of(id_: object, generation: int, n_asked: int) -> int | None:
    """The number of a candidate of the present generation; None for one of an earlier.

    Raises:
        ParameterError: it is none of the ``n_asked`` that were asked for.
    """
    of, index = parse_id(id_) or (generation, -1)
    if of > generation or (of == generation and not 0 <= index < n_asked):
        raise ParameterError(
            f"id {id_!r} names no candidate; {n_asked} candidates of generation {generation} were asked for"
        )
    return index if of == generation else None


@dataclass(frozen=True, eq=False)
class Candidates:
    """Codes that wait for their scores.

    Attributes:
        ids: a name for each, such as "g0003c017": number 17 of generation 3.
        codes: (n, dim), on the CPU.
    """

    ids: tuple[str, ...]
    codes: Float[Tensor, "n dim"]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, eq=False)
class Observed:
    """A candidate that was scored.

    Attributes:
        id: its name.
        code: (dim,).
        score: mean of its repeats.
        n_reps: number of repeats.
    """

    id: str
    code: Float[Tensor, " dim"]
    score: float
    n_reps: float

    def beats(self, other: Observed | None) -> bool:
        """Whether it scored higher, or as high and was asked for earlier; the order of the tells does not count."""
        if other is None or self.score != other.score:
            return other is None or self.score > other.score
        return (parse_id(self.id) or ()) < (parse_id(other.id) or ())


@dataclass(frozen=True)
class Told:
    """What became of scores that were told.

    Attributes:
        n_new: candidates of which this was news; lost ones (NaN) count, and so do lost ones that came in after all.
        n_ignored: candidates that had a score, or whose generation is over.
        updated: whether a generation was completed.
    """

    n_new: int
    n_ignored: int
    updated: bool


def numbers(values: Any, name: str) -> list[float]:
    """The values as a list.

    Raises:
        ArgumentError: they are no numbers.
    """
    try:
        return [float(value) for value in values]
    except (TypeError, ValueError):
        raise ArgumentError(f"{name} must be numbers, one for each id; got {values!r:.80}") from None


def averaged(
    ids: Sequence[str], scores: Iterable[float] | Tensor, n_reps: Iterable[float] | Tensor | None
) -> dict[str, tuple[float, float]]:
    """Mean score and number of repeats by candidate, whatever the order; NaN and 0 where all repeats were lost.

    Raises:
        ArgumentError: the lists differ in length, or hold no numbers.
        ParameterError: a score is infinite, or a number of repeats is not above 0.
    """
    values = numbers(scores, "scores")
    counts = [1.0] * len(ids) if n_reps is None else numbers(n_reps, "n_reps")
    for name, given in (("scores", values), ("n_reps", counts)):
        if len(given) != len(ids):
            raise ArgumentError(f"{name} has {len(given)} entries for {len(ids)} ids; give one for each")
    check(all(type(id_) is str for id_ in ids), "ids", list(ids)[:4], "names of candidates")
    rows: dict[str, list[tuple[float, float]]] = {}
    for id_, score, count in zip(ids, values, counts, strict=True):
        check(not math.isinf(score), "score", score, f"a finite number, or NaN for a lost candidate, for {id_}")
        check(0 < count < math.inf, "n_reps", count, f"a number of repeats above 0 for {id_}")
        rows.setdefault(id_, []).extend([] if math.isnan(score) else [(score, count)])
    return {id_: _mean(trials) for id_, trials in rows.items()}


def _mean(trials: list[tuple[float, float]]) -> tuple[float, float]:
    n = math.fsum(count for _, count in trials)
    # Exact sums do not depend on the order; shares keep large scores from overflowing.
    return (math.fsum(score * (count / n) for score, count in trials), n) if trials else (math.nan, 0.0)
