"""What runs in the process of an actor."""

from __future__ import annotations

import sys

from phosphene._version import __version__
from phosphene.atlas.backends.backend import Done, Work, Worker
from phosphene.atlas.jobs import Job


class Hand:
    """A worker, opened once."""

    def open(self, work: Work, n_threads: int) -> str:
        """Returns the version of phosphene that is installed where it runs."""
        self._worker: Worker = work.open()
        if (torch := sys.modules.get("torch")) is not None:  # work that has no use for it need not load it
            torch.set_num_threads(n_threads)
        return __version__

    def do(self, job: Job) -> Done:
        return self._worker.do(job)
