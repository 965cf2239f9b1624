"""What an objective reads: the images of a step, their views' activations, and how rows and views belong together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

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

    def select(self, rows: Tensor, views: Tensor, layers: Iterable[str]) -> Scene:
        """The same look at some of the images only, and at some of the layers.

        Args:
            rows: numbers of the images.
            views: numbers of their views.
            layers: layers that are read.
        """
        chosen = {name: self.activations[name].index_select(0, views) for name in layers}
        return Scene(self.image.index_select(0, rows), chosen, self.n_views)

    def by_view(self, scores: Float[Tensor, " m"]) -> Float[Tensor, "n v"]:
        """Scores of views as a table of images and views."""
        return scores.view(-1, self.n_views)
