"""Which photographs are looked at, and where in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.collection.source import Source
from phosphene.functional.random import stream_seed


@dataclass(frozen=True)
class Draw:
    """Points of photographs, drawn at random; those of a photograph depend on its number and the seed only.

    A photograph's points lie in different squares of a grid, so that as many positions of a layer of that size are
    different ones; within its square each point lies anywhere.

    Attributes:
        rows: of the grid.
        columns: of the grid.
        n_points: of each photograph, at most ``rows × columns``.
        seed: seed of the draws.
    """

    rows: int
    columns: int
    n_points: int
    seed: int

    def points(self, image: int) -> Float[Tensor, "points 2"]:
        """A photograph's points: shares of its height and width, in [0, 1).

        Args:
            image: the photograph's number.
        """
        generator = torch.Generator().manual_seed(stream_seed(self.seed, "activation atlas", str(image)))
        squares = torch.randperm(self.rows * self.columns, generator=generator)[: self.n_points]
        within = torch.rand(self.n_points, 2, generator=generator, dtype=torch.float64)
        corners = torch.stack([squares // self.columns, squares % self.columns], 1)
        return (corners + within) / torch.tensor([self.rows, self.columns])


def planned(source: Source, n_activations: int, grid: tuple[int, int], *, seed: int) -> tuple[Source, Draw]:
    """Photographs and points for about so many activations, at least as many where the photographs have them.

    Of more photographs than activations, as many are chosen at random, where they can be asked for by number. Of fewer,
    each gives the same number of points. Those of a stream, whose number is not known, give one point each.

    Args:
        source: the photographs.
        n_activations: how many activations are wanted.
        grid: rows and columns of the layer.
        seed: seed of the draws.
    """
    rows, columns = grid
    known = source.n or n_activations
    n_points = min(rows * columns, -(-n_activations // known))
    return _some(source, n_activations, seed), Draw(rows, columns, n_points, seed)


def _some(source: Source, most: int, seed: int) -> Source:
    """At most so many photographs of a source, in its order."""
    again = source.again
    if source.n is None or again is None or source.n <= most:
        return source
    generator = torch.Generator().manual_seed(stream_seed(seed, "activation atlas", "photographs"))
    chosen = torch.randperm(source.n, generator=generator)[:most].sort().values.tolist()
    item: Callable[[int], object] = lambda i: again(chosen[i])  # noqa: E731 - the two uses are one function
    return replace(
        source,
        name=f"{most} of {source.name}",
        n=most,
        key=lambda i: source.key(chosen[i]),
        opened=lambda _: item,
        again=item,
    )
