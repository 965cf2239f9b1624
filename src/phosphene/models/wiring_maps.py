"""How strongly rows of a tensor hang on the channels of layers: matrices, kept as diagonals as long as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Map:
    """Strengths from a layer's channels to rows.

    Attributes:
        values: (rows, channels); or (channels,) where row i hangs on channel i alone.
        weighted: whether weights of a convolution or linear layer lie between.
    """

    values: Tensor
    weighted: bool = False

    @property
    def is_diagonal(self) -> bool:
        """Whether row i hangs on channel i alone."""
        return self.values.ndim == 1

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.values)

    def dense(self) -> Float[Tensor, "rows channels"]:
        """The whole matrix."""
        return torch.diag(self.values) if self.is_diagonal else self.values

    def chosen(self, rows: Int[Tensor, " chosen"]) -> Map:
        """Some of the rows, by number; a row of number -1 hangs on nothing."""
        if is_counted(rows, self.n_rows):
            return self
        return replace(self, values=self.dense()[rows.clamp(min=0)] * (rows >= 0).to(self.values.dtype)[:, None])

    def scaled(self, factors: Float[Tensor, " rows"], *, weighted: bool = False) -> Map:
        """Each row times a number."""
        column = factors if self.is_diagonal else factors[:, None]
        return Map(self.values * column, self.weighted or weighted)

    def then(self, after: Map) -> Map:
        """What ``after``, whose channels are these rows, makes of them."""
        weighted = self.weighted or after.weighted
        if after.is_diagonal:
            return self.scaled(after.values, weighted=weighted)
        if self.is_diagonal:
            is_one = bool((self.values == 1).all())  # a million rows of weights need no copy
            return Map(after.values if is_one else after.values * self.values, weighted)
        return Map(after.values @ self.values, weighted)

    def plus(self, other: Map) -> Map:
        """Row by row, the sum."""
        weighted = self.weighted or other.weighted
        if self.is_diagonal and other.is_diagonal:
            return Map(self.values + other.values, weighted)
        return Map(self.dense() + other.dense(), weighted)


Maps = Mapping[str, Map]


def is_counted(rows: Tensor, n: int) -> bool:
    """Whether rows are all of ``n``, in order."""
    return len(rows) == n and bool((rows == torch.arange(n, device=rows.device)).all())


def total(maps: Sequence[Maps]) -> dict[str, Map]:
    """Layer by layer, the sum of maps to the same rows."""
    found: dict[str, Map] = {}
    for part in maps:
        for layer, one in part.items():
            found[layer] = found[layer].plus(one) if layer in found else one
    return found


def stacked(parts: Sequence[tuple[Maps, int]]) -> dict[str, Map]:
    """Rows below rows: maps and how many rows each has, which it has also where a layer has none in it."""
    n_channels = {layer: one.values.shape[-1] for maps, _ in parts for layer, one in maps.items()}
    found: dict[str, Map] = {}
    for layer, n in n_channels.items():
        example = next(maps[layer] for maps, _ in parts if layer in maps)
        blocks = [maps[layer].dense() if layer in maps else example.values.new_zeros(rows, n) for maps, rows in parts]
        weighted = any(maps[layer].weighted for maps, _ in parts if layer in maps)
        found[layer] = Map(torch.cat(blocks), weighted)
    return found
