"""Activations that photographs excite at single positions of a layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float, Int
from torch import Tensor

from phosphene.atlas.activations.drawing import Draw
from phosphene.blocks.places import Places, places_of
from phosphene.collection.ahead import Batch, batched
from phosphene.collection.reading import Reader
from phosphene.collection.source import Source
from phosphene.errors import ImageError, NetworkError
from phosphene.models.network import Network
from phosphene.models.prepare import ForwardPass, prepare

Floats = npt.NDArray[np.float32]
Whole = npt.NDArray[np.int64]

_BATCH = 16


@dataclass(frozen=True, eq=False)
class Samples:
    """Activations of a layer at single positions.

    Attributes:
        vectors: one row for each (n, channels).
        images: the number of each one's photograph (n,), ascending.
        points: its number among those of its photograph (n,).
        keys: what identifies each photograph, by its number.
        n_skipped: photographs that could not be read.
    """

    vectors: Floats
    images: Whole
    points: Whole
    keys: Mapping[int, str]
    n_skipped: int

    def __len__(self) -> int:
        return len(self.vectors)

    def rows(self, chosen: Whole) -> Samples:
        """Some of them, by row number."""
        images = self.images[chosen]
        keys = {int(image): self.keys[int(image)] for image in np.unique(images)}
        return replace(self, vectors=self.vectors[chosen], images=images, points=self.points[chosen], keys=keys)


def sampled(
    net: Network, layer: str, source: Source, *, draw: Draw, most: int, advance: Callable[[int], object] = int
) -> Samples:
    """What a layer puts out at the points that are drawn, of photographs until there are ``most``.

    Args:
        net: the network; it computes where its weights are.
        layer: the layer.
        source: the photographs.
        draw: the points.
        most: photographs are shown until there are so many activations; the last batch may bring some more.
        advance: is called with how many photographs were shown since.

    Raises:
        UnknownLayerError, LayoutError: there is no such layer, or it has no channels that are known.
        ImageError: no photograph can be read.
        NetworkError: an activation is not finite.
    """
    places = places_of(net.layer(layer), net.input_size)
    device = net.device
    parts: list[_Part] = []
    n = n_skipped = 0
    with (
        torch.inference_mode(False),
        prepare(net, [layer], device=device) as forward,
        closing(batched(source, Reader(net), 0, size=_BATCH)) as batches,
    ):
        for batch in batches:
            n_skipped += len(batch.skipped)
            if batch.images:
                parts.append(_part(_Look(forward, layer, places, device), batch, draw))
                n += len(parts[-1].vectors)
            advance(len(batch.images) + len(batch.skipped))
            if n >= most:
                break
    if not parts:
        raise ImageError(f"no photograph could be read from {source.name}; check that it holds pictures")
    return _joined(parts, source, layer, n_skipped=n_skipped)


@dataclass(frozen=True, eq=False)
class _Look:
    """A layer of a prepared network."""

    forward: ForwardPass
    layer: str
    places: Places
    device: torch.device

    @torch.no_grad()
    def at(self, images: Float[Tensor, "n c h w"], points: Float[Tensor, "n k 2"]) -> Float[Tensor, "n k channels"]:
        """The activations at points, which are shares of the height and width."""
        size = torch.tensor([self.places.rows, self.places.columns])
        where = (points * size).long().minimum(size - 1)
        flat = (where[..., 0] * self.places.columns + where[..., 1]).to(self.device)
        grid = self.places.grid(self.forward(images.to(self.device))[self.layer]).flatten(2)
        return grid.gather(2, flat[:, None].expand(-1, grid.shape[1], -1)).transpose(1, 2).float().cpu()


@dataclass(frozen=True, eq=False)
class _Part:
    """What one batch gave."""

    vectors: Float[Tensor, "n c"]
    images: Int[Tensor, " n"]
    points: Int[Tensor, " n"]


def _part(look: _Look, batch: Batch, draw: Draw) -> _Part:
    points = torch.stack([draw.points(int(index)) for index in batch.indices])
    n, k = points.shape[:2]
    vectors = look.at(batch.stacked(), points).flatten(0, 1)
    return _Part(vectors, batch.indices.repeat_interleave(k), torch.arange(k).repeat(n))


def _joined(parts: list[_Part], source: Source, layer: str, *, n_skipped: int) -> Samples:
    vectors = torch.cat([part.vectors for part in parts]).numpy()
    if not np.isfinite(vectors).all():
        raise NetworkError(
            f"layer {layer!r} answered with values that are not finite; check the network's weights, or choose another"
        )
    images = torch.cat([part.images for part in parts]).numpy()
    points = torch.cat([part.points for part in parts]).numpy()
    return Samples(vectors, images, points, {int(i): source.key(int(i)) for i in np.unique(images)}, n_skipped)
