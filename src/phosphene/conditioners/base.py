"""What a gradient conditioner is."""

from __future__ import annotations

import abc
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from phosphene._component import Component


@dataclass(frozen=True)
class Conditioner(Component, abc.ABC, base=True):
    """What happens to the gradient of the score in the image, between the backward pass and the optimizer's step.

    The conditioned gradient is pulled back to the parameters as if it had been the image's own.
    """

    @abc.abstractmethod
    def condition(self, gradient: Float[Tensor, "n c h w"], step: int) -> Float[Tensor, "n c h w"]:
        """The gradient to climb instead, each image's by itself; may work in place.

        Args:
            gradient: of the scores in the images (score per unit of [0, 1]).
            step: number of the step within its stage, from 0.
        """
