"""Pictures of a block that somebody deleted, written again."""

from __future__ import annotations

from collections.abc import Sequence

from phosphene.exchange.blocks import Block, stimulus_png
from phosphene.exchange.display import Display
from phosphene.exchange.presentation import Stimulus
from phosphene.store import write_bytes


def restore_pictures(block: Block, stimuli: Sequence[Stimulus], *, display: Display) -> tuple[str, ...]:
    """Write those pictures of a block that are not in its folder, or are empty; returns the files' names.

    Args:
        block: as it was written.
        stimuli: those with which it was written.
        display: how each stands on the screen.

    Raises:
        StorageError: one cannot be written.
    """
    listed = {entry.file for entry in block.entries}
    gone = [s for s in stimuli if s.file in listed and not _is_there(block, s.file)]
    for stimulus in gone:
        write_bytes(block.folder / stimulus.file, stimulus_png(stimulus, display))
    return tuple(stimulus.file for stimulus in gone)


def _is_there(block: Block, name: str) -> bool:
    path = block.folder / name
    return path.is_file() and path.stat().st_size > 0
