"""What keeps a session on the disk: every change goes through the journal first, and states follow."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Generator, Mapping, Sequence, Set

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._types import JSON
from phosphene.errors import StorageError
from phosphene.sessions.blocks import Block
from phosphene.sessions.creation import beginning, plan_digest, versions
from phosphene.sessions.journal import Journal
from phosphene.sessions.layout import Layout
from phosphene.sessions.plan import Plan
from phosphene.sessions.remarks import remarks
from phosphene.sessions.snapshot import Snapshot
from phosphene.sessions.values import Past


class Keeper(Snapshot):
    """A session whose journal is open.

    Raises:
        StorageError: a file cannot be read or written, or is damaged.
    """

    def __init__(
        self, layout: Layout, plan: Plan, references: Mapping[str, Float[Tensor, "3 h w"]], *, device: torch.device
    ) -> None:
        super().__init__(layout, plan, references, device=device)
        self._is_stale = True
        self._start()

    def _start(self) -> None:
        """Take everything from the disk."""
        self._unsaved: Block | None = None
        self._journal = Journal(self.layout.journal)
        try:
            lines = tuple(self._journal.lines)
            if not lines or lines[0].event.get("plan") != plan_digest(self.layout):
                raise StorageError(
                    f"{self.layout.plan} is not the plan with which {self.layout.journal} began; put back both as they "
                    "were"
                )
            self._take(lines, self.layout.furthest())
            if self._warning:
                self._journal.keep_tail()
        except BaseException:
            self._journal.close()
            raise
        same = dict(self._record.versions) == versions()
        self._prelude: list[dict[str, JSON]] = [] if same else [beginning(self.layout)]
        self._is_stale = False

    @property
    def identity(self) -> str:
        """A digest of the plan and of when the session began, 32 hex digits: no other session has it."""
        born = f"{plan_digest(self.layout)} {self._journal.lines[0].at}"
        return hashlib.blake2b(born.encode(), digest_size=16).hexdigest()

    def past(self, but: Set[tuple[int, int]] = frozenset()) -> tuple[Past, ...]:
        """Rounds that no longer wait and lack responses, the oldest first; leaves out those of ``but``."""
        with self._steady():
            current = self._record.current
            return tuple(
                Past(block.number, round_.number, round_.first)
                for block in self._record.blocks
                for round_ in block.rounds[: -1 if block is current else None]
                if (block.number, round_.number) not in but and not block.is_answered(round_)
            )

    def remarks(self, generation: int) -> tuple[str, ...]:
        """What is to be said of a generation that is over and whose candidates do not all have a score."""
        with self._steady():
            return remarks(self._record.blocks[generation], self.plan)

    def close(self) -> None:
        """Let go of the journal."""
        self._journal.close()

    @contextlib.contextmanager
    def _steady(self) -> Generator[None, None, None]:
        """One at a time; and after something broke in, such as an interrupt, from what is on the disk."""
        with self._mutex:
            if self._is_stale:
                self.close()
                self._start()
            yield

    def _write(self, events: Sequence[dict[str, JSON]]) -> tuple[str, ...]:
        """Put events on record and take them in; the threads that learned by them."""
        before = self._record.n_finished
        self._is_stale = True
        try:
            lines = self._journal.append([*self._prelude, *events])
        except StorageError:
            self._is_stale = False
            raise
        self._prelude = []
        self._record.apply(lines)
        updated: tuple[str, ...] = ()
        if self._record.n_finished > before:
            block = self._record.blocks[-1]
            self._searches.learn(block)
            self._unsaved = block
            updated = tuple(thread.name for thread in self.plan.threads)
        self._is_stale = False
        # The trials are on record: that the states are not must not look as if the trials were not.
        with contextlib.suppress(StorageError):
            self._save()
        return updated

    def _save(self) -> None:
        """Write the states that are not on the disk yet; they only spare the journal's being replayed."""
        if self._unsaved is None:
            return
        try:
            self._searches.save(self.layout, self._unsaved)
        except StorageError as error:
            self._problem = str(error)
            raise
        self._unsaved, self._problem = None, ""
