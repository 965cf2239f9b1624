"""Where a picture lies among those of its layer: a short vector of what the layer makes of it."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.functional.random import Streams, stream_seed
from phosphene.models.network import Network
from phosphene.objectives.layouts import channels_of
from phosphene.render.problem import Forward
from phosphene.render.recipe import Recipe
from phosphene.transforms import ToInput, ViewPipeline, ViewPlan

#: Numbers of a vector; cosines between random projections to so many are off by about 0.1.
DIMENSIONS = 64
#: Pictures of noise, such as every render starts from, by which channels are standardised.
_REFERENCES = 16
#: Share of the mean spread that is added to each channel's, so that silent channels do not drown the others.
_FLOOR = 0.1


class Embedding:
    """Clean pictures to vectors: the channels' means over positions, in units of their spread over pictures of noise,
    on a logarithmic scale (``sign · log(1 + |z|)``), through a random projection that depends on the layer's name only.

    Cosines of such vectors say how alike two pictures are to the layer.

    Args:
        net: the network.
        layer: the layer.
        forward: a pass that gives it.
        recipe: how the pictures are made; the noise is what it starts from.
        device: where the pass computes.
    """

    def __init__(self, net: Network, layer: str, forward: Forward, *, recipe: Recipe, device: torch.device) -> None:
        self._net, self._layer, self._forward, self._device = net, layer, forward, device
        self._spread = channels_of(net.layer(layer))
        # Without these the network could not see the picture: they change its number of channels.
        self._needed = tuple(t for t in recipe.transforms if any(t.channels(c) != c for c in (1, 3, 4)))
        self._projection = _projection(layer, net.layer(layer).n_channels)
        noise = Streams(tuple(f"reference {i}" for i in range(_REFERENCES)), 0, device)
        canvas = recipe.parameterization.build(_REFERENCES, noise.fork("start"), device=device, dtype=torch.float32)
        with torch.no_grad():
            found = self._means(canvas().detach().clamp(0, 1))
        self._center, spread = found.mean(0), found.std(0)
        self._scale = (spread + _FLOOR * spread.mean()).clamp(min=torch.finfo(torch.float32).tiny)

    @torch.no_grad()
    def of(self, images: Float[Tensor, "n c h w"]) -> list[tuple[float, ...]]:
        """A vector for each picture; empty where the layer's answers are no numbers."""
        far = (self._means(images.to(self._device)) - self._center) / self._scale
        found = (far.sign() * far.abs().log1p()) @ self._projection
        return [tuple(row.tolist()) if bool(row.isfinite().all()) else () for row in found]

    def _means(self, images: Tensor) -> Float[Tensor, "n c"]:
        """Each channel's mean over positions for the pictures at the network's input size."""
        plan = ViewPlan(
            canvas=(images.shape[2], images.shape[3]),
            streams=Streams(("clean",) * len(images), 0, self._device),
            n_views=1,
            input_size=self._net.input_size,
            fixed_size=not self._net.any_size,
        )
        views = ViewPipeline((*self._needed, ToInput()), plan).look(0)(images)
        return self._spread(self._forward(views)[self._layer]).mean(2).to("cpu", torch.float32)


def _projection(layer: str, n_channels: int) -> Float[Tensor, "c d"]:
    """A matrix of N(0, 1/d); with no more channels than numbers it only places them, and cosines are exact."""
    if n_channels <= DIMENSIONS:
        return torch.eye(n_channels, DIMENSIONS)
    generator = torch.Generator().manual_seed(stream_seed(0, layer, "embedding"))
    return torch.randn(n_channels, DIMENSIONS, generator=generator) / DIMENSIONS**0.5
