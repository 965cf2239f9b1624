"""Keep glibc from giving large buffers back to the kernel at every step.

glibc maps each large buffer anew and unmaps it when it is freed, so that every step of a render pays for page faults on
memory that it had a moment ago: up to 1.7 times the time of a pass. While buffers are kept, they come from the heap,
and the heap is not shrunk.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager

# Parameters of mallopt(3) and, in brackets, glibc's defaults.
_M_TRIM_THRESHOLD = -1
_M_TOP_PAD = -2
_M_MMAP_THRESHOLD = -3
_M_MMAP_MAX = -4
_KEEP = ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, 2**31 - 1), (_M_TOP_PAD, 64 * 2**20))
# Where glibc's own adaptation ends up in a program with large buffers; once mallopt was called it does not adapt any
# more.
_AFTERWARDS = (
    (_M_MMAP_MAX, 65536),
    (_M_MMAP_THRESHOLD, 32 * 2**20),
    (_M_TRIM_THRESHOLD, 64 * 2**20),
    (_M_TOP_PAD, 128 * 1024),
)


class _Depth:
    """How many blocks, in all threads, are open: mallopt sets the whole process."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.n_open = 0


_DEPTH = _Depth()


@contextmanager
def keep_buffers() -> Generator[None, None, None]:
    """While any such block is open, freed buffers stay with the process (Linux with glibc; elsewhere nothing happens).

    Blocks may nest and overlap between threads. When the last one closes, free memory goes back to the kernel, and
    glibc is left as it would have adapted itself to large buffers (it can not be told to go on adapting). Someone who
    has set ``MALLOC_…`` or ``GLIBC_TUNABLES`` in the environment is not overruled.
    """
    libc = _glibc()
    if libc is None:
        yield
        return
    with _DEPTH.lock:
        _DEPTH.n_open += 1
        if _DEPTH.n_open == 1:
            _set(libc, _KEEP)
    try:
        yield
    finally:
        with _DEPTH.lock:
            _DEPTH.n_open -= 1
            if _DEPTH.n_open == 0:
                _set(libc, _AFTERWARDS)
                libc.malloc_trim(0)


def _set(libc: ctypes.CDLL, settings: tuple[tuple[int, int], ...]) -> None:
    for parameter, value in settings:
        libc.mallopt(parameter, value)


def _glibc() -> ctypes.CDLL | None:
    """The process's C library if it is glibc."""
    if not sys.platform.startswith("linux") or any(n.startswith(("MALLOC_", "GLIBC_TUNABLES")) for n in os.environ):
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "gnu_get_libc_version") and hasattr(library, "mallopt") else None
