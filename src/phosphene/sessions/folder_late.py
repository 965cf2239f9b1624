"""Files of responses in the folders of rounds that are over: no trial is lost that comes too late."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from phosphene.errors import ParameterError, StorageError
from phosphene.exchange import Matched, ResponseFile, read_block, response_files
from phosphene.exchange.receiving import Reading
from phosphene.sessions.folder_rounds import check_own, has_folder, numbered, round_folder
from phosphene.sessions.session import Session
from phosphene.sessions.values import Past, Receipt

Files = tuple[ResponseFile, ...]


@dataclass
class LateFiles:
    """Takes in what lies in the folders of rounds that are over.

    Attributes:
        session: whose.
        strict: whether stimuli must be named to the letter.
        say: is told what was found, and what is wrong with it.
    """

    session: Session
    strict: bool
    say: Callable[[str], None]
    _seen: dict[Path, Files] = field(default_factory=dict[Path, Files])

    def take_in(self) -> int:
        """Put the trials on record that are not; returns how many these are. A file is read once, until it changes."""
        return sum(self._read(past) for past in self.session.past())

    def _read(self, past: Past) -> int:
        folder = round_folder(self.session.layout, past.block, past.round)
        if not has_folder(folder):
            return 0
        files = response_files(folder)
        if not files or self._seen.get(folder) == files:
            return 0
        self._seen[folder] = files
        try:
            block = read_block(folder)
            check_own(self.session, block)
        except StorageError as error:
            self.say(str(error))
            return 0
        matched = Reading(block, self.say, lambda found: self._check(found, past), self.strict).read(files)
        return 0 if matched is None else self._told(matched, past)

    def _check(self, matched: Matched, past: Past) -> None:
        checked(self.session, matched, past)

    def _told(self, matched: Matched, past: Past) -> int:
        receipt = self.session.tell(numbered(matched, past.first))
        n_new = receipt.n_new + receipt.n_late
        if n_new:
            how = f"{receipt.n_late} of them too late to be learned from" if receipt.n_late else "all of them in time"
            self.say(f"{matched.source}: took in {n_new} trials that were missing, {how}")
        say_conflict(receipt, matched, self.say)
        return n_new


def checked(session: Session, matched: Matched, first: Past) -> Receipt:
    """What would become of a file's trials.

    Raises:
        ParameterError: the session would refuse them; the message names the file.
    """
    try:
        return session.check(numbered(matched, first.first))
    except ParameterError as error:
        raise ParameterError(f"{matched.source}: {error}") from error


def say_conflict(receipt: Receipt, matched: Matched, say: Callable[[str], None]) -> None:
    """Say which trials of a file are on record with another response."""
    more = f" (and {receipt.n_conflicting - 1} more)" if receipt.n_conflicting > 1 else ""
    if receipt.n_conflicting:
        say(f"{matched.source}: {receipt.conflict}{more}")
