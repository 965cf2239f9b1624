"""The folder protocol's loop: a folder of stimuli for each generation, and the rig's file of responses back."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from phosphene._component import check
from phosphene.errors import ParameterError, StorageError
from phosphene.exchange import (
    Block,
    Matched,
    Patience,
    Stimulus,
    block_folder,
    read_block,
    receive,
    write_block,
)
from phosphene.exchange.blocks import MANIFEST
from phosphene.sessions.session import Present, Session
from phosphene.sessions.values import Trial

_SHOWN = 5  # names in a message


def run_folder(  # noqa: PLR0913 - a public door; all but the session are keywords
    session: Session,
    *,
    generations: int | None = None,
    poll_s: float = 0.1,
    settle_s: float = 0.5,
    timeout_s: float | None = None,
    strict: bool = False,
    stop: Callable[[], bool] | None = None,
    say: Callable[[str], None] | None = None,
) -> int:
    """Write each generation's stimuli to a folder under ``blocks``, wait there for the rig's file, and learn from it.

    It may be killed and begun again at any moment: a folder that is there is waited in, a file that was read in part
    counts once. A file that is bad is told to ``say`` and left where it is, until it is replaced. Stimuli without a
    response are lost or shown again in another folder (``gen_0003_again1``), as the plan says. When another thread of
    the process ends the generation (:meth:`Session.tell`, :meth:`Session.advance`), it goes on to the next.

    Args:
        session: an open one.
        generations: stop when so many are over, those of earlier runs included; None goes on until ``stop``.
        poll_s: seconds from one look into the folder to the next.
        settle_s: seconds for which a file must not have changed before it is read.
        timeout_s: seconds after which waiting for a file ends with an error; None waits for ever.
        strict: whether stimuli must be named to the letter, see :func:`phosphene.exchange.match`.
        stop: asked at each look whether to stop.
        say: is told in sentences what happens.

    Returns:
        The generations that are over.

    Raises:
        ParameterError: an argument is out of range.
        StorageError: the time is over; something cannot be written, as on a full disk: the session is intact; or a
            block's folder is not the one that the session wrote.
        MissingExtraError: a file needs the extra ``lab``.
    """
    check(generations is None or generations > 0, "generations", generations, "None, or a whole number from 1")
    patience = Patience(poll_s=poll_s, settle_s=settle_s, timeout_s=timeout_s)
    runner = _Runner(session, patience, strict, stop or (lambda: False), say or (lambda _: None))
    while generations is None or session.n_finished < generations:
        if not runner.round():
            break
    return session.n_finished


@dataclass(frozen=True)
class _Runner:
    session: Session
    patience: Patience
    strict: bool
    stop: Callable[[], bool]
    say: Callable[[str], None]

    def round(self) -> bool:
        """Show what the present round shows, and take in what comes; whether to go on."""
        present = self.session.present()
        block = self._block(present)
        self.say(f"{block.folder}: {len(block.names)} stimuli wait for the file of responses")
        matched = self._received(block, present)
        if matched is None:
            return not self.stop()
        if matched.unknown:
            self.say(f"{matched.source}: ignored {_listed(matched.unknown)}, which are no stimuli of this block")
        self._settle(present, matched)
        return True

    def _block(self, present: Present) -> Block:
        """The round's folder, as it lies there or newly written."""
        folder = block_folder(self.session.layout.blocks, present.block)
        if present.round:
            folder = folder.with_name(f"{folder.name}_again{present.round}")
        if (folder / MANIFEST).exists():
            block = read_block(folder)
            shown = tuple((shown.stimulus, shown.trial) for shown in block.presentations)
            if shown != present.order:
                raise StorageError(f"{folder} is not the folder that this session wrote; move it away and go on")
            return block
        plan = self.session.plan
        return write_block(
            folder,
            [Stimulus(s.stimulus, s.image, s.candidate, is_reference=s.is_reference) for s in present.stimuli],
            seed=present.seed,
            display=plan.display,
            repeats=present.repeats,
            interleave=plan.interleave,
            metadata={"generation": present.block, "round": present.round},
        )

    def _received(self, block: Block, present: Present) -> Matched | None:
        """Responses that the session has taken; a file that it refuses is as bad as one that cannot be read."""
        matched = receive(
            block,
            complain=self.say,
            strict=self.strict,
            patience=self.patience,
            stop=lambda: self.stop() or not self.session.unanswered(present),
            accept=lambda matched: self._check(matched, present),
        )
        if matched is not None:
            self.session.tell(_trials(matched, present))
        return matched

    def _check(self, matched: Matched, present: Present) -> None:
        try:
            self.session.check(_trials(matched, present))
        except ParameterError as error:
            raise ParameterError(f"{matched.source}: {error}") from error

    def _settle(self, present: Present, matched: Matched) -> None:
        """Put on record that presentations without a response are lost."""
        unanswered = self.session.unanswered(present)
        if not unanswered:
            return
        lost = [Trial(name, (math.nan,), trial) for name, trial in unanswered]
        over = self.session.tell(lost).updated
        names = tuple(dict.fromkeys(name for name, _ in unanswered))
        fate = "they are lost" if over else "their stimuli are shown again"
        self.say(f"{matched.source}: {len(lost)} presentations have no response ({_listed(names)}); {fate}")


def _trials(matched: Matched, present: Present) -> Iterator[Trial]:
    """The file's trials under the session's numbers, which go on from round to round."""
    numbers = [trial.number for trials in matched.trials.values() for trial in trials if trial.number is not None]
    shift = 1 if 0 in numbers else 0  # rigs that count from 0
    for name, trials in matched.trials.items():
        first = present.first[name]
        taken = {trial.number + shift for trial in trials if trial.number is not None}
        free = (n for n in range(1, len(trials) + len(taken) + 1) if n not in taken)
        for trial in trials:
            number = next(free) if trial.number is None else trial.number + shift
            yield Trial(name, trial.values, first - 1 + number)


def _listed(names: tuple[str, ...]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
