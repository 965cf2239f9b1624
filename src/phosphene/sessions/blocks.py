"""A block: the stimuli of a generation, in which order they are shown, and which trials came."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from phosphene.sessions.plan import Plan, Thread
from phosphene.sessions.scoring import is_lost, mean, score


@dataclass
class Shown:
    """A stimulus of a block.

    Attributes:
        name: under which its trials are told.
        thread: the thread that made it; empty for a reference image.
        candidate: the search's name for it; for a reference image that of the picture.
        trials: the responses that came in time, by number of the trial.
        channels: the channels by which it is scored.
        numbers: the responses of all trials on record by number, those that came late included.
    """

    name: str
    thread: str
    candidate: str
    channels: int | tuple[int, ...] | None = None
    trials: dict[int, tuple[float, ...]] = field(default_factory=dict[int, tuple[float, ...]])
    numbers: dict[int, tuple[float, ...]] = field(default_factory=dict[int, tuple[float, ...]])

    @property
    def is_reference(self) -> bool:
        """Whether it is a reference image."""
        return not self.thread

    def scores(self, channels: int | tuple[int, ...] | None) -> list[float]:
        """The scores of the trials that were not lost, in the order of their numbers."""
        scores = (score(self.trials[number], channels) for number in sorted(self.trials))
        return [value for value in scores if not math.isnan(value)]

    @property
    def n_good(self) -> int:
        """Trials that were not lost; of a reference image those of which any channel came."""
        if self.is_reference:
            return sum(not is_lost(response) for response in self.trials.values())
        return len(self.scores(self.channels))

    def n_missing(self, plan: Plan) -> int:
        """Trials for which it waits."""
        return max(0, min(plan.repeats - self.n_good, plan.most_trials - len(self.trials)))


@dataclass(frozen=True)
class Round:
    """An order in which stimuli of a block are shown: all of them at first, later those of which trials were lost.

    Attributes:
        number: from 0.
        seed: of the order.
        repeats: how often each is shown.
        stimuli: their names.
        first: the number of each one's first trial in this round.
        order: stimulus and number of trial of each presentation.
    """

    number: int
    seed: int
    repeats: int
    stimuli: tuple[str, ...]
    first: Mapping[str, int]
    order: tuple[tuple[str, int], ...]


@dataclass
class Block:
    """The stimuli of one generation of all threads.

    Attributes:
        number: that of the generation, from 0.
        stimuli: by name, in the order of the threads; reference images last.
        figures: what each thread's search said of itself when the block began.
        states: digest of each thread's state when the block began.
        rounds: the orders of presentation, at least one.
        finished: number and seal of the line by which it was over; None while it waits.
    """

    number: int
    stimuli: dict[str, Shown]
    figures: dict[str, dict[str, float]]
    states: dict[str, str]
    rounds: list[Round] = field(default_factory=list[Round])
    finished: tuple[int, int] | None = None

    def is_answered(self, round_: Round) -> bool:
        """Whether each presentation of a round has a response on record."""
        return all(not is_lost(self.stimuli[name].numbers.get(trial, ())) for name, trial in round_.order)

    def of_thread(self, name: str) -> list[Shown]:
        """The stimuli of a thread; of no thread (an empty name), the reference images."""
        return [shown for shown in self.stimuli.values() if shown.thread == name]

    def is_complete(self, plan: Plan) -> bool:
        """Whether of every thread the share is in with which its search goes on, and of the reference images the
        largest of these shares.
        """
        shares = {thread.name: thread.optimizer.share for thread in plan.threads}
        shares[""] = max(shares.values())
        return all(self._is_in(name, share, plan) for name, share in shares.items())

    def _is_in(self, thread: str, share: float, plan: Plan) -> bool:
        of_thread = self.of_thread(thread)
        return sum(not s.n_missing(plan) for s in of_thread) >= math.ceil(share * len(of_thread))

    def waiting(self, plan: Plan) -> Iterator[tuple[int, Shown, int]]:
        """Presentations of the present round that wait: position, stimulus, number of the trial."""
        left = {name: self.stimuli[name].n_missing(plan) for name in self.rounds[-1].stimuli}
        for position, (name, trial) in enumerate(self.rounds[-1].order, 1):
            if left[name] and trial not in self.stimuli[name].trials:
                left[name] -= 1
                yield position, self.stimuli[name], trial

    def tellings(self, thread: Thread) -> list[tuple[str, float, int]]:
        """What a thread's search is told: candidate, mean score, number of trials; NaN where all trials were lost."""
        told = [(s.candidate, s.scores(thread.channels)) for s in self.of_thread(thread.name) if s.trials]
        return [(candidate, mean(scores), max(1, len(scores))) for candidate, scores in told]

    def next_trial(self, name: str) -> int:
        """The first number above all that were shown or told of a stimulus."""
        shown = [trial for round_ in self.rounds for other, trial in round_.order if other == name]
        return 1 + max([0, *shown, *self.stimuli[name].numbers])


def round_of(event: Mapping[str, Any]) -> Round:
    """The round that a line of the journal describes."""
    names = tuple(str(row[0]) for row in event["stimuli"])
    first = {str(row[0]): int(row[3]) for row in event["stimuli"]}
    seen: Counter[str] = Counter()
    order: list[tuple[str, int]] = []
    for index in event["order"]:
        name = names[index]
        order.append((name, first[name] + seen[name]))
        seen[name] += 1
    return Round(int(event["round"]), int(event["seed"]), int(event["repeats"]), names, first, tuple(order))


def block_of(event: Mapping[str, Any], plan: Plan) -> Block:
    """The block that a line of the journal begins."""
    channels = {thread.name: thread.channels for thread in plan.threads} | {"": None}
    rows: Sequence[Sequence[Any]] = event["stimuli"]
    stimuli = {str(row[0]): Shown(str(row[0]), row[1], str(row[2]), channels[row[1]]) for row in rows}
    figures = {name: _figures(event["threads"][name]["figures"]) for name in event["threads"]}
    states = {name: str(event["threads"][name]["state"]) for name in event["threads"]}
    return Block(int(event["block"]), stimuli, figures, states, [round_of(event)])


def _figures(values: Mapping[str, float | None]) -> dict[str, float]:
    return {str(name): math.nan if value is None else float(value) for name, value in values.items()}
