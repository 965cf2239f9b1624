"""The whole way of a block's responses: waited for, read, sorted to the stimuli; asked for again while they are bad."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from phosphene.errors import ParameterError, StorageError
from phosphene.exchange.blocks import Block
from phosphene.exchange.formats import read_responses
from phosphene.exchange.matching import Matched, match
from phosphene.exchange.waiting import (
    RIGHT_NAMES,
    Patience,
    ResponseFile,
    misnamed_responses,
    only_file,
    response_files,
    settled_files,
)

#: Seconds after which a wrong name is spoken of; a rig may write under another name and then rename.
MISNAMED_S = 2.0


def receive(  # noqa: PLR0913 - a public door; all but one are keywords
    block: Block,
    *,
    complain: Callable[[str], None],
    accept: Callable[[Matched], None] | None = None,
    strict: bool = False,
    channels: int | tuple[int, ...] | None = None,
    patience: Patience = Patience(),  # noqa: B008 - a frozen value
    stop: Callable[[], bool] | None = None,
) -> Matched | None:
    """Wait for a block's responses until a file is good.

    A bad file is left where it is: ``complain`` is told once what is wrong with it, and the wait goes on until it is
    replaced, renamed or corrected. Nor does it end for a file whose name is nearly that of responses, which is named.

    Args:
        block: what was shown.
        complain: is told a sentence that names the file, and the row if there is one.
        accept: is shown what would be returned, and refuses it by a `ParameterError`, such as for another number of
            channels than before; the file then counts as a bad one.
        strict: whether names must be right to the letter, see :func:`match`.
        channels: those that must be there, see :meth:`Responses.scores`.
        patience: how the file is waited for.
        stop: asked at each look whether to give up.

    Returns:
        The responses, or None when ``stop`` said so.

    Raises:
        StorageError: the time is over, counted anew after each file, or the folder cannot be read.
        MissingExtraError: the file needs the extra ``lab``.
    """
    refused: tuple[ResponseFile, ...] = ()
    watch = _NameWatch(block.folder, complain, stop)
    while files := settled_files(block.folder, patience=patience, other_than=refused, stop=watch):
        try:
            only_file(files)
            responses = read_responses(files[0].path)
            responses.scores(channels)
            matched = match(responses, block, strict=strict)
            if accept is not None:
                accept(matched)
            if response_files(block.folder) == files:  # otherwise somebody wrote while it was read
                return matched
        except (ParameterError, StorageError) as error:
            complain(str(error))
            refused = files
    return None


class _NameWatch:
    """Asked at each look whether to stop; complains once of each wrong name that has been there for some time."""

    def __init__(self, folder: Path, complain: Callable[[str], None], stop: Callable[[], bool] | None) -> None:
        self.folder, self.complain, self.stop = folder, complain, stop
        self.since: dict[str, float] = {}
        self.told: set[str] = set()

    def __call__(self) -> bool:
        now = time.monotonic()
        self.since = {name: self.since.get(name, now) for name in misnamed_responses(self.folder)}
        for name, since in self.since.items():
            if now - since >= MISNAMED_S and name not in self.told:
                self.told.add(name)
                self.complain(
                    f"{self.folder / name} is not looked at; if it holds the responses, call it {RIGHT_NAMES}"
                )
        return self.stop is not None and self.stop()
