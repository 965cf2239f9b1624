"""What an objective reads: the images of a step, their views' activations, and how rows and views belong together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from phosphene.errors import ParameterError

See = Callable[[Tensor], Mapping[str, Tensor]]


def _blind(images: Tensor) -> Mapping[str, Tensor]:
    raise ParameterError("this scene shows no other images; it was made without a network")


@dataclass(frozen=True)
class Scene:
    """One look at a batch of images.

    Attributes:
        image: the untransformed images (n, c, h, w) in [0, 1].
        activations: what each layer answered to the views, (n · views, …), the views of an image one after the other.
        n_views: views of each image.
        step: number of the step within its stage, from 0; -1 where no step is taken.
        parameters: what the images are made of, one row per image; empty where no gradient is asked for.
        see: what the network answers to other images (n, c, h, w) through the very same views, without gradients.
        rows: which rows of the parameters are these images'; None where all are, in their order.
    """

    image: Float[Tensor, "n c h w"]
    activations: Mapping[str, Tensor]
    n_views: int
    step: int = -1
    parameters: tuple[Tensor, ...] = ()
    see: See = _blind
    rows: Tensor | None = None

    def select(self, rows: Tensor, views: Tensor, layers: Iterable[str]) -> Scene:
        """The same look at some of the images only, and at some of the layers.

        Args:
            rows: numbers of the images.
            views: numbers of their views.
            layers: layers that are read.
        """
        chosen = {name: self.activations[name].index_select(0, views) for name in layers}

        def see(images: Tensor) -> Mapping[str, Tensor]:
            everybody = self.image.detach().index_copy(0, rows, images)
            return {name: seen.index_select(0, views) for name, seen in self.see(everybody).items()}

        image = self.image.index_select(0, rows)
        own = rows if self.rows is None else self.rows.index_select(0, rows)
        return Scene(image, chosen, self.n_views, self.step, self.parameters, see, own)

    def by_view(self, scores: Float[Tensor, " m"]) -> Float[Tensor, "n v"]:
        """Scores of views as a table of images and views."""
        return scores.view(-1, self.n_views)
