"""How far a build is, in pictures: a bar, a caller's own function, or nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any, Literal

from tqdm.auto import tqdm

Stage = Literal["checking", "rendering", "packing", "verifying", "joining"]


@dataclass(frozen=True)
class Progressed:
    """How far a build is.

    Attributes:
        stage: what it does; only of "rendering" are pictures counted: of the others files, or photographs.
        n_done: of them done, by this build or before it.
        n: of how many; None where nobody knows.
        n_failed: pictures of this build that came out with another status than "ok".
        per_second: done by this build, per second; None before the first.
        remaining_s: seconds that are left at this pace; None where nobody knows.
    """

    stage: Stage
    n_done: int
    n: int | None
    n_failed: int = 0
    per_second: float | None = None
    remaining_s: float | None = None


BuildProgress = bool | Callable[[Progressed], object]


class Meter:
    """Tells a build's progress while the block lasts, stage after stage.

    Args:
        progress: True shows a bar; a function is told.
    """

    def __init__(self, progress: BuildProgress) -> None:
        self._tell: Callable[[Progressed], object] = progress if callable(progress) else _nobody
        self._shows = progress is True
        self._bar: Any = None
        self._now = Progressed("checking", 0, None)
        self._began, self._first = monotonic(), 0

    def __enter__(self) -> Meter:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def begin(self, stage: Stage, n_done: int, n: int | None) -> None:
        """A stage begins, of which ``n_done`` are done already."""
        self._close()
        self._began, self._first = monotonic(), n_done
        self._now = Progressed(stage, n_done, n, self._now.n_failed)
        if self._shows:
            unit = "picture" if stage == "rendering" else "photograph" if stage == "joining" else "file"
            self._bar = tqdm(desc=stage, total=n, initial=n_done, unit=unit, leave=False)
        self._tell(self._now)

    def advance(self, n_more: int, *, n_failed: int = 0, is_own: bool = True) -> None:
        """So many more are done, by this build or by somebody else."""
        before, passed = self._now, monotonic() - self._began
        done = before.n_done + n_more
        self._first += 0 if is_own else n_more
        pace = (done - self._first) / passed if passed > 0 and done > self._first else None
        left = None if before.n is None or pace is None else (before.n - done) / pace
        self._now = Progressed(before.stage, done, before.n, before.n_failed + n_failed, pace, left)
        if self._bar is not None:
            self._bar.set_postfix_str(f"{self._now.n_failed} failed" if self._now.n_failed else "", refresh=False)
            self._bar.update(n_more)
        self._tell(self._now)

    def reach(self, n_done: int, n: int) -> None:
        """So many of ``n`` are done."""
        if self._now.n != n:
            self.begin(self._now.stage, 0, n)
        self.advance(n_done - self._now.n_done)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def _nobody(_: Progressed) -> None:
    """Nobody wants to know."""
