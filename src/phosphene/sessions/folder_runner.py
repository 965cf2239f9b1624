"""A round of the folder protocol's loop."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from phosphene.exchange import Block, Matched, Patience, receive
from phosphene.sessions.folder_late import LateFiles, checked, say_conflict
from phosphene.sessions.folder_rounds import ADVANCE, is_to_advance, listed, numbered, open_block
from phosphene.sessions.session import Session
from phosphene.sessions.values import Past, Present, Trial


@dataclass(frozen=True)
class Runner:
    """The loop's rounds, one after the other.

    Attributes:
        session: an open one.
        patience: how a file is waited for.
        strict: whether stimuli must be named to the letter.
        stop: asked at each look whether to stop.
        say: is told in sentences what happens.
        late: takes in files of rounds that are over.
    """

    session: Session
    patience: Patience
    strict: bool
    stop: Callable[[], bool]
    say: Callable[[str], None]
    late: LateFiles

    def round(self) -> bool:
        """Show what the present round shows, and take in what comes; whether to go on."""
        present = self.session.present()
        block, restored = open_block(self.session, present)
        if restored:
            self.say(f"{block.folder}: {listed(restored)} had been deleted, and is written again")
        self.say(f"{block.folder}: {len(block.names)} stimuli wait for the file of responses")
        matched = self._received(block, present)
        if matched is not None:
            self.take(present, matched)
            self._settle(present, matched)
        if self._is_to_advance(present) and self.session.n_finished == present.block:
            self.session.advance()
            self.say(f"{block.folder}: ended with what is in, as the file {ADVANCE!r} says")
        if self.session.n_finished > present.block:
            for sentence in self.session.remarks(present.block):
                self.say(sentence)
        return matched is not None or not self.stop()

    def _received(self, block: Block, present: Present) -> Matched | None:
        """Responses that the session will take; a file that it refuses is as bad as one that cannot be read."""
        return receive(
            block,
            complain=self.say,
            strict=self.strict,
            patience=self.patience,
            elsewhere=(self.session.directory, self.session.layout.blocks),
            hurry=lambda: self._is_to_advance(present),
            stop=lambda: self.stop() or not self.session.unanswered(present),
            accept=lambda matched: self.lacking(matched, present),
        )

    def lacking(self, matched: Matched, present: Present) -> str:
        """What a file lacks, in a sentence; a file that the session refuses is an error."""
        checked(self.session, matched, _first(present))
        held = {(trial.stimulus, trial.trial) for trial in numbered(matched, present.first)}
        missing = tuple(name for name, trial in self.session.unanswered(present) if (name, trial) not in held)
        if not missing:
            return ""
        return (
            f"{matched.source}: {len(missing)} of {len(present.order)} presentations are not in it "
            f"({listed(tuple(dict.fromkeys(missing)))}); waiting {self.patience.missing_s:g} s for the rest: complete "
            f"the file, or end the block by an empty file called {ADVANCE!r} beside it"
        )

    def take(self, present: Present, matched: Matched) -> int:
        """Put a file's trials on record; how many are new."""
        if matched.unknown:
            self.say(f"{matched.source}: ignored {listed(matched.unknown)}, which are no stimuli of this block")
        if matched.columns and self.session.n_channels is None:
            self.say(f"{matched.source}: the responses are its columns {listed(matched.columns)}")
        receipt = self.session.tell(numbered(matched, present.first))
        say_conflict(receipt, matched, self.say)
        return receipt.n_new + receipt.n_late

    def _settle(self, present: Present, matched: Matched) -> None:
        """Put on record that presentations without a response are lost."""
        unanswered = self.session.unanswered(present)
        if not unanswered:
            return
        lost = [Trial(name, (math.nan,), trial) for name, trial in unanswered]
        over = self.session.tell(lost).updated
        names = tuple(dict.fromkeys(name for name, _ in unanswered))
        fate = "they are lost" if over else "their stimuli are shown again"
        self.say(f"{matched.source}: {len(lost)} presentations have no response ({listed(names)}); {fate}")

    def _is_to_advance(self, present: Present) -> bool:
        return is_to_advance(self.session.layout, present.block, present.round)


def _first(present: Present) -> Past:
    return Past(present.block, present.round, present.first)
