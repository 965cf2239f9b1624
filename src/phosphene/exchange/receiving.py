"""The whole way of a block's responses: waited for, read, sorted to the stimuli; asked for again while they are bad."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from phosphene.errors import ParameterError, StorageError
from phosphene.exchange.blocks import Block
from phosphene.exchange.formats import read_responses
from phosphene.exchange.matching import Matched, match
from phosphene.exchange.name_watch import NameWatch
from phosphene.exchange.waiting import Patience, ResponseFile, only_file, response_files, settled_files


def receive(  # noqa: PLR0913 - a public door; all but one are keywords
    block: Block,
    *,
    complain: Callable[[str], None],
    accept: Callable[[Matched], str | None] | None = None,
    strict: bool = False,
    channels: int | tuple[int, ...] | None = None,
    patience: Patience = Patience(),  # noqa: B008 - a frozen value
    elsewhere: Sequence[Path] = (),
    hurry: Callable[[], bool] | None = None,
    stop: Callable[[], bool] | None = None,
) -> Matched | None:
    """Wait for a block's responses until a file is good.

    A bad file is left where it is: ``complain`` is told once what is wrong with it, and the wait goes on until it is
    replaced, renamed or corrected. Nor does it end for a file whose name is nearly that of responses, which is named.

    Args:
        block: what was shown.
        complain: is told a sentence that names the file, and the row if there is one.
        accept: is shown what would be returned, and refuses it by a `ParameterError`, such as for another number of
            channels than before; the file then counts as a bad one. A text that it returns says what is missing from
            the file, which is then taken when it has not changed for ``patience.missing_s``.
        strict: whether names must be right to the letter, see :func:`match`.
        channels: those that must be there, see :meth:`Responses.scores`.
        patience: how the file is waited for.
        elsewhere: folders in which a file of responses may lie by mistake; it is named.
        hurry: asked at each look whether to take what is there, or nothing where no good file is.
        stop: asked at each look whether to give up.

    Returns:
        The responses, or None when ``stop`` said so, or ``hurry`` did and there are none.

    Raises:
        StorageError: the time is over, counted anew after each file, or the folder cannot be read.
        MissingExtraError: the file needs the extra ``lab``.
    """
    watch = NameWatch(block.folder, tuple(elsewhere), complain)
    reading = Reading(block, complain, accept or (lambda _: None), strict, channels)
    return _Reception(reading, watch, patience, hurry or _never, stop or _never).result()


@dataclass
class Reading:
    """How a block's files are read.

    Attributes:
        block: what was shown.
        complain: is told once what is wrong with a file.
        accept: see :func:`receive`.
        strict: see :func:`receive`.
        channels: see :func:`receive`.
        refused: the files that were no good.
        lacks: what is missing from the file that was read last; empty for nothing.
    """

    block: Block
    complain: Callable[[str], None]
    accept: Callable[[Matched], str | None]
    strict: bool = False
    channels: int | tuple[int, ...] | None = None
    refused: tuple[ResponseFile, ...] = ()
    lacks: str = ""

    def read(self, files: tuple[ResponseFile, ...]) -> Matched | None:
        """What the one file of ``files`` says; None if it is bad, or somebody wrote while it was read."""
        try:
            only_file(files)
            responses = read_responses(files[0].path)
            responses.scores(self.channels)
            matched = match(responses, self.block, strict=self.strict)
            self.lacks = self.accept(matched) or ""
            return matched if response_files(self.block.folder) == files else None
        except (ParameterError, StorageError) as error:
            self.complain(str(error))
            self.refused = files
        return None


@dataclass
class _Reception:
    reading: Reading
    watch: NameWatch
    patience: Patience
    hurry: Callable[[], bool]
    stop: Callable[[], bool]
    has_told: bool = False

    def result(self) -> Matched | None:
        while files := self._settled():
            matched = self.reading.read(files)
            if matched is not None and (not self.reading.lacks or self._rested(files)):
                return matched
        return None

    def _settled(self) -> tuple[ResponseFile, ...]:
        return settled_files(
            self.reading.block.folder, patience=self.patience, other_than=self.reading.refused, stop=self._ends
        )

    def _ends(self) -> bool:
        """Whether to give up: told so, or in a hurry with nothing that is worth a look."""
        self.watch.look()
        if self.stop():
            return True
        return self.hurry() and response_files(self.reading.block.folder) in ((), self.reading.refused)

    def _rested(self, files: tuple[ResponseFile, ...]) -> bool:
        """Whether files in which something is missing stay as they are for so long that nothing more will come."""
        if self.patience.missing_s and not self.hurry() and not self.has_told:
            self.has_told = True  # once, as a rig may write row by row
            self.reading.complain(self.reading.lacks)
        since = time.monotonic()
        while time.monotonic() - since < self.patience.missing_s and not self.hurry():
            time.sleep(self.patience.poll_s)
            self.watch.look()
            if self.stop() or response_files(self.reading.block.folder) != files:
                return False
        return True


def _never() -> bool:
    return False
