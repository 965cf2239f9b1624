"""Units that reach each other by the largest weights, among those that an atlas shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from phosphene.atlas.jobs import units_of
from phosphene.models.network import Network
from phosphene.models.wiring import Wiring, wiring
from phosphene.models.wiring_maps import Map, Maps
from phosphene.store.atlas import Manifest
from phosphene.store.atlas.records import Link

#: How many units are named for each.
N_LINKED = 8
#: Weights that are compared at once; 32 MB.
_WEIGHTS = 8 * 1024 * 1024


class Links:
    """The strongest inputs and outputs of the units of an atlas; signed weights, the largest magnitude first.

    Args:
        net: the network.
        manifest: of the atlas.

    Raises:
        UnknownLayerError, NetworkError: see :func:`phosphene.models.wiring.wiring`.
    """

    def __init__(self, net: Network, manifest: Manifest) -> None:
        self._units = {layer.name: list(units_of(layer)) for layer in manifest.layers}
        self._wiring: Wiring = wiring(net, list(self._units))

    def inputs(self, layer: str, units: Sequence[int]) -> list[tuple[Link, ...]]:
        """For each of some units of a layer, units of earlier layers that reach it."""
        return self._strongest(self._wiring.inputs.get(layer, {}), units)

    def outputs(self, layer: str, units: Sequence[int]) -> list[tuple[Link, ...]]:
        """For each of some units of a layer, units of later layers that it reaches."""
        maps = self._wiring.outputs.get(layer, {})
        turned = {name: one if one.is_diagonal else Map(one.values.T, one.weighted) for name, one in maps.items()}
        return self._strongest(turned, units)

    def _strongest(self, maps: Maps, units: Sequence[int]) -> list[tuple[Link, ...]]:
        maps = {name: one for name, one in maps.items() if name in self._units}
        if not maps:
            return [() for _ in units]
        n = sum(len(self._units[name]) for name in maps)
        step = max(1, _WEIGHTS // max(n, 1))
        blocks = (units[start : start + step] for start in range(0, len(units), step))
        return [found for block in blocks for found in self._of_block(maps, block)]

    def _of_block(self, maps: Maps, units: Sequence[int]) -> Iterator[tuple[Link, ...]]:
        others = [(name, unit) for name in maps for unit in self._units[name]]
        weights = torch.cat([_between(one, units, self._units[name]) for name, one in maps.items()], 1)
        _, places = weights.abs().topk(min(N_LINKED, len(others)), 1)
        for row, best in zip(weights, places.tolist(), strict=True):
            strongest = zip((others[i] for i in best), row[best].tolist(), strict=True)
            yield tuple(Link(name, unit, weight) for (name, unit), weight in strongest if weight)


def _between(one: Map, units: Sequence[int], others: Sequence[int]) -> Tensor:
    """Weights (units, others)."""
    rows, columns = torch.tensor(units), torch.tensor(others)
    if one.is_diagonal:
        return torch.where(rows[:, None] == columns, one.values[rows][:, None], 0.0)
    return one.values[rows][:, columns]


def labels_of(manifest: Manifest) -> Mapping[str, tuple[str, ...]]:
    """Names of the classes that units stand for, by layer; of the output layer only."""
    return {layer.name: manifest.network.labels if layer.is_output else () for layer in manifest.layers}
