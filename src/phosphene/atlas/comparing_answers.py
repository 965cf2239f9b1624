"""What the units of an atlas answer to photographs, one row for each photograph, in a file that is read in pieces."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from phosphene.collection.ahead import Batch, batched
from phosphene.collection.answers import answering
from phosphene.collection.reading import Reader
from phosphene.collection.source import Source
from phosphene.models.network import Network
from phosphene.models.prepare import ForwardPass, prepare

_ROWS = 1024  # photographs whose answers are read at once


@dataclass(frozen=True)
class Answered:
    """A unit that was asked."""

    layer: str
    unit: int


@dataclass(frozen=True, eq=False)
class AnswerFile:
    """Mean answers of units to photographs.

    Attributes:
        path: float32, one row for each photograph.
        units: the columns.
        images: numbers of the photographs in their source, rising; those that could not be read are left out.
    """

    path: Path
    units: tuple[Answered, ...]
    images: npt.NDArray[np.int64]

    def blocks(self, images: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[np.float64]]:
        """The answers (m, units) to some of the photographs, piece by piece.

        Args:
            images: their numbers in the source, rising, all of them among ``images``.
        """
        shape = (len(self.images), len(self.units))
        values = np.memmap(self.path, np.float32, mode="r", shape=shape)
        rows = np.searchsorted(self.images, images)
        for start in range(0, len(rows), _ROWS):
            yield values[rows[start : start + _ROWS]].astype(np.float64)


def ask(  # noqa: PLR0913 - one call of it, by the public door
    net: Network,
    layers: Mapping[str, Sequence[int]],
    source: Source,
    path: Path,
    *,
    device: torch.device,
    batch_size: int,
    advance: Callable[[int], object],
) -> AnswerFile:
    """Show photographs to a network, and write what units answer: each channel's mean over positions.

    Args:
        net: the network.
        layers: numbers of the units of each layer, rising.
        source: the photographs.
        path: where to write.
        device: where to compute.
        batch_size: photographs at once.
        advance: is called with how many items of the source were seen since.

    Raises:
        NetworkError: an answer is not finite.
        ImageError: see :meth:`phosphene.collection.reading.Reader.read`.
    """
    answers = {
        name: answering(net.layer(name), torch.tensor(units), device, may_rank=_none) for name, units in layers.items()
    }
    numbers, end = list[int](), 0
    batches = batched(source, Reader(net), 0, size=batch_size)
    with prepare(net, list(layers), device=device) as forward, closing(batches), path.open("wb") as file:
        for batch in batches:
            if batch.images:
                file.write(_means(forward, batch, answers, device).tobytes())
            numbers += batch.indices.tolist()
            advance(batch.end - end)
            end = batch.end
    units = tuple(Answered(name, unit) for name, units in layers.items() for unit in units)
    return AnswerFile(path, units, np.asarray(numbers, np.int64))


def _means(
    forward: ForwardPass, batch: Batch, answers: Mapping[str, Callable[[Tensor], Any]], device: torch.device
) -> npt.NDArray[np.float32]:
    with torch.no_grad():
        activations = forward(batch.stacked().to(device))
    rows = [answer(activations[name]).values["mean"] for name, answer in answers.items()]
    return torch.cat(rows, 1).to(torch.float32).numpy()


def _none(largest: Tensor) -> Tensor:
    """Places of largest values are not asked for."""
    return torch.zeros(largest.shape, dtype=torch.bool)
