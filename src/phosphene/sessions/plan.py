"""What a session is to do: a frozen value with a JSON form."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from phosphene._component import Component, check
from phosphene._types import FrozenArray
from phosphene.exchange.display import Display
from phosphene.exchange.presentation import INTERLEAVINGS, Interleaving
from phosphene.functional.random import stream_seed
from phosphene.optimizers.search import Search
from phosphene.optimizers.search_optimizer import SearchOptimizer
from phosphene.sessions.values import MAX_CHANNELS
from phosphene.spaces.base import Space

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]{0,30}")
#: What the names of reference images begin with; no thread may be called so.
REFERENCE = "reference"
_MOST = 1000


@dataclass(frozen=True)
class Thread(Component):
    """One search among those that share a session's generations.

    Attributes:
        name: letters and digits, at most 31; its stimuli are called ``NAME_g0003c017``.
        space: what turns its codes into images.
        optimizer: how it searches.
        seed: seed of its draws, together with the name.
        channels: the channels of a response that it goes by: one, the mean of several (lost where one is), or (None)
            the mean of those that came.
        origin: a code (dim,) or several (m, dim) to start from; None starts where the optimizer does.
    """

    name: str
    space: Space
    optimizer: SearchOptimizer
    seed: int = 0
    channels: int | tuple[int, ...] | None = None
    origin: FrozenArray | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check(bool(_NAME.fullmatch(self.name)), "name", self.name, "at most 31 letters and digits, a letter first")
        check(self.name.lower() != REFERENCE, "name", self.name, "a name other than that of the reference images")
        several = self.channels if isinstance(self.channels, tuple) else (self.channels or 0,)
        fits = several and all(0 <= channel < MAX_CHANNELS for channel in several)
        check(bool(fits), "channels", self.channels, "None, or numbers of channels from 0")
        check(len(set(several)) == len(several), "channels", self.channels, "each channel once")
        if self.origin is not None:
            object.__setattr__(self, "origin", FrozenArray.of(self.origin))

    def search(self) -> Search:
        """Its search, at the beginning.

        Raises:
            ParameterError: the origin does not fit the space.
        """
        origin = None if self.origin is None else self.origin.tensor()
        return self.optimizer.search(self.space.dim, seed=stream_seed(self.seed, self.name), origin=origin)


@dataclass(frozen=True)
class Plan(Component):
    """What a session shows, how often, and who learns from it.

    Attributes:
        threads: the searches; their stimuli are interleaved in each block.
        repeats: trials that each stimulus is to have.
        order_seed: seed of the order of presentation.
        display: how the stimuli stand on the screen.
        missing: what becomes of a stimulus of which trials were lost: it is "lost", or shown "again".
        attempts: where they are shown again, the stimulus counts as lost after this many times ``repeats`` trials.
        interleave: reference images "evenly" among the others, or "randomly".
        references_per_block: reference images in each block, taking turns; None shows all of them.
    """

    threads: tuple[Thread, ...]
    repeats: int = 1
    order_seed: int = 0
    display: Display = Display()  # noqa: RUF009 - a frozen value
    missing: Literal["lost", "again"] = "lost"
    attempts: int = 3
    interleave: Interleaving = "evenly"
    references_per_block: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        names = [thread.name.lower() for thread in self.threads]
        check(0 < len(names) <= _MOST, "threads", self.threads, f"from 1 to {_MOST} threads")
        check(len(set(names)) == len(names), "threads", names, "names that differ even where case does not count")
        check(1 <= self.repeats <= _MOST, "repeats", self.repeats, f"a whole number from 1 to {_MOST}")
        check(self.missing in ("lost", "again"), "missing", self.missing, "'lost' or 'again'")
        check(1 <= self.attempts <= _MOST, "attempts", self.attempts, f"a whole number from 1 to {_MOST}")
        check(self.interleave in INTERLEAVINGS, "interleave", self.interleave, f"one of {list(INTERLEAVINGS)}")
        few = self.references_per_block
        check(few is None or few > 0, "references_per_block", few, "None, or a whole number from 1")

    @property
    def most_trials(self) -> int:
        """Trials, lost ones included, after which a stimulus is not shown again."""
        return self.repeats * (self.attempts if self.missing == "again" else 1)

    def thread(self, name: str) -> Thread:
        """The thread of that name.

        Raises:
            ParameterError: there is none.
        """
        found = [thread for thread in self.threads if thread.name == name]
        check(bool(found), "thread", name, f"one of {[thread.name for thread in self.threads]}")
        return found[0]
