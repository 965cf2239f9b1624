"""What the rows of the gallery share: the network, photographs, and how much is spent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

import phosphene as ph
from phosphene.recipes.photograph import fitted_to


@dataclass(frozen=True)
class Studio:
    """A network, photographs, and limits.

    Attributes:
        net: the network; its layers are named as those of EfficientNet-Lite0.
        most_steps: no render takes more steps, nor stages more each; for tests.
        most_pixels: no picture begins wider or higher, in pixels; for tests.
        most_views: no step looks through more views; for tests.
    """

    net: ph.Network
    most_steps: int = 10**6
    most_pixels: int = 10**6
    most_views: int = 10**6

    @cached_property
    def cat(self) -> Tensor:
        """The photograph (3, h, w) in [0, 1]: "Chelsea", CC0, by Stéfan van der Walt; 300 × 451."""
        return self.photograph("chelsea", 451)

    @cached_property
    def coffee(self) -> Tensor:
        """A second photograph (3, h, w): "Espresso", CC0, by Pikolo; 300 × 450."""
        return self.photograph("coffee", 450)

    def photograph(self, name: str, longest: int) -> Tensor:
        """One of scikit-image's photographs, (3, h, w) in [0, 1]; its longer side has ``longest`` pixels."""
        from skimage import data

        pixels = np.array(getattr(data, name)())
        return fitted_to(torch.from_numpy(pixels).permute(2, 0, 1) / 255, self.pixels(longest))

    def steps(self, wanted: int) -> int:
        """A number of steps."""
        return min(wanted, self.most_steps)

    def pixels(self, wanted: int) -> int:
        """A height or width."""
        return min(wanted, self.most_pixels)

    def cut(self, recipe: ph.Recipe, steps: int | None = None) -> ph.Recipe:
        """The recipe, with other steps if wanted, within the limits."""
        wanted = recipe.steps if steps is None else steps
        return replace(recipe, steps=self.steps(wanted), views=min(recipe.views, self.most_views))

    def render(
        self, units: ph.objectives.Objective | Iterable[ph.objectives.Objective], recipe: ph.Recipe
    ) -> ph.Result:
        """A render of the network, within the limits, without a progress bar."""
        return ph.render(self.net, units, recipe=self.cut(recipe), progress=False)
