"""How long each step of any renderer takes, without touching it: each of them steps an optimizer of `torch.optim`."""

from __future__ import annotations

import itertools
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from torch.optim.optimizer import Optimizer, register_optimizer_step_post_hook

PAGE_BYTES = resource.getpagesize()
MIB = 2**20


@dataclass
class Steps:
    """Moments at which optimizers have stepped, and the process's resident memory then."""

    times: list[float] = field(default_factory=list)
    resident_bytes: list[int] = field(default_factory=list)

    def seconds_per_step(self, n_steps: int) -> list[float]:
        """Seconds between consecutive steps; a renderer with one optimizer per image has several events in each."""
        per_step = max(1, len(self.times) // n_steps)
        ends = self.times[per_step - 1 :: per_step]
        return [after - before for before, after in itertools.pairwise(ends)]


@contextmanager
def watch_steps() -> Iterator[Steps]:
    """Record every optimizer step in the process while the block lasts."""
    steps = Steps()

    def after_step(_optimizer: Optimizer, _args: tuple, _kwargs: dict) -> None:
        steps.times.append(time.perf_counter())
        steps.resident_bytes.append(resident_bytes())

    handle = register_optimizer_step_post_hook(after_step)
    try:
        yield steps
    finally:
        handle.remove()


def resident_bytes() -> int:
    """Resident memory of this process now (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES


def reset_peak() -> None:
    """Let the peak of resident memory start again from what is resident now (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")


def peak_bytes() -> int:
    """Greatest resident memory since `reset_peak` (Linux)."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
