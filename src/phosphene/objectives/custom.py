"""Any function of activations as an objective."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from phosphene._algebra import Objective


@dataclass(frozen=True)
class Custom(Objective):
    """A caller's own objective.

    Attributes:
        function: called with the activations of ``layers`` in that order, each (m, …) for m views; returns scores (m,),
            differentiable. It must score each view on its own. A function defined at a module's top level can be
            replayed from its name.
        layers: names of the layers to read.
    """

    function: Callable[..., Tensor]
    layers: tuple[str, ...]

    def __str__(self) -> str:
        return f"{getattr(self.function, '__name__', 'function')}({', '.join(self.layers)})"
