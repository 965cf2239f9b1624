"""What keeps a session on the disk: every change goes through the journal first, and states follow."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Sequence

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
from phosphene.sessions.snapshot import Snapshot


class Keeper(Snapshot):
    """A session whose journal is open.

    Raises:
        StorageError: a file cannot be read or written, or is damaged.
    """

    def __init__(
        self, layout: Layout, plan: Plan, references: dict[str, Float[Tensor, "3 h w"]], *, device: torch.device
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
            self._take(lines)
        except BaseException:
            self._journal.close()
            raise
        same = dict(self._record.versions) == versions()
        self._prelude: list[dict[str, JSON]] = [] if same else [beginning(self.layout)]
        self._is_stale = False

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
