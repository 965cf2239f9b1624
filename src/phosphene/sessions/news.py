"""What trials that are told come to."""

from __future__ import annotations

from dataclasses import dataclass, field

from phosphene._types import JSON
from phosphene.sessions.scoring import is_lost
from phosphene.sessions.values import Trial


@dataclass
class News:
    """What trials that are told come to.

    Attributes:
        events: the lines of the journal that put them on record.
        n_ignored: trials that are on record.
        n_late: of the events, those whose block is over.
        conflicts: a sentence for each trial that is on record with another response.
    """

    events: list[dict[str, JSON]] = field(default_factory=list[dict[str, JSON]])
    n_ignored: int = 0
    n_late: int = 0
    conflicts: list[str] = field(default_factory=list[str])


def is_news(response: tuple[float, ...], before: tuple[float, ...] | None) -> bool:
    """Whether a response is news: nothing is on record yet, or the trial is on record as lost and now is found."""
    return before is None or (is_lost(before) and not is_lost(response))


def conflict_of(trial: Trial, before: tuple[float, ...]) -> list[str]:
    """A sentence about a trial that is on record with another response; none if it is lost now, or the same."""
    if trial.is_lost or repr(trial.response) == repr(before):
        return []
    said, kept = (", ".join(f"{value:g}" for value in values[:4]) for values in (trial.response, before))
    return [f"trial {trial.trial} of {trial.stimulus} is on record as ({kept}); ({said}) is left out"]
