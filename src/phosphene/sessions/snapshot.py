"""A session as it stands, to be looked at."""

from __future__ import annotations

import contextlib
import math
import os
import threading
from collections.abc import Generator, Mapping
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._component import check
from phosphene.errors import StorageError
from phosphene.sessions.history import GenerationRow, History, history_of
from phosphene.sessions.layout import Layout, ReferenceImages, read_plan
from phosphene.sessions.lines import Line, read_journal
from phosphene.sessions.plan import Plan, Thread
from phosphene.sessions.record import Record
from phosphene.sessions.scoring import is_lost
from phosphene.sessions.searches import Searches, recover
from phosphene.sessions.status import Status, ThreadStatus, thread_status
from phosphene.sessions.values import Pick
from phosphene.spaces.base import Decoder
from phosphene.store.states import read_state

#: Codes that are decoded at once.
_MINI_BATCH = 64


class Snapshot:
    """A session as it stands.

    Attributes:
        plan: what it is to do.
        layout: where its files lie.
        references: its reference images (3, h, w) by name.
    """

    def __init__(
        self, layout: Layout, plan: Plan, references: Mapping[str, Float[Tensor, "3 h w"]], *, device: torch.device
    ) -> None:
        self.layout, self.plan, self.references = layout, plan, references
        self._device = device
        self._decoders: dict[str, Decoder] = {}
        self._record = Record(plan)
        self._searches = Searches(plan)
        self._problem = self._warning = ""
        self._over: dict[tuple[int, str], GenerationRow] = {}
        self._mutex = threading.RLock()

    @classmethod
    def read(
        cls, directory: str | os.PathLike[str], *, trust: bool = False, device: torch.device | str = "cpu"
    ) -> Snapshot:
        """A session as it stands, open elsewhere or not; nothing is written.

        Args:
            directory: the session's.
            trust: allow a plan that would import, run or download something.
            device: where codes are decoded.

        Raises:
            StorageError: there is no session, or a file of it is damaged.
            TrustError: the plan would import, run or download something, and ``trust`` is false.
        """
        layout = Layout(Path(directory).absolute())
        plan, names = read_plan(layout, trust=trust)
        snapshot = Snapshot(layout, plan, ReferenceImages(layout, names), device=torch.device(device))
        before = layout.furthest()  # first, as the session may go on in this moment
        snapshot._take(read_journal(layout.journal).lines, before)
        return snapshot

    def _take(self, lines: tuple[Line, ...], furthest: tuple[int, int]) -> None:
        self._record = Record.of(self.plan, lines, self.layout.journal)
        self._searches = recover(self.plan, self._record, self.layout)
        self._warning = self.layout.behind(furthest, n_over=self.n_finished, n_begun=len(self._record.blocks))
        self._over = {}

    @contextlib.contextmanager
    def _steady(self) -> Generator[None, None, None]:
        """One at a time, as a server asks from several threads."""
        with self._mutex:
            yield

    @property
    def directory(self) -> Path:
        """The session's directory."""
        return self.layout.directory

    @property
    def n_finished(self) -> int:
        """Generations that are over."""
        return self._record.n_finished

    @property
    def n_channels(self) -> int | None:
        """Channels of a response; None before the first that was not lost."""
        return self._record.n_channels

    @property
    def versions(self) -> dict[str, str]:
        """Of phosphene, Python, torch and NumPy, under which the journal was written last."""
        return {str(name): str(version) for name, version in self._record.versions.items()}

    def status(self) -> Status:
        """How the session stands; :meth:`Status.to_json` for plain values."""
        with self._steady():
            return self._status()

    def _status(self) -> Status:
        told, block = self._record.told, self._record.current
        return Status(
            directory=str(self.directory),
            generation=self._record.n_finished,
            is_asked=block is not None,
            round=0 if block is None else block.rounds[-1].number,
            n_waiting=0 if block is None else sum(1 for _ in block.waiting(self.plan)),
            n_trials=len(told),
            n_lost=sum(is_lost(t.response) for t in told),
            n_late=sum(t.is_late for t in told),
            threads=tuple(self._thread_status(thread) for thread in self.plan.threads),
            problem=self._problem or self._warning,
            n_unscored=sum(not is_lost(t.response) and math.isnan(t.score) for t in told),
        )

    def _thread_status(self, thread: Thread) -> ThreadStatus:
        return thread_status(self._record, thread, self._searches.by_thread[thread.name], over=self._over)

    def history(self) -> History:
        """Rows for every trial, generation and thread."""
        with self._steady():
            return history_of(self._record)

    def best(self, thread: str | None = None) -> Pick | None:
        """The candidate that scored highest; None before any. Under noise it is the luckiest rather than the best.

        Args:
            thread: whose; by default the first thread's.

        Raises:
            ParameterError: there is no such thread.
        """
        name = self.plan.threads[0].name if thread is None else self.plan.thread(thread).name
        with self._steady():
            found = self._searches.by_thread[name].best_observed
        if found is None:
            return None
        code = found.code.float()
        return Pick(self.decode(name, code[None])[0], code, found.score, int(found.n_reps), found.id)

    def recommended(self, thread: str | None = None, generation: int | None = None) -> Pick:
        """What a search recommends: the mean of its distribution, where there is one; the one to trust under noise.

        Args:
            thread: whose; by default the first thread's.
            generation: as it was when this generation was over; by default as it is now.

        Raises:
            ParameterError: there is no such thread, or the generation is not over.
            StorageError: the state behind the generation cannot be read, or is damaged.
        """
        name = self.plan.threads[0].name if thread is None else self.plan.thread(thread).name
        with self._steady():
            searches = self._searches
            if generation is not None:
                fits = 0 <= generation < self.n_finished
                check(fits, "generation", generation, f"one that is over, of which there are {self.n_finished}")
                searches = Searches(self.plan)
                searches.load(self.layout, self._record.blocks[generation], only=name)
            code = searches.by_thread[name].recommend().float()
        return Pick(self.decode(name, code[None])[0], code)

    def decode(self, thread: str, codes: Float[Tensor, "n dim"]) -> Float[Tensor, "n c h w"]:
        """The images of codes of a thread's space, float32 in [0, 1] on the CPU."""
        if thread not in self._decoders:
            self._decoders[thread] = self.plan.thread(thread).space.open(self._device)
        with torch.no_grad():
            images = [self._decoders[thread](part.to(self._device)).cpu() for part in codes.float().split(_MINI_BATCH)]
        return torch.cat(images).float().clamp(0, 1)

    def codes(self, generation: int) -> dict[str, Float[Tensor, "n dim"]]:
        """The codes of a generation by thread, float32, in the order of the candidates.

        Raises:
            StorageError: the generation has not begun, or its file is damaged.
        """
        state = read_state(self.layout.codes(generation))
        if sorted(state) != sorted(thread.name for thread in self.plan.threads):
            raise StorageError(f"{self.layout.codes(generation)} does not hold the codes of this session's threads")
        return state
