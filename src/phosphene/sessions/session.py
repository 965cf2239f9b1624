"""A closed loop with an experiment: stimuli are asked for, trials are told, and nothing that was told is ever lost."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Iterable, Mapping
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._types import JSON
from phosphene.errors import ArgumentError, ParameterError
from phosphene.sessions.asking import again_event, ask_event, block_stimuli
from phosphene.sessions.blocks import Block, Shown
from phosphene.sessions.creation import References, create
from phosphene.sessions.keeping import Keeper
from phosphene.sessions.layout import Layout, ReferenceImages, read_plan
from phosphene.sessions.lock import exclusive
from phosphene.sessions.news import News
from phosphene.sessions.plan import Plan
from phosphene.sessions.status import finite
from phosphene.sessions.values import Present, Receipt, Showing, Trial
from phosphene.store.states import state_digest, write_state


class Session(Keeper):
    """A session that is open: :meth:`ask` what to show, :meth:`tell` what came, until the image is good enough.

    All methods may be called from several threads of a process. What :meth:`tell` has returned from is on the disk.
    """

    _pictured: tuple[int, Mapping[str, Float[Tensor, "c h w"]]] | None = None

    @staticmethod
    def create(directory: str | os.PathLike[str], plan: Plan, references: References = ()) -> None:
        """Begin a session in a directory that is new or empty; see :func:`phosphene.sessions.creation.create`."""
        create(directory, plan, references)

    @classmethod
    @contextlib.contextmanager
    def open(
        cls, directory: str | os.PathLike[str], *, trust: bool = False, device: torch.device | str = "cpu"
    ) -> Generator[Session, None, None]:
        """Open a session where it was left, whatever it was left by; no other process can while the block lasts.

        Args:
            directory: the session's.
            trust: allow a plan that would import, run or download something.
            device: where codes are decoded.

        Raises:
            StorageError: there is no session; another process has it, whose number is in the message; its journal is
                damaged, the line is in the message; or the searches do not come to what the journal recorded.
            TrustError: the plan would import, run or download something, and ``trust`` is false.
        """
        layout = Layout(Path(directory).absolute())
        plan, names = read_plan(layout, trust=trust)
        with exclusive(layout.directory):
            layout.remove_leftovers()
            session = cls(layout, plan, ReferenceImages(layout, names), device=torch.device(device))
            with contextlib.closing(session):
                yield session

    def ask(self) -> tuple[Showing, ...]:
        """The presentations of the present generation that wait, in their order; the same ones until trials are told.

        Raises:
            StorageError: what is asked for could not be put on record, as on a full disk; try again.
        """
        with self._steady():
            block = self._asked()
            images = self._images(block)
            return tuple(
                self._showing(shown, images, trial=trial, position=position)
                for position, shown, trial in block.waiting(self.plan)
            )

    def present(self) -> Present:
        """The round that waits as a whole, as for a rig that shows it in one go; otherwise as :meth:`ask`."""
        with self._steady():
            block = self._asked()
            images, now = self._images(block), block.rounds[-1]
            showings = tuple(self._showing(block.stimuli[name], images, trial=now.first[name]) for name in now.stimuli)
            order = tuple((name, trial - now.first[name] + 1) for name, trial in now.order)
            codes = state_digest({name: codes for name, (_, codes) in self._searches.asked().items()})
            return Present(block.number, now.number, now.seed, now.repeats, showings, now.first, order, codes)

    def unanswered(self, present: Present) -> tuple[tuple[str, int], ...]:
        """Stimulus and trial of the presentations that wait in a round; none if it is over."""
        with self._steady():
            block = self._record.current
            if block is None or (block.number, block.rounds[-1].number) != (present.block, present.round):
                return ()
            return tuple((shown.name, trial) for _, shown, trial in block.waiting(self.plan))

    def tell(self, trials: Iterable[Trial]) -> Receipt:
        """Put trials on record: all of them, or none if there is an error.

        When the generation is complete the searches learn from it, and the next one begins. Trials that were told
        before are ignored, so telling again what may not have arrived does no harm.

        Raises:
            ArgumentError: something is no trial.
            ParameterError: a stimulus was never shown, or a response has another number of channels than those before.
            StorageError: they could not be put on record, as on a full disk; nothing counts, tell them again later.
        """
        with self._steady():
            news = self._new(trials)
            return _receipt(news, self._write(news.events) if news.events else ())

    def check(self, trials: Iterable[Trial]) -> Receipt:
        """What would become of trials if they were told now; nothing does. Raises what :meth:`tell` would."""
        with self._steady():
            return _receipt(self._new(trials))

    def _new(self, trials: Iterable[Trial]) -> News:
        given = list(trials)
        for trial in given:
            if not isinstance(trial, Trial):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise ArgumentError(f"a trial is a {type(trial).__name__}; expected a Trial")
        return self._record.new(given)

    def advance(self) -> tuple[str, ...]:
        """End the present generation with what is in; candidates without a score count as lost.

        Returns:
            The threads that have learned from it.

        Raises:
            ParameterError: nothing was asked for yet.
            StorageError: it could not be put on record; try again.
        """
        with self._steady():
            block = self._record.current
            if block is None:
                raise ParameterError(
                    f"generation {self._record.n_finished} has not begun, so that it cannot be ended; show its stimuli "
                    f"first: phosphene session run {self.directory}"
                )
            return self._write([{"event": "advance", "block": self._record.n_finished}])

    def _begin(self) -> Block:
        """Begin the next generation: its codes first, then the journal."""
        self._save()
        digests = self._searches.digests()
        asked = self._searches.asked()
        number = self._record.n_finished
        write_state(self.layout.codes(number), {name: codes for name, (_, codes) in asked.items()})
        event = ask_event(self.plan, number, asked, references=tuple(self.references))
        threads: dict[str, JSON] = {}
        for name, search in self._searches.by_thread.items():
            threads[name] = {"state": digests[name], "figures": {k: finite(v) for k, v in search.figures().items()}}
        self._write([{**event, "threads": threads}])
        return self._record.blocks[-1]

    def _asked(self) -> Block:
        """The block that waits, with a presentation that waits."""
        block = self._record.current or self._begin()
        if not any(True for _ in block.waiting(self.plan)):
            self._write([again_event(block, self.plan)])
        return block

    def _showing(
        self, shown: Shown, images: Mapping[str, Float[Tensor, "c h w"]], *, trial: int, position: int = 0
    ) -> Showing:
        return Showing(
            stimulus=shown.name,
            image=images[shown.name],
            position=position,
            trial=trial,
            n_missing=shown.n_missing(self.plan),
            thread=shown.thread,
            candidate=shown.candidate if shown.thread else "",
            is_reference=shown.is_reference,
        )

    def _images(self, block: Block) -> Mapping[str, Float[Tensor, "c h w"]]:
        """The images of a block by name of the stimulus, decoded once."""
        if self._pictured is None or self._pictured[0] != block.number:
            asked = self._searches.asked()
            images = {name: self.decode(name, codes) for name, (_, codes) in asked.items()}
            self._pictured = block.number, block_stimuli(block, images, self.references)
        return self._pictured[1]


def _receipt(news: News, updated: tuple[str, ...] = ()) -> Receipt:
    n_new, conflict = len(news.events) - news.n_late, next(iter(news.conflicts), "")
    return Receipt(n_new, news.n_ignored, news.n_late, updated, len(news.conflicts), conflict)
