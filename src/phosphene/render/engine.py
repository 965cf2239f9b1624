"""The loop. Every method runs through it: a recipe changes what is plugged in, never the loop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from phosphene.render.guard import Guard
from phosphene.transforms import ViewPipeline


@dataclass
class Record:
    """What a run leaves behind, written while it goes on.

    Attributes:
        scores: score of each image at the start of each step (steps, n), on the render's device.
        wanted: the steps after which the image is kept.
        snapshots: those images (n, c, h, w), on the CPU.
        steps: steps done.
        interrupted: whether a person ended the run early.
    """

    scores: Tensor
    wanted: frozenset[int]
    snapshots: dict[int, Tensor] = field(default_factory=dict[int, Tensor])
    steps: int = 0
    interrupted: bool = False

    def note(self, step: int, scores: Tensor, image: Callable[[], Tensor]) -> None:
        """Keep what step number ``step`` brought."""
        self.scores[step - 1] = scores
        self.steps = step
        self.keep(step, image)

    def keep(self, step: int, image: Callable[[], Tensor]) -> None:
        """Keep the image after ``step`` if it is wanted; 0 is the start."""
        if step in self.wanted:
            self.snapshots[step] = image().to("cpu", torch.float32)


def climb(guard: Guard, views: ViewPipeline, record: Record, *, progress: Callable[[int], None]) -> None:
    """Climb for as many steps as the record has room for: look, step, note.

    A keyboard interrupt ends the run after the last whole step, and the record says so.
    """
    try:
        for step in range(1, len(record.scores) + 1):
            look = views.look(step - 1)
            scores = guard.step(step, look)
            record.note(step, scores, guard.problem.image)
            progress(guard.problem.n_images)
    except KeyboardInterrupt:
        record.interrupted = True
        guard.undo(record.steps)
