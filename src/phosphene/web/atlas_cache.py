"""What was read or made last, up to a number of bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class SizedCache(Generic[T]):
    """Values by keys, those asked for longest ago forgotten first. Safe to use from several threads, two of which may
    make the same value.

    Args:
        limit: bytes of all values together; a single one may be larger.
        size: bytes of a value.
    """

    def __init__(self, limit: int, size: Callable[[T], int]) -> None:
        self._limit, self._size = limit, size
        self._values: OrderedDict[Hashable, T] = OrderedDict()
        self._total, self._round = 0, 0
        self._lock = Lock()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value of ``key``, made if it is not there."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
            began = self._round
        value = make()
        with self._lock:
            if began == self._round:  # else it was made of what has changed since
                self._keep(key, value)
        return value

    def clear(self) -> None:
        """Forget everything, what is being made included."""
        with self._lock:
            self._values.clear()
            self._total, self._round = 0, self._round + 1

    def _keep(self, key: Hashable, value: T) -> None:
        if key not in self._values:
            self._values[key] = value
            self._total += self._size(value)
        while self._total > self._limit and len(self._values) > 1:
            self._total -= self._size(self._values.popitem(last=False)[1])
