"""Keeping buffers is set once, undone once, and harmless elsewhere."""

from __future__ import annotations

import sys
import threading

import pytest

from phosphene.models import memory
from phosphene.models.memory import keep_buffers


class Recorder:
    """A C library that writes down what is asked of it."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, int] | str] = []

    def mallopt(self, parameter: int, value: int) -> int:
        self.calls.append((parameter, value))
        return 1

    def malloc_trim(self, pad: int) -> int:
        self.calls.append("trim")
        return 1


@pytest.fixture
def libc(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    recorder = Recorder()
    monkeypatch.setattr(memory, "_glibc", lambda: recorder)
    monkeypatch.setattr(memory, "_set", lambda library, settings: [library.mallopt(*pair) for pair in settings])
    return recorder


def test_the_outermost_block_sets_and_the_last_to_close_restores(libc: Recorder) -> None:
    with keep_buffers():
        n_set = len(libc.calls)
        assert (-4, 0) in libc.calls
        with pytest.raises(KeyboardInterrupt), keep_buffers():
            raise KeyboardInterrupt
        assert len(libc.calls) == n_set
    assert libc.calls[n_set:][0] == (-4, 65536)
    assert (-1, 64 * 2**20) in libc.calls[n_set:]
    assert (-3, 32 * 2**20) in libc.calls[n_set:]
    assert libc.calls[-1] == "trim"


def test_blocks_of_several_threads_overlap(libc: Recorder) -> None:
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with keep_buffers():
            entered.set()
            leave.wait(5)

    thread = threading.Thread(target=hold)
    with keep_buffers():
        thread.start()
        assert entered.wait(5)
    assert "trim" not in libc.calls
    leave.set()
    thread.join()
    assert libc.calls[-1] == "trim"


def test_elsewhere_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with keep_buffers():
        pass


def test_it_works_with_the_real_library() -> None:
    with keep_buffers():
        assert bytearray(2**22)[-1] == 0


@pytest.mark.parametrize("name", ["MALLOC_MMAP_MAX_", "MALLOC_ARENA_MAX", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES"])
def test_who_has_set_the_allocator_up_is_not_overruled(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    calls: list[object] = []
    monkeypatch.setattr(memory, "_set", lambda library, settings: calls.append(settings))
    monkeypatch.setenv(name, "1")
    with keep_buffers(), keep_buffers():
        pass
    assert calls == []
    assert memory._DEPTH.n_open == 0


def test_other_variables_of_the_environment_change_nothing(monkeypatch: pytest.MonkeyPatch, libc: Recorder) -> None:
    monkeypatch.setenv("MALLOCATOR", "1")
    with keep_buffers():
        assert libc.calls


def test_what_is_set_and_what_is_left_behind(libc: Recorder) -> None:
    """M_TRIM_THRESHOLD -1, M_TOP_PAD -2, M_MMAP_THRESHOLD -3, M_MMAP_MAX -4: numbers of glibc's malloc.h."""
    with keep_buffers():
        assert dict(libc.calls) == {-4: 0, -1: 2**31 - 1, -2: 64 * 2**20}
        libc.calls.clear()
    *left, trim = libc.calls
    assert dict(left) == {-4: 65536, -3: 32 * 2**20, -1: 64 * 2**20, -2: 128 * 2**10}
    assert trim == "trim"  # after the settings, by which it goes


def test_the_next_block_sets_it_again(libc: Recorder) -> None:
    for _ in range(2):
        libc.calls.clear()
        with keep_buffers():
            pass
        assert (-4, 0) in libc.calls
        assert libc.calls[-1] == "trim"
