"""Any Python function of NumPy images as a black box."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._component import check, encode
from phosphene.errors import ArgumentError
from phosphene.scorers.base import BoxComponent, Respond, as_responses, checked_images


@dataclass(frozen=True)
class FunctionScorer(BoxComponent):
    """A function of images (n, h, w, c), a NumPy array of its own, float32 in [0, 1]; RGB, or grey with c = 1.

    It answers with an array, a tensor or a list of n numbers, or of (n, k) for k responses to each image; NaN says that
    a response was lost. Its record is its name, "module:name".

    Attributes:
        function: what answers.
        batch_size: images at a time, at most; None hands it all at once.
    """

    function: Callable[..., Any]
    batch_size: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.function, type) or not callable(self.function):
            raise ArgumentError(f"function is {self.function!r}; expected a function of images (n, h, w, c)")
        check(self.batch_size is None or self.batch_size > 0, "batch_size", self.batch_size, "a number from 1, or None")

    @property
    def name(self) -> str:
        return str(encode(self.function))

    @contextmanager
    def open(self, device: torch.device) -> Generator[Respond, None, None]:
        """See :meth:`BlackBox.open`.

        The answering function raises ``ArgumentError`` and ``ParameterError`` for answers that are no responses;
        what the caller's function raises goes through.
        """
        yield self._respond

    def _respond(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k"]:
        seen = checked_images(images)
        if not len(seen):
            return torch.empty(0, 1, dtype=torch.float64)
        return torch.cat([self._answered(some) for some in seen.split(self.batch_size or len(seen))])

    def _answered(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k"]:
        # A copy, so that whatever the function does to it stays its own.
        array = images.permute(0, 2, 3, 1).to("cpu", copy=True, memory_format=torch.contiguous_format).numpy()
        return as_responses(self.function(array), len(images), self.name)
