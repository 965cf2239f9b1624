"""How far a render is: a bar, a caller's own function, or nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tqdm.auto import tqdm

Progress = bool | Callable[[int], None]


class Meter:
    """While the block lasts, counts image-steps, or what ``unit`` says, on a bar, or tells a caller's own function."""

    def __init__(self, progress: Progress, total: int, unit: str = "step") -> None:
        own = callable(progress)
        self.bar = None if own else tqdm(total=total, unit=unit, disable=not progress, leave=False)
        self.advance: Callable[[int], Any] = progress if callable(progress) else self.bar.update if self.bar else int

    def __enter__(self) -> Callable[[int], Any]:
        return self.advance

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.close()
