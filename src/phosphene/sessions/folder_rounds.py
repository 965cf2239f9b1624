"""The folders of a session's rounds: written, checked, and sorted to the session's own numbers of trials."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from phosphene._types import JSON
from phosphene.errors import StorageError
from phosphene.exchange import Block, Matched, Stimulus, block_folder, read_block, restore_pictures, write_block
from phosphene.exchange.blocks import MANIFEST
from phosphene.sessions.layout import Layout
from phosphene.sessions.session import Session
from phosphene.sessions.values import Present, Trial

#: An empty file of this name in a block's folder ends the block with what is in; any suffix will do.
ADVANCE = "advance"
_SHOWN = 5  # names in a message


def round_folder(layout: Layout, block: int, round_: int) -> Path:
    """Where the folder of a round lies."""
    folder = block_folder(layout.blocks, block)
    return folder.with_name(f"{folder.name}_again{round_}") if round_ else folder


def has_folder(folder: Path) -> bool:
    """Whether a round's folder was written."""
    return (folder / MANIFEST).exists()


def open_block(session: Session, present: Present) -> tuple[Block, tuple[str, ...]]:
    """The round's folder, as it lies there or newly written; and the pictures in it that had to be written again.

    Raises:
        StorageError: the folder is not the one that this session wrote, or cannot be written.
    """
    folder = round_folder(session.layout, present.block, present.round)
    plan = session.plan
    stimuli = [Stimulus(s.stimulus, s.image, s.candidate, is_reference=s.is_reference) for s in present.stimuli]
    metadata: dict[str, JSON] = {"generation": present.block, "round": present.round, **identity(session, present)}
    if has_folder(folder):
        block = read_block(folder)
        check_own(session, block)
        shown = tuple((shown.stimulus, shown.trial) for shown in block.presentations)
        if shown != present.order or block.metadata != metadata:
            raise StorageError(f"{folder} is not the folder that this session wrote; move it away and go on")
        return block, restore_pictures(block, stimuli, display=plan.display)
    block = write_block(
        folder,
        stimuli,
        seed=present.seed,
        display=plan.display,
        repeats=present.repeats,
        interleave=plan.interleave,
        metadata=metadata,
    )
    return block, ()


def identity(session: Session, present: Present) -> dict[str, JSON]:
    """By what a block is known again: the session, and the codes behind the pictures."""
    return {"session": session.identity, "codes": present.codes}


def check_own(session: Session, block: Block) -> None:
    """That a block is this session's.

    Raises:
        StorageError: it is another one's.
    """
    if block.metadata.get("session") != session.identity:
        raise StorageError(
            f"{block.folder} is another session's block: its pictures and responses are not this one's; move it away "
            "and go on"
        )


def is_to_advance(layout: Layout, block: int, round_: int) -> bool:
    """Whether somebody put a file called ``advance`` into the folder of a block, or of its present round."""
    folders = {round_folder(layout, block, 0), round_folder(layout, block, round_)}
    return any(path.stem.lower() == ADVANCE for folder in folders if folder.is_dir() for path in folder.iterdir())


def numbered(matched: Matched, first: Mapping[str, int]) -> Iterator[Trial]:
    """A file's trials under the session's numbers, which go on from round to round.

    Args:
        matched: what the file says.
        first: the number of each stimulus' first trial in the file's round.
    """
    numbers = [trial.number for trials in matched.trials.values() for trial in trials if trial.number is not None]
    shift = 1 if 0 in numbers else 0  # rigs that count from 0
    for name, trials in matched.trials.items():
        taken = {trial.number + shift for trial in trials if trial.number is not None}
        free = (n for n in range(1, len(trials) + len(taken) + 1) if n not in taken)
        for trial in trials:
            number = next(free) if trial.number is None else trial.number + shift
            yield Trial(name, trial.values, first[name] - 1 + number)


def listed(names: tuple[str, ...]) -> str:
    """Names for a message, the first of many."""
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
