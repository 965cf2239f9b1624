"""What an objective reads: the images of a step, their views' activations, and how rows and views belong together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Scene:
    """One look at a batch of images.

    Attributes:
        image: the untransformed images (n, c, h, w) in [0, 1].
        activations: what each layer answered to the views, (n · views, …), the views of an image one after the other.
        n_views: views of each image.
    """

    image: Float[Tensor, "n c h w"]
    activations: Mapping[str, Tensor]
    n_views: int

    def select(self, rows: Sequence[int]) -> Scene:
        """The same look at some of the images only."""
        index = torch.tensor(rows, device=self.image.device)
        views = (index[:, None] * self.n_views + torch.arange(self.n_views, device=index.device)).flatten()
        return Scene(
            self.image.index_select(0, index),
            {name: acts.index_select(0, views) for name, acts in self.activations.items()},
            self.n_views,
        )

    def by_view(self, scores: Float[Tensor, " m"]) -> Float[Tensor, "n v"]:
        """Scores of views as a table of images and views."""
        return scores.view(-1, self.n_views)
