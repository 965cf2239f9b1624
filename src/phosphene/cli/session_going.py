"""The loop itself, in its three ways: through folders, over HTTP, answered by a simulated neuron."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from phosphene.cli import console
from phosphene.errors import ParameterError, StorageError, TrustError

if TYPE_CHECKING:
    from phosphene.cli.session_memory import Run
    from phosphene.sessions import Session


def go(
    directory: Path, trust: bool, given: Mapping[str, Any], *, token: str | None = None, is_resumed: bool = False
) -> None:
    """Run the session as at the last, but for what is given and not None, which is written down.

    Args:
        directory: the session's.
        trust: allow what would import, run or download something.
        given: fields of :class:`~phosphene.cli.session_memory.Run`.
        token: the secret of clients, over HTTP; None makes one.
        is_resumed: whether the last run's file says how, and what was found is told.

    Raises:
        PhospheneError: the session cannot be opened, or the last run's file asks for what is not allowed.
    """
    from phosphene.cli.session_memory import recall, remember
    from phosphene.cli.session_opening import opened

    was_torn = is_resumed and _is_torn(directory)
    with opened(directory, trust=trust) as session:
        how = recall(directory)
        # That there is no time limit is said by saying nothing.
        changes = {key: value for key, value in given.items() if value is not None or key == "timeout_s"}
        how = replace(how, **changes)
        if is_resumed:
            _expect_harmless(directory, how, trust=trust, changes=changes)
            for line in _found(session, was_torn):
                console.say(line)
        remember(directory, how)
        if _is_over(session, how):
            _say_over(directory, session, how)
            return
        try:
            _WAYS[how.by](session, how, token)
        except KeyboardInterrupt:
            console.say(f"{directory} is intact; go on with: phosphene session resume {directory}")
            raise
        console.say(f"{session.n_finished} generations are over; see them with: phosphene session report {directory}")


def _expect_harmless(directory: Path, how: Run, *, trust: bool, changes: Mapping[str, Any]) -> None:
    """That the last run's file, which may be somebody else's, asks for nothing that its reader has not allowed.

    Raises:
        TrustError: a network that is not bundled.
        ParameterError: an address that other machines reach.
    """
    from phosphene.models.load import BUNDLED
    from phosphene.web.session_access import is_loopback

    net = how.neuron.net if how.by == "neuron" and how.neuron is not None else None
    if net not in (None, BUNDLED) and not trust:
        raise TrustError(
            f"{directory} was answered by the network {net!r:.120}: going on would import code or download weights; "
            "allow that with --trust"
        )
    if how.by == "http" and "host" not in changes and not is_loopback(how.host):
        raise ParameterError(
            f"{directory} was served at {how.host!r:.120}, which other machines may reach; say it again with "
            f"--host {how.host:.120}, or --host 127.0.0.1 for this machine only"
        )


def _is_over(session: Session, how: Run) -> bool:
    return how.generations is not None and session.n_finished >= how.generations


def _say_over(directory: Path, session: Session, how: Run) -> None:
    n_over = session.n_finished
    console.say(
        f"{n_over} of {how.generations} generations are over: go on with --generations {2 * n_over}, or see them with: "
        f"phosphene session report {directory}"
    )


def _folders(session: Session, how: Run, token: str | None) -> None:
    from phosphene.sessions import run_folder

    run_folder(
        session,
        generations=how.generations,
        timeout_s=how.timeout_s,
        settle_s=how.settle_s,
        patience_s=how.patience_s,
        strict=how.strict,
        say=console.say,
    )


def _http(session: Session, how: Run, token: str | None) -> None:
    from phosphene.web.session_server import serve as serve_session

    say = console.out().print
    serve_session(session, host=how.host, port=how.port, token=token, say=say, stop=lambda: _is_over(session, how))


def _neuron(session: Session, how: Run, token: str | None) -> None:
    from phosphene.cli.session_memory import Neuron
    from phosphene.cli.session_neuron import answer_directly, answering
    from phosphene.cli.session_rig import Rig
    from phosphene.sessions import run_folder

    neuron = how.neuron or Neuron()
    with answering(neuron) as answer:
        if not neuron.through_folder:
            answer_directly(session, answer, generations=how.generations, say=console.say)
            return
        with Rig(session.layout.blocks, answer).working() as rig:
            run_folder(session, generations=how.generations, settle_s=0.0, stop=rig.has_failed, say=console.say)


_WAYS: Mapping[str, Callable[[Session, Run, str | None], None]] = MappingProxyType(
    {"folder": _folders, "http": _http, "neuron": _neuron}
)


def _is_torn(directory: Path) -> bool:
    """Whether a kill cut off the last line of the journal; what else is wrong is told by opening the session."""
    from phosphene.sessions.journal import read_journal
    from phosphene.sessions.layout import Layout

    with contextlib.suppress(StorageError):
        return read_journal(Layout(directory).journal).is_torn
    return False


def _found(session: Session, was_torn: bool) -> Iterator[str]:
    """What the session has on record, in sentences."""
    status = session.status()
    yield f"{status.generation} generations are over, {status.n_trials} trials on record, {status.n_lost} of them lost."
    if was_torn:
        yield "The journal's last line was cut off while it was written: it never counted, and is dropped."
    if status.problem:
        yield status.problem
    if status.is_asked:
        yield f"Generation {status.generation} is under way: {status.n_waiting} presentations wait for a response."
