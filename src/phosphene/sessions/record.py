"""What the journal says: blocks and their trials, a fold over its lines, without any search."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from phosphene._component import check
from phosphene._types import JSON
from phosphene.errors import StorageError
from phosphene.sessions.blocks import Block, Shown, block_of, round_of
from phosphene.sessions.lines import Line
from phosphene.sessions.news import News, conflict_of, is_news
from phosphene.sessions.plan import Plan
from phosphene.sessions.scoring import highest_channel, score
from phosphene.sessions.values import Trial


@dataclass(frozen=True)
class Told:
    """A trial on record.

    Attributes:
        line: the number of its line.
        at: when it was told.
        block: the block of its stimulus.
        shown: the stimulus.
        trial: its number.
        response: a number for each channel, NaN for a lost one.
        is_late: whether its block was over.
    """

    line: int
    at: str
    block: int
    shown: Shown
    trial: int
    response: tuple[float, ...]
    is_late: bool

    @property
    def score(self) -> float:
        """By the channels of the stimulus' thread; NaN for none."""
        return score(self.response, self.shown.channels)


class Record:
    """Everything that a journal says.

    Attributes:
        plan: the session's.
        blocks: a block for each generation; the last one may still wait.
        n_channels: channels of a response; None before the first that was not lost.
        versions: those under which the journal was written last.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.blocks: list[Block] = []
        self._told: dict[tuple[str, int], Told] = {}
        self.n_channels: int | None = None
        self.versions: Mapping[str, Any] = {}
        self._stimuli: dict[str, tuple[Block, Shown]] = {}

    @classmethod
    def of(cls, plan: Plan, lines: Iterable[Line], path: Path) -> Record:
        """The record of a journal's lines.

        Raises:
            StorageError: a line tells of something that cannot be.
        """
        record = cls(plan)
        for line in lines:
            try:
                record.apply([line])
            except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
                raise StorageError(
                    f"{path}, line {line.number + 1}: the journal says something that does not fit what came before: "
                    f"{error!r}"
                ) from error
        return record

    @property
    def told(self) -> list[Told]:
        """Every single trial, as they came; of one that was lost and is found, the response that was found."""
        return list(self._told.values())

    @property
    def current(self) -> Block | None:
        """The block that waits; None if the next one has not begun."""
        return self.blocks[-1] if self.blocks and self.blocks[-1].finished is None else None

    @property
    def n_finished(self) -> int:
        """Generations that are over."""
        return len(self.blocks) - (self.current is not None)

    def apply(self, lines: Sequence[Line]) -> None:
        """Take in lines of the journal."""
        for line in lines:
            kind = line.event["event"]
            if kind == "begin":
                self.versions = line.event["versions"]
            elif kind == "ask":
                self._begin(line.event)
            elif kind == "trial":
                self._add(line)
            else:
                check(kind == "advance", "event", kind, "begin, ask, trial or advance")
            if self._is_over_by(line):
                self.blocks[-1].finished = (line.number, line.seal)

    def _is_over_by(self, line: Line) -> bool:
        """Whether the block that waits is over; trials that were told together count together."""
        block, kind = self.current, line.event["event"]
        if block is None or line.left:
            return False
        return kind == "advance" or (kind == "trial" and block.is_complete(self.plan))

    def _begin(self, event: Mapping[str, Any]) -> None:
        if event["round"]:
            self.blocks[event["block"]].rounds.append(round_of(event))
            return
        block = block_of(event, self.plan)
        check(block.number == len(self.blocks) and self.current is None, "block", block.number, "the next one")
        self.blocks.append(block)
        self._stimuli |= {name: (block, shown) for name, shown in block.stimuli.items()}

    def _add(self, line: Line) -> None:
        values = tuple(math.nan if value is None else value for value in line.event["response"])
        trial = Trial(line.event["stimulus"], values, int(line.event["trial"]))
        n_channels = self._check(trial, self.n_channels)
        block, shown = self._stimuli[trial.stimulus]
        number, response = int(line.event["trial"]), trial.response
        if not is_news(response, shown.numbers.get(number)):
            return
        is_late = block.finished is not None
        shown.numbers[number] = response
        if not is_late:
            shown.trials[number] = response
        self.n_channels = n_channels
        self._told.pop((shown.name, number), None)
        self._told[shown.name, number] = Told(line.number, line.at, block.number, shown, number, response, is_late)

    def new(self, trials: Sequence[Trial]) -> News:
        """Events for the trials that are not on record, or on record as lost.

        Raises:
            ParameterError: a stimulus was never shown, or a response has another number of channels.
        """
        news = News()
        taken: dict[str, dict[int, tuple[float, ...]]] = {}
        n_channels = self.n_channels
        for trial in trials:
            n_channels = self._check(trial, n_channels)
            block, shown = self._stimuli[trial.stimulus]
            numbers = taken.setdefault(trial.stimulus, dict(shown.numbers))
            number = trial.trial or next(n for n in count(1) if n not in numbers)
            if not is_news(trial.response, numbers.get(number)):
                news.n_ignored += 1
                news.conflicts += conflict_of(trial, numbers[number])
                continue
            numbers[number] = trial.response
            news.n_late += block.finished is not None
            response: list[JSON] = [None if math.isnan(value) else value for value in trial.response]
            news.events.append({"event": "trial", "stimulus": trial.stimulus, "trial": number, "response": response})
        return news

    def _check(self, trial: Trial, n_channels: int | None) -> int | None:
        """The number of channels of a response, which must be that of all."""
        name, response = trial.stimulus, trial.response
        example = next(reversed(self._stimuli), "none, as nothing was asked for yet")
        check(name in self._stimuli, "stimulus", name, f"one that was shown in this session (the last is {example})")
        if len(response) == 1 and trial.is_lost:
            return n_channels
        expected = f"{n_channels} channels, as all trials before"
        fits = n_channels in (None, len(response))
        check(fits, f"the number of responses to stimulus {name!r}", len(response), expected)
        most = max(highest_channel(thread.channels) for thread in self.plan.threads)
        expected = f"at least {most + 1}, as a thread goes by channel {most}"
        check(len(response) > most, f"the number of responses to stimulus {name!r}", len(response), expected)
        return len(response)
