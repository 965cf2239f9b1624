"""Which units an image drives more than photographs do: a search for units by an example."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._component import check
from phosphene.collection.reading import Reader, as_floats
from phosphene.errors import ArgumentError, ImageError
from phosphene.models.network import Network
from phosphene.models.prepare import prepare
from phosphene.objectives.layouts import channels_of
from phosphene.render.run import usable_device
from phosphene.store.atlas.records import Answers, UnitFacts

_Array = npt.NDArray[Any]


@dataclass(frozen=True)
class DrivenUnit:
    """A unit, and how an image drives it.

    Attributes:
        layer, unit: which.
        value: its answer, the channel's mean over positions.
        percentile: how many of 100 photographs drive it less, 0 to 100.
        spread: by how many standard deviations its answer lies above the mean over photographs.
    """

    layer: str
    unit: int
    value: float
    percentile: float
    spread: float


@dataclass(frozen=True, eq=False)
class AnswerTable:
    """How many units answer photographs, in little memory: some 200 bytes a unit.

    Attributes:
        units: by layer, the numbers of the units that have answers (n,), int64.
        points: by layer (n, points), float64: smallest answer, quantiles, largest; rising.
        shares: by layer (n, points), float64: the share of the photographs below each.
        moments: by layer (n, 2), float64: mean and standard deviation.
    """

    units: Mapping[str, _Array]
    points: Mapping[str, _Array]
    shares: Mapping[str, _Array]
    moments: Mapping[str, _Array]

    @classmethod
    def of(cls, facts: Iterable[UnitFacts]) -> AnswerTable:
        """The table of the units that have answers; those of a layer have as many quantiles each.

        Raises:
            ArgumentError: units of one layer have different numbers of quantiles.
        """
        rows: dict[str, list[_Row]] = {}
        for one in facts:
            if one.answers is not None:
                rows.setdefault(one.layer, []).append(_Row.of(one.unit, one.answers))
        columns = {layer: _columns(layer, found) for layer, found in rows.items()}
        return cls(*({layer: found[i] for layer, found in columns.items()} for i in range(4)))

    def percentiles(self, layer: str, values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """As :meth:`phosphene.store.atlas.records.Answers.percentile`, for each unit of a layer."""
        points, shares = self.points[layer], self.shares[layer]
        # The interval that holds the value: below < value <= above. Equal points are one step.
        above = np.clip((points < values[:, None]).sum(1), 1, points.shape[1] - 1)[:, None]
        low, high = (np.take_along_axis(points, above - i, 1)[:, 0] for i in (1, 0))
        least, most = (np.take_along_axis(shares, above - i, 1)[:, 0] for i in (1, 0))
        width = np.where(high > low, high - low, 1.0)
        inside = 100 * (least + (most - least) * (values - low) / width)
        return np.where(values > points[:, -1], 100.0, np.where(values <= points[:, 0], 0.0, inside))


@dataclass(frozen=True, eq=False)
class _Row:
    unit: int
    points: _Array
    shares: _Array
    moments: _Array

    @classmethod
    def of(cls, unit: int, answers: Answers) -> _Row:
        points, shares = (answers.min, *answers.quantiles, answers.max), (0.0, *answers.fractions, 1.0)
        return cls(unit, *(np.asarray(values, np.float64) for values in (points, shares, (answers.mean, answers.std))))


def _columns(layer: str, rows: Sequence[_Row]) -> tuple[_Array, _Array, _Array, _Array]:
    if len({row.points.shape for row in rows}) > 1:
        raise ArgumentError(f"units of layer {layer!r} have different numbers of quantiles; join them again")
    points, shares, moments = (
        np.stack([getattr(row, name) for row in rows]) for name in ("points", "shares", "moments")
    )
    return np.asarray([row.unit for row in rows], np.int64), points, shares, moments


def channel_means(
    net: Network, layers: Sequence[str], image: object, *, device: torch.device | str | None = None
) -> dict[str, Float[Tensor, " channels"]]:
    """What each channel of some layers answers to an image: its mean over positions; on the CPU.

    Args:
        net: the network.
        layers: names of layers.
        image: a path, the bytes of a file, a Pillow image, or an array or tensor (c, h, w) in [0, 1] or of 8 bits. It
            is cut to the network's side ratio and resized as photographs of a collection are.
        device: where to compute; by default where the network is.

    Raises:
        UnknownLayerError, LayoutError: a layer does not exist, or has no channels that are known.
        ImageError: it is no image, or damaged.
    """
    spread = {layer: channels_of(net.layer(layer)) for layer in layers}
    own = net.device
    where = own if device is None else usable_device(device)
    read = Reader(net).read(image)
    if isinstance(read, str):
        raise ImageError(f"the image cannot be read: {read}")
    with prepare(net, list(layers), device=where) as forward, torch.no_grad():
        activations = forward(as_floats(read)[None].to(where))
        return {layer: to_channels(activations[layer])[0].mean(1).cpu() for layer, to_channels in spread.items()}


def units_driven_by(
    net: Network, image: object, answers: AnswerTable, *, n: int = 60, device: torch.device | str | None = None
) -> tuple[DrivenUnit, ...]:
    """The units that an image drives most for what photographs do to them: by percentile, of equal ones by the distance
    from the mean in standard deviations. Units that never change, or answer with no number, are left out.

    Args:
        net: the network.
        image: see :func:`channel_means`.
        answers: how units answer photographs.
        n: how many units at most, from 1.
        device: where to compute; by default where the network is.

    Raises:
        ParameterError: ``n`` is below 1.
        UnknownLayerError: a layer of ``answers`` is not in the network.
        ImageError: it is no image, or damaged.
    """
    check(n >= 1, "n", n, "a whole number from 1")
    means = channel_means(net, list(answers.units), image, device=device)
    found: list[DrivenUnit] = []
    for layer, units in answers.units.items():
        values = means[layer].double().numpy()[units]
        percentiles, (mean, std) = answers.percentiles(layer, values), answers.moments[layer].T
        spread = (values - mean) / np.where(std > 0, std, np.nan)
        best = np.lexsort((-spread, -percentiles))
        best = best[np.isfinite(spread[best])][:n]
        columns = (units[best], values[best], percentiles[best], spread[best])
        found += [DrivenUnit(layer, *row) for row in zip(*(column.tolist() for column in columns), strict=True)]
    return tuple(sorted(found, key=lambda one: (-one.percentile, -one.spread))[:n])
