"""What a projection is."""

from __future__ import annotations

import abc
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from phosphene._component import Component


@dataclass(frozen=True)
class Projection(Component, abc.ABC, base=True):
    """What is done to the image after a step: back into a range, to a norm, blurred.

    It needs a parameterization whose parameters can be set from an image, such as pixels or Fourier.
    """

    @abc.abstractmethod
    def project(self, image: Float[Tensor, "n c h w"], step: int) -> Float[Tensor, "n c h w"]:
        """The image to go on with, each by itself.

        Args:
            image: the images after the step.
            step: number of the step within its stage, from 0.
        """
