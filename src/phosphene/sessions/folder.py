"""The folder protocol's loop: a folder of stimuli for each generation, and the rig's file of responses back."""

from __future__ import annotations

from collections.abc import Callable

from phosphene._component import check
from phosphene.exchange import Patience, read_block, response_files
from phosphene.exchange.receiving import Reading
from phosphene.sessions.folder_late import LateFiles
from phosphene.sessions.folder_rounds import check_own, has_folder, round_folder
from phosphene.sessions.folder_runner import Runner
from phosphene.sessions.session import Session


def run_folder(  # noqa: PLR0913 - a public door; all but the session are keywords
    session: Session,
    *,
    generations: int | None = None,
    poll_s: float = 0.1,
    settle_s: float = 0.5,
    patience_s: float = 60.0,
    timeout_s: float | None = None,
    strict: bool = False,
    stop: Callable[[], bool] | None = None,
    say: Callable[[str], None] | None = None,
) -> int:
    """Write each generation's stimuli to a folder under ``blocks``, wait there for the rig's file, and learn from it.

    It may be killed and begun again at any moment: a folder that is there is waited in, a file that was read in part
    counts once. A file that is bad is told to ``say`` and left where it is, until it is replaced. A file in which
    presentations are missing is taken when it has not changed for ``patience_s``; their stimuli are then lost or shown
    again in another folder (``gen_0003_again1``), as the plan says. What comes for them later, into a folder that is
    over, is taken in between the generations. An empty file called ``advance`` in the block's folder ends the block
    with what is in. When another thread of the process ends the generation (:meth:`Session.tell`,
    :meth:`Session.advance`), it goes on to the next.

    Args:
        session: an open one.
        generations: stop when so many are over, those of earlier runs included; None goes on until ``stop``.
        poll_s: seconds from one look into the folder to the next.
        settle_s: seconds for which a file must not have changed before it is read.
        patience_s: seconds for which a file in which presentations are missing must not have changed before it counts.
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
    patience = Patience(poll_s=poll_s, settle_s=settle_s, timeout_s=timeout_s, missing_s=patience_s)
    say = say or _silent
    runner = Runner(session, patience, strict, stop or _never, say, LateFiles(session, strict, say))
    runner.late.take_in()
    while generations is None or session.n_finished < generations:
        if not runner.round():
            break
        runner.late.take_in()
    return session.n_finished


def take_in(session: Session, say: Callable[[str], None] | None = None, *, strict: bool = False) -> int:
    """Put on record what lies unread in the folders of :func:`run_folder`, without waiting for anything.

    Presentations that are missing are left to wait; a bad file is told to ``say`` and left where it is.

    Args:
        session: an open one.
        say: is told in sentences what happens.
        strict: as for :func:`run_folder`.

    Returns:
        How many trials are new, those included that came too late; they may have ended the present generation.

    Raises:
        StorageError: they could not be put on record, or the block's folder is not the one that this session wrote.
        MissingExtraError: a file needs the extra ``lab``.
    """
    say = say or _silent
    late = LateFiles(session, strict, say)
    n_new = late.take_in()
    status = session.status()
    folder = round_folder(session.layout, status.generation, status.round)
    if not status.is_asked or not status.n_waiting or not has_folder(folder):
        return n_new
    runner = Runner(session, Patience(), strict, _never, say, late)
    present, block = session.present(), read_block(folder)
    check_own(session, block)
    reading = Reading(block, say, lambda matched: runner.lacking(matched, present), strict)
    files = response_files(folder)
    matched = reading.read(files) if files else None
    return n_new if matched is None else n_new + runner.take(present, matched)


def _never() -> bool:
    return False


def _silent(_: str) -> None:
    pass
