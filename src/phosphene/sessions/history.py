"""What a session has seen so far, as tidy rows for each trial and each generation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from phosphene.sessions.blocks import Block, Shown
from phosphene.sessions.plan import Thread
from phosphene.sessions.record import Record, Told
from phosphene.sessions.scoring import deviation, mean, score


@dataclass(frozen=True)
class TrialRow:
    """A single trial.

    Attributes:
        line: its line in the journal, from 0.
        at: when it was told (ISO 8601, UTC).
        generation: that of its stimulus.
        stimulus: the stimulus' name.
        thread: the thread that made it; empty for a reference image.
        candidate: the search's name for it; for a reference image that of the picture.
        is_reference: whether it is a reference image.
        position: its place in the order of presentation, from 1; None for a trial more than was asked for.
        trial: which presentation of the stimulus it was.
        response: a number for each channel; NaN for one that was lost.
        score: by the thread's channels; for a reference image by those of the threads where all have the same.
        is_late: whether its generation was over when it came: then no search has learned from it.
    """

    line: int
    at: str
    generation: int
    stimulus: str
    thread: str
    candidate: str
    is_reference: bool
    position: int | None
    trial: int
    response: tuple[float, ...]
    score: float
    is_late: bool


@dataclass(frozen=True)
class GenerationRow:
    """A generation of one thread; scores are means over a stimulus' trials.

    Attributes:
        generation: its number.
        thread: the thread.
        n_shown: candidates that it has.
        n_scored: candidates that have a score.
        n_lost: candidates of which all trials were lost.
        mean: mean score of the candidates; NaN without any, here as below.
        sd: standard deviation between candidates.
        best: the highest score.
        best_stimulus: which one scored so; empty without any.
        n_references: reference images that have a score.
        reference_mean: mean score of the reference images by the thread's channels.
        reference_sd: standard deviation between reference images.
        figures: what the search said of itself when the generation began, such as its step size.
        is_over: whether the search has learned from it.
    """

    generation: int
    thread: str
    n_shown: int
    n_scored: int
    n_lost: int
    mean: float
    sd: float
    best: float
    best_stimulus: str
    n_references: int
    reference_mean: float
    reference_sd: float
    figures: Mapping[str, float]
    is_over: bool


@dataclass(frozen=True)
class History:
    """What a session has seen so far.

    Attributes:
        trials: a row for each trial, as they came.
        generations: a row for each generation and thread.
    """

    trials: tuple[TrialRow, ...]
    generations: tuple[GenerationRow, ...]


def trial_rows(record: Record) -> tuple[TrialRow, ...]:
    """A row for each trial."""
    positions = {
        (name, trial): position
        for block in record.blocks
        for round_ in block.rounds
        for position, (name, trial) in enumerate(round_.order, 1)
    }
    selections = {thread.channels for thread in record.plan.threads}
    return tuple(_trial_row(told, positions.get((told.shown.name, told.trial)), selections) for told in record.told)


def _trial_row(told: Told, position: int | None, selections: set[int | tuple[int, ...] | None]) -> TrialRow:
    shown = told.shown
    known = not shown.is_reference or len(selections) == 1
    channels = next(iter(selections)) if shown.is_reference else shown.channels
    return TrialRow(
        line=told.line,
        at=told.at,
        generation=told.block,
        stimulus=shown.name,
        thread=shown.thread,
        candidate=shown.candidate,
        is_reference=shown.is_reference,
        position=position,
        trial=told.trial,
        response=told.response,
        score=score(told.response, channels) if known else math.nan,
        is_late=told.is_late,
    )


def generation_row(block: Block, thread: Thread) -> GenerationRow:
    """The row of a generation and thread."""
    shown = block.of_thread(thread.name)
    scores = scored(shown, thread.channels)
    references = list(scored(block.of_thread(""), thread.channels).values())
    best = max(scores, key=lambda name: scores[name], default="")
    values = list(scores.values())
    return GenerationRow(
        generation=block.number,
        thread=thread.name,
        n_shown=len(shown),
        n_scored=len(scores),
        n_lost=sum(bool(s.trials) for s in shown) - len(scores),
        mean=mean(values),
        sd=deviation(values),
        best=scores.get(best, math.nan),
        best_stimulus=best,
        n_references=len(references),
        reference_mean=mean(references),
        reference_sd=deviation(references),
        figures=block.figures.get(thread.name, {}),
        is_over=block.finished is not None,
    )


def scored(shown: list[Shown], channels: int | tuple[int, ...] | None) -> dict[str, float]:
    """The mean score of each stimulus that has one."""
    scores = {s.name: s.scores(channels) for s in shown}
    return {name: mean(values) for name, values in scores.items() if values}


def history_of(record: Record) -> History:
    """All rows."""
    rows = tuple(generation_row(block, thread) for block in record.blocks for thread in record.plan.threads)
    return History(trial_rows(record), rows)
