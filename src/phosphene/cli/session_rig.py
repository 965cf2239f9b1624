"""A rig that is simulated: it watches the folder protocol's folders and writes ``responses.csv`` into each."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Generator
from pathlib import Path

from phosphene import store
from phosphene.cli.session_neuron import Answering
from phosphene.exchange import read_block, response_files
from phosphene.exchange.blocks import MANIFEST

_POLL_S = 0.05
_PATIENCE_S = 30.0  # for a block that is being answered when the session ends


class Rig:
    """A thread that shows blocks to a neuron.

    Attributes:
        problem: what ended it early; None if nothing did.
    """

    def __init__(self, blocks: Path, answer: Answering) -> None:
        self.problem: Exception | None = None
        self._blocks, self._answer = blocks, answer
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._work, name="simulated rig", daemon=True)

    @contextlib.contextmanager
    def working(self) -> Generator[Rig, None, None]:
        """While the block lasts, folders are answered.

        Raises:
            Exception: whatever kept the neuron from answering.
        """
        self._thread.start()
        try:
            yield self
        finally:
            self._end.set()
            self._thread.join(_PATIENCE_S)
        if self.problem is not None:
            raise self.problem

    def has_failed(self) -> bool:
        """Whether it can answer no more."""
        return self.problem is not None

    def _work(self) -> None:
        try:
            while not self._end.wait(_POLL_S):
                for folder in sorted(self._blocks.glob("gen_*")):
                    if (folder / MANIFEST).is_file() and not response_files(folder):
                        answer_folder(folder, self._answer)
        except Exception as error:  # whatever it is: the loop would wait for ever
            self.problem = error


def answer_folder(folder: Path, answer: Answering) -> None:
    """Show the stimuli of a folder in their order, and write the responses: a row for each presentation.

    Raises:
        StorageError: the folder cannot be read or written to.
    """
    block = read_block(folder)
    images = {entry.name: store.read_image(folder / entry.file) for entry in block.entries}
    shown = [(one.stimulus, one.trial) for one in block.presentations]
    trials = answer([images[name] for name, _ in shown], shown)
    n_channels = len(trials[0].response)
    header = ["stimulus", "trial", *(f"response_{i}" for i in range(n_channels))]
    rows = [header, *([trial.stimulus, str(trial.trial), *map(repr, trial.response)] for trial in trials)]
    store.write_text(folder / "responses.csv", "".join(f"{','.join(row)}\n" for row in rows))
