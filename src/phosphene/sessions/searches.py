"""The searches of a session, and how they come back after a kill: from the newest state that fits the journal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jaxtyping import Float
from torch import Tensor

from phosphene.errors import ParameterError, PhospheneError, StorageError
from phosphene.optimizers.search import Search
from phosphene.sessions.blocks import Block
from phosphene.sessions.layout import Layout
from phosphene.sessions.plan import Plan
from phosphene.sessions.record import Record
from phosphene.store.states import read_state, state_digest, write_state

#: Where a state file says behind which line of the journal it stands; no search's own value is called so.
_PLACE = "session.line"


class Searches:
    """A search for each thread, all in the same generation.

    Attributes:
        plan: the session's.
        by_thread: the searches.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.by_thread: dict[str, Search] = {thread.name: thread.search() for thread in plan.threads}
        self._digests: dict[str, str] | None = None

    def asked(self) -> dict[str, tuple[tuple[str, ...], Float[Tensor, "n dim"]]]:
        """Candidates and codes, float32, of the present generation by thread."""
        self.digests()  # asking is part of a search's state
        asked = {name: search.ask() for name, search in self.by_thread.items()}
        return {name: (candidates.ids, candidates.codes.float()) for name, candidates in asked.items()}

    def digests(self) -> dict[str, str]:
        """A digest of each search's state when the generation began."""
        if self._digests is None:
            self._digests = {name: state_digest(search.state_dict()) for name, search in self.by_thread.items()}
        return self._digests

    def learn(self, block: Block) -> None:
        """Tell every search the scores of a block that is over, and go on to the next generation."""
        self._digests = None
        for thread in self.plan.threads:
            search = self.by_thread[thread.name]
            search.ask()
            told = block.tellings(thread)
            ids, scores, n_reps = zip(*told, strict=True) if told else ((), (), ())
            if not search.tell(ids, scores, n_reps).updated:
                search.advance()

    def save(self, layout: Layout, block: Block) -> None:
        """Write the state of every search behind a block that is over.

        Raises:
            StorageError: a file cannot be written.
        """
        for name, search in self.by_thread.items():
            path = layout.state(name, block.number + 1)
            write_state(path, {**search.state_dict(), _PLACE: list(block.finished or ())})

    def load(self, layout: Layout, block: Block, only: str | None = None) -> None:
        """Take over the states behind a block, of all threads or of ``only`` one.

        Raises:
            StorageError: a file cannot be read, is damaged, or stands behind another line of the journal.
            ParameterError: a state does not fit its search.
        """
        self._digests = None
        for name in self.by_thread if only is None else (only,):
            path = layout.state(name, block.number + 1)
            state = read_state(path)
            if state.pop(_PLACE, None) != list(block.finished or ()):
                raise StorageError(f"{path} does not stand behind the line of the journal that ended its generation")
            self.by_thread[name].load_state_dict(state)


def recover(plan: Plan, record: Record, layout: Layout) -> Searches:
    """The searches as the journal leaves them: from the newest states that fit it, or from the very beginning.

    Raises:
        StorageError: what the searches come to is not what the journal says they came to.
    """
    line = None
    for n_over in range(record.n_finished, -1, -1):
        searches = Searches(plan)
        try:
            if n_over:
                searches.load(layout, record.blocks[n_over - 1])
        except (StorageError, ParameterError):
            continue
        line = _replay(searches, record, n_over)
        if line is None:
            return searches
    raise StorageError(
        f"{layout.directory}: the searches do not come to the states that the journal recorded ({line}); it was "
        f"written with {_shown(record.versions)}: open it with these versions, or put back its folder 'state'"
    )


def _replay(searches: Searches, record: Record, n_over: int) -> str | None:
    """Learn from the blocks from number ``n_over``; where that departs from the journal, None for nowhere."""
    for block in record.blocks[n_over:]:
        try:
            if searches.digests() != block.states or not _fits(searches, block):
                return f"generation {block.number}"
            if block.finished is not None:
                searches.learn(block)
        except PhospheneError as error:
            return f"generation {block.number}: {error}"
    return None


def _fits(searches: Searches, block: Block) -> bool:
    """Whether the block shows the candidates that the searches ask for."""
    shown = {name: tuple(s.candidate for s in block.of_thread(name)) for name in searches.by_thread}
    return {name: ids for name, (ids, _) in searches.asked().items()} == shown


def _shown(versions: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items()) or "versions that it does not name"
