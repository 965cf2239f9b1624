"""Any Python function of NumPy images as a black box."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._component import check, encode
from phosphene._types import JSON
from phosphene.errors import ArgumentError
from phosphene.scorers.base import BoxComponent, Respond, as_responses, checked_images

#: What the record of a function says in place of a box's kind where nothing finds the function again.
UNFOUND = "function"


@dataclass(frozen=True)
class FunctionScorer(BoxComponent):
    """A function of images (n, h, w, c), a NumPy array of its own, float32 in [0, 1]; RGB, or grey with c = 1.

    It answers with an array, a tensor or a list of n numbers, or of (n, k) for k responses to each image; NaN says that
    a response was lost. It may follow gradients inside. Its record is its name, "module:name"; what cannot be found by
    it, such as a lambda, a ``functools.partial`` or a method of an instance, must be given again to replay a picture.

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

    def describe(self) -> dict[str, JSON]:
        """See :meth:`BlackBox.describe`; of what cannot be found by its name, that it cannot."""
        if _is_found_by_name(self.function):
            return super().describe()
        return {"kind": UNFOUND, "name": self.name, "findable": False}

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
        # Whatever goes on around it: what the function does inside, such as following a gradient, is its own business.
        with torch.inference_mode(False), torch.enable_grad():
            answer = self.function(array)
        return as_responses(answer, len(images), self.name)


def _is_found_by_name(function: Callable[..., Any]) -> bool:
    """Whether its module and its name lead to the very function; nothing is imported."""
    found: Any = sys.modules.get(getattr(function, "__module__", None) or "")
    for part in str(getattr(function, "__qualname__", "<nameless>")).split("."):
        found = getattr(found, part, None)
    # A class makes another method of itself at every look.
    return found is function or (inspect.ismethod(found) and inspect.ismethod(function) and found == function)
