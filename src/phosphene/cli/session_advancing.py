"""``phosphene session advance``: a generation ends with what is in, whoever has the session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from phosphene import store
from phosphene.cli.session_opening import HeldError, opened
from phosphene.errors import ParameterError, StorageError

if TYPE_CHECKING:
    from phosphene.exchange import Matched
    from phosphene.sessions import Session


def advance_session(directory: Path, *, trust: bool) -> Iterator[str]:
    """End the present generation, or ask the process that has the session to; says in sentences what became of it.

    Raises:
        ParameterError: nothing of the generation was shown yet.
        StorageError: a file of responses lies there that cannot be taken in; the session is open in a process that
            does not look into folders; or it cannot be read or written.
    """
    try:
        with opened(directory, trust=trust) as session:
            yield from _advance(directory, session)
    except HeldError as error:
        yield _ask(directory, error, trust=trust)


def _advance(directory: Path, session: Session) -> Iterator[str]:
    from phosphene.sessions import take_in

    over = session.n_finished
    if not session.status().is_asked:
        raise ParameterError(
            f"nothing of generation {over} was shown yet, so it cannot be ended; begin it with: "
            f"phosphene session run {directory}"
        )
    said: list[str] = []
    n_new = take_in(session, said.append)
    yield from said
    if n_new:
        yield f"{n_new} trials were taken in from the folder"
    if session.n_finished == over:
        _expect_nothing_unread(session)
        session.advance()
    rows = [row for row in session.history().generations if row.generation == over]
    learned = ", ".join(row.thread for row in rows if row.n_scored) or "no search"
    yield f"generation {over} is over; {learned} learned from it"
    yield from session.remarks(over)


def _expect_nothing_unread(session: Session) -> None:
    """That no file lies there whose trials would be thrown away."""
    from phosphene.exchange import read_block, response_files
    from phosphene.exchange.receiving import Reading
    from phosphene.sessions.folder_rounds import has_folder, numbered, round_folder

    present = session.present()
    folder = round_folder(session.layout, present.block, present.round)
    files = response_files(folder) if has_folder(folder) else ()

    def accept(matched: Matched) -> None:
        session.check(numbered(matched, present.first))

    if files and Reading(read_block(folder), lambda _: None, accept, strict=False).read(files) is None:
        raise StorageError(
            f"{files[0].path} cannot be taken in, and its trials would be thrown away: correct it, or move it out of "
            "the folder; then advance again"
        )


def _ask(directory: Path, error: HeldError, *, trust: bool) -> str:
    """Ask the process that waits in the present block's folder; the sentence about it."""
    from phosphene.cli.session_memory import recall
    from phosphene.sessions import Session
    from phosphene.sessions.folder_rounds import ADVANCE, has_folder, round_folder

    how = recall(directory)
    if how.by == "http":
        raise StorageError(f"{error}; it is served over HTTP, where POST /advance ends a generation") from error
    found = Session.read(directory, trust=trust)
    status = found.status()
    folder = round_folder(found.layout, status.generation, status.round)
    if how.by == "neuron" or not has_folder(folder):
        raise error
    store.write_text(folder / ADVANCE, "")
    return f"the process that runs {directory} is asked to end generation {status.generation}: {folder / ADVANCE}"
