"""A rig behind a folder as a black box: every call writes a block of pictures and waits for the file of responses."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._component import check
from phosphene.errors import StorageError
from phosphene.exchange import Block, Display, Matched, Patience, Stimulus, block_folder, receive, write_block
from phosphene.scorers.base import MAX_REPEATS, BoxComponent, Respond, check_count, checked_images

_AS_IT_IS: Final = Display()
#: Blocks of a folder; their names have four digits.
_MAX_BLOCKS = 10_000


@dataclass(frozen=True)
class FolderScorer(BoxComponent):
    """Whoever answers by the folder protocol (:mod:`phosphene.exchange`): each call writes the next free block,
    ``gen_0000``, ``gen_0001``, …, and waits for its ``responses.csv``, ``.npz``, ``.h5`` or ``.mat``.

    The responses to an image are the means of its trials; an image without any is lost. A file that cannot be used is
    waited over until it is replaced. For experiments that must survive a crash there are sessions.

    Attributes:
        folder: holds the blocks; no other process may write there meanwhile.
        display: how each image stands on the screen.
        repeats: how often each image is shown.
        seed: of the presentation order.
        timeout_s: seconds to wait for a block's responses; None waits for ever.
        poll_s: seconds from one look to the next.
        settle_s: seconds for which the file must have stayed as it is.
    """

    folder: str
    display: Display = _AS_IT_IS
    repeats: int = 1
    seed: int = 0
    timeout_s: float | None = None
    poll_s: float = 0.1
    settle_s: float = 0.5

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", str(self.folder))
        super().__post_init__()
        check_count("repeats", self.repeats, MAX_REPEATS)
        check(0 <= self.seed < 2**62, "seed", self.seed, "a whole number from 0")
        self._patience()

    @property
    def name(self) -> str:
        return self.folder

    @property
    def risk(self) -> str:
        return f"write images to the folder {self.folder}, and read responses there"

    @contextmanager
    def open(self, device: torch.device) -> Generator[Respond, None, None]:
        """See :meth:`BlackBox.open`.

        The answering function raises ``StorageError`` where no usable responses come in time.
        """
        yield self._respond

    def _respond(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k"]:
        seen = checked_images(images).cpu()
        if not len(seen):
            return torch.empty(0, 1, dtype=torch.float64)
        stimuli = [Stimulus(f"image_{i:04d}", image) for i, image in enumerate(seen)]
        number, folder = self._next_block()
        block = write_block(folder, stimuli, seed=self.seed + number, display=self.display, repeats=self.repeats)
        return _means(self._received(block), block)

    def _next_block(self) -> tuple[int, Path]:
        for number in range(_MAX_BLOCKS):
            if not block_folder(self.folder, number).exists():
                return number, block_folder(self.folder, number)
        raise StorageError(f"{self.folder} is full: it holds {_MAX_BLOCKS} blocks; take another folder")

    def _received(self, block: Block) -> Matched:
        complaints = ["no responses came"]
        try:
            found = receive(block, complain=complaints.append, patience=self._patience())
        except StorageError as error:
            raise StorageError(f"{error}; before that: {complaints[-1]}") from None
        # Only a wait that somebody may stop ends without responses.
        return found or Matched({}, block.names, (), 0, "")

    def _patience(self) -> Patience:
        return Patience(self.poll_s, self.settle_s, self.timeout_s)


def _means(matched: Matched, block: Block) -> Float[Tensor, "n k"]:
    """The mean response of each image over its trials; what is lost in one trial is averaged over the others."""
    values = [[trial.values for trial in matched.trials.get(name, ())] for name in block.names]
    n_channels = max((len(trial) for trials in values for trial in trials), default=1)
    lost = [[float("nan")] * n_channels]
    rows = [torch.tensor(trials or lost, dtype=torch.float64).nanmean(0) for trials in values]
    return torch.stack(rows)
