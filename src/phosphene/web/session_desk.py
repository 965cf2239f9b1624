"""Where requests meet the session: one at a time, from whichever thread, and in plain values."""

from __future__ import annotations

import contextlib
import io
import threading
from collections.abc import Generator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from phosphene.errors import PhospheneError
from phosphene.sessions import Session, Showing
from phosphene.store import encode_png
from phosphene.web.session_messages import read_trials
from phosphene.web.session_pixels import levels, stacked
from phosphene.web.session_refusal import RefusalError

#: Generations whose stimuli can be fetched: a slow client may still be at the one before.
_KEPT = 2

Images = Mapping[str, Float[Tensor, "c h w"]]


class Desk:
    """Serves a session to many clients; each method may be called from any thread."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._lock = threading.Lock()
        self._is_closed = False
        self._last_error = ""
        self._remarks = ""  # on the generation that was over last
        # Pictures as the session has them: the canvases around hundreds of reference images would fill the memory.
        self._stimuli: dict[int, dict[str, Float[Tensor, "c h w"]]] = {}
        plan = session.plan
        self._display = plan.display
        # Where a stimulus is shown once at most, a trial is the first one if nothing else is said.
        self._trial = 1 if plan.most_trials == 1 else None

    def ask(self) -> dict[str, Any]:
        """What waits to be shown: a row for each presentation, in order."""
        generation, showings, _ = self._ask()
        return {"block": generation, "stimuli": [_row(showing) for showing in showings]}

    def ask_arrays(self) -> bytes:
        """What waits to be shown as an ``.npz`` without pickled objects.

        ``images`` (n, h, w, 3) uint8 and ``ids`` (n) hold each stimulus once; ``shown``, ``trial`` and ``position`` (m)
        hold the presentations in order, ``shown`` as indices into ``ids``; ``block`` is the generation's number.

        Raises:
            ParameterError: the stimuli have several sizes.
            RefusalError: they are too many, or too large, for one answer.
        """
        generation, showings, stimuli = self._ask()
        names = list(dict.fromkeys(showing.stimulus for showing in showings))
        images = stacked(self._display, [stimuli[name] for name in names])
        index = {name: i for i, name in enumerate(names)}
        file = io.BytesIO()
        np.savez(
            file,
            images=images,
            ids=np.array(names),
            shown=np.array([index[showing.stimulus] for showing in showings]),
            trial=np.array([showing.trial for showing in showings]),
            position=np.array([showing.position for showing in showings]),
            block=np.array(generation),
        )
        return file.getvalue()

    def stimulus(self, name: str) -> bytes:
        """The PNG of a stimulus of this generation or the last, as the screen is to show it."""
        # Only what was asked for is known by name: no name ever becomes a path.
        with self._open():
            found = [stimuli[name] for stimuli in self._stimuli.values() if name in stimuli]
        if not found:
            raise RefusalError(404, f"there is no stimulus {name[:80]!r} in this generation; GET /ask lists them")
        return encode_png(levels(self._display.compose(found[0])))

    def tell(self, body: bytes) -> dict[str, Any]:
        """Put trials on record; what became of them. See :func:`read_trials` for the body's form."""
        try:
            trials = read_trials(body, trial=self._trial)
            with self._open() as session:
                receipt = session.tell(trials)
                self._remark(session, is_over=bool(receipt.updated))
        except PhospheneError as error:
            self._last_error = _now(str(error))
            raise
        self._last_error = _now(receipt.conflict) if receipt.conflict else ""
        return asdict(receipt)

    def advance(self) -> dict[str, Any]:
        """End the generation with what is in."""
        with self._open() as session:
            if not session.status().is_asked:
                raise RefusalError(409, "no stimuli of this generation were asked for, so it cannot be ended; GET /ask")
            updated = session.advance()
            self._remark(session, is_over=True)
            return {"updated": updated}

    def status(self) -> dict[str, Any]:
        """How the session stands."""
        with self._open() as session:
            status = session.status().to_json()
            return {**status, "name": session.directory.resolve().name, "last_error": self._last_error or self._remarks}

    def history(self) -> dict[str, Any]:
        """Rows for every trial and every generation."""
        with self._open() as session:
            history = session.history()
        return asdict(history)

    def best(self, thread: str | None) -> bytes:
        """The PNG of what scored highest."""
        with self._open() as session:
            pick = session.best(self._known(thread))
        if pick is None:
            raise RefusalError(404, "no candidate has a score yet; tell some first")
        return encode_png(levels(pick.image))

    def recommended(self, thread: str | None) -> bytes:
        """The PNG of what the search recommends."""
        with self._open() as session:
            return encode_png(levels(session.recommended(self._known(thread)).image))

    def close(self) -> None:
        """Wait for what is being done, and do nothing more."""
        with self._lock:
            self._is_closed = True

    @contextlib.contextmanager
    def _open(self) -> Generator[Session]:
        with self._lock:
            if self._is_closed:
                raise RefusalError(503, "the server is ending; what was told before is on record")
            yield self._session

    def _remark(self, session: Session, *, is_over: bool) -> None:
        """Keep for the page what is to be said of a generation that is over, such as that nothing was learned."""
        if is_over:
            self._remarks = "; ".join(session.remarks(session.n_finished - 1))

    def _ask(self) -> tuple[int, Sequence[Showing], Images]:
        with self._open() as session:
            showings = session.ask()
            generation = session.status().generation
            stimuli = self._stimuli.setdefault(generation, {})
            for showing in showings:
                stimuli[showing.stimulus] = showing.image
            for old in sorted(self._stimuli)[:-_KEPT]:
                del self._stimuli[old]
            return generation, showings, dict(stimuli)

    def _known(self, thread: str | None) -> str | None:
        names = [thread.name for thread in self._session.plan.threads]
        if thread is not None and thread not in names:
            raise RefusalError(404, f"there is no thread {thread[:80]!r}; this session has {', '.join(names)}")
        return thread


def _now(sentence: str) -> str:
    return f"{datetime.now(UTC):%H:%M:%S} UTC: {sentence}"


def _row(showing: Showing) -> dict[str, Any]:
    return {
        "id": showing.stimulus,
        "trial": showing.trial,
        "position": showing.position,
        "n_missing": showing.n_missing,
        "thread": showing.thread,
        "candidate": showing.candidate,
        "is_reference": showing.is_reference,
        "url": f"/stimulus/{showing.stimulus}.png",
    }
