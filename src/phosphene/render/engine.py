"""The loop. Every method runs through it: a recipe changes what is plugged in, never the loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor


@runtime_checkable
class Climber(Protocol):
    """Takes steps."""

    def step(self, number: int, look: Any) -> Tensor:
        """Take step ``number`` of the run, counted from 1; returns scores (n,)."""
        ...


@runtime_checkable
class Part(Protocol):
    """A part of a run in which one climber takes the steps."""

    @property
    def guard(self) -> Climber: ...

    def looks(self) -> Iterator[Any]:
        """What each step needs to know."""
        ...


@runtime_checkable
class Way(Protocol):
    """What is climbed: the stages of a render, or the generations of an evolution."""

    @property
    def n_images(self) -> int: ...

    @property
    def is_begun(self) -> bool: ...

    def __iter__(self) -> Iterator[Part]: ...

    def image(self) -> Tensor:
        """The images as they are now (n, c, h, w)."""
        ...

    def undo(self, step: int) -> None:
        """Take back whatever was begun after ``step``."""
        ...


@dataclass
class Record:
    """What a run leaves behind, written while it goes on.

    Attributes:
        scores: score of each image at the start of each step (steps, n), on the render's device.
        wanted: the steps after which the image is kept.
        watch: told each step and a function that gives the images after it, while the run goes on.
        ends_early: whether the run shall end when there is no room left, though its recipe has more steps.
        snapshots: the images that were kept (n, c, h, w), on the CPU; their size is that of their stage.
        steps: steps done.
        interrupted: whether a person ended the run early.
    """

    scores: Tensor
    wanted: frozenset[int]
    watch: Callable[[int, Callable[[], Tensor]], None]
    ends_early: bool = False
    snapshots: dict[int, Tensor] = field(default_factory=dict[int, Tensor])
    steps: int = 0
    interrupted: bool = False

    @property
    def is_over(self) -> bool:
        """Whether the run ends here, before its last stage."""
        return self.ends_early and self.steps == len(self.scores)

    def note(self, scores: Tensor, image: Callable[[], Tensor]) -> None:
        """Keep what the next step brought."""
        self.scores[self.steps] = scores
        self.steps += 1
        self.keep(image)

    def keep(self, image: Callable[[], Tensor]) -> None:
        """Keep the image as it is now, if it is wanted; after step 0 it is the start."""
        if self.steps in self.wanted:
            # The parameters may be the image itself: what is kept must not change with them.
            self.snapshots[self.steps] = image().to("cpu", torch.float32, copy=True)
        self.watch(self.steps, image)


def climb(course: Way, record: Record, *, progress: Callable[[int], None]) -> None:
    """Climb stage by stage for as many steps as the record has room for: look, step, note.

    A keyboard interrupt ends the run after the last whole step, and the record says so; before the first stage is made
    there is nothing to keep, and it goes on.
    """
    if record.is_over:
        return
    try:
        for stage in course:
            for look in stage.looks():
                scores = stage.guard.step(record.steps + 1, look)
                record.note(scores, course.image)
                progress(course.n_images)
                if record.is_over:
                    return
    except KeyboardInterrupt:
        if not course.is_begun:
            raise
        record.interrupted = True
        course.undo(record.steps)
