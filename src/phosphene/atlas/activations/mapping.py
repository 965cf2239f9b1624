"""One layer's map: its activations on the plane, cut into cells, with pictures, classes and photographs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from phosphene.atlas.activations.bins import Bin, bins, means, whitening
from phosphene.atlas.activations.classes import class_attributions
from phosphene.atlas.activations.icons import Icon, Icons, made
from phosphene.atlas.activations.layout import Points
from phosphene.atlas.activations.sampling import Floats, Samples
from phosphene.blocks.pictures import Pictures
from phosphene.models.network import Network
from phosphene.render.progress import Progress
from phosphene.store.atlas.activation_map import ActivationCell, ActivationGrid, ActivationMap

#: Classes and photographs that are named for each cell, and points that are kept, with so many decimals.
_N_CLASSES, _N_EXAMPLES, _N_POINTS, _DECIMALS = 10, 4, 10_000, 4


@dataclass(frozen=True)
class Mapper:
    """How maps are made, but for what they are of.

    Attributes:
        grids: squares along each side, of each grid.
        icons: how cells' pictures are made.
        pictures: where these are kept; None: nowhere.
        seed: seed of the pictures' random streams.
        progress: whether bars are shown.
        settings: what else is to be said of how the maps were made.
    """

    grids: Sequence[int]
    icons: Icons
    pictures: Pictures | None
    seed: int
    progress: Progress
    settings: tuple[tuple[str, str], ...]

    def map(self, net: Network, layer: str, samples: Samples, *, points: Points) -> ActivationMap:
        """The map of a layer.

        Args:
            net: the network.
            layer: the layer.
            samples: its activations.
            points: the place (x, y) of each in [0, 1].
        """
        found = [bins(points, size, least=self.icons.least) for size in self.grids]
        cells = self._cells(net, layer, samples, found=tuple(chain(*found)))
        ends = np.cumsum([len(each) for each in found])
        return ActivationMap(
            network=net.name,
            network_digest=net.digest,
            layer=layer,
            n_activations=len(samples),
            n_images=len(samples.keys),
            labels=tuple(net.labels),
            grids=tuple(
                ActivationGrid(size, cells[end - len(each) : end])
                for size, each, end in zip(self.grids, found, ends.tolist(), strict=True)
            ),
            points=_kept(points),
            settings=(
                ("photographs", f"{len(samples.keys)}, beside {samples.n_skipped} that could not be read"),
                *self.settings,
                ("recipe", self.icons.recipe(net, layer).digest),
            ),
        )

    def _cells(
        self, net: Network, layer: str, samples: Samples, *, found: tuple[Bin, ...]
    ) -> tuple[ActivationCell, ...]:
        centres = means(samples.vectors, found)
        said = class_attributions(net, layer, centres, reference=samples.vectors.mean(0))
        directions = self._directions(samples, centres)
        drawn = made(
            net, layer, directions, icons=self.icons, pictures=self.pictures, seed=self.seed, progress=self.progress
        )
        rows = zip(found, centres, said, drawn, strict=True)
        return tuple(
            _cell(each, icon, classes=strongest(a), examples=nearest(samples, each, centre))
            for each, centre, a, icon in rows
        )

    def _directions(self, samples: Samples, centres: Floats) -> Floats:
        if not self.icons.whiten:
            return centres
        return centres @ whitening(samples.vectors, ridge=self.icons.ridge)


def _cell(
    found: Bin, icon: Icon, *, classes: tuple[tuple[int, float], ...], examples: tuple[str, ...]
) -> ActivationCell:
    return ActivationCell(
        row=found.row,
        column=found.column,
        count=len(found.members),
        image=icon.image,
        status=icon.status,
        classes=classes,
        examples=examples,
    )


def strongest(attributions: Floats, n: int = _N_CLASSES) -> tuple[tuple[int, float], ...]:
    """The classes of the largest attributions: index and value, largest first.

    >>> strongest(np.array([0.5, -1.0, 2.0], np.float32), 2)
    ((2, 2.0), (0, 0.5))
    """
    order = np.argsort(-attributions, kind="stable")[:n]
    return tuple((int(k), float(attributions[k])) for k in order)


def nearest(samples: Samples, found: Bin, centre: Floats, *, n: int = _N_EXAMPLES) -> tuple[str, ...]:
    """Keys of the photographs whose activations in a cell point most nearly where its mean does, each once."""
    vectors = samples.vectors[found.members]
    lengths = np.linalg.norm(vectors, axis=1)
    cosines = vectors @ centre / np.where(lengths > 0, lengths, 1)
    order = found.members[np.argsort(-cosines, kind="stable")]
    keys = dict.fromkeys(samples.keys[int(image)] for image in samples.images[order])
    return tuple(keys)[:n]


def _kept(points: Points) -> tuple[tuple[float, float], ...]:
    """Some of the points, evenly chosen."""
    chosen = np.linspace(0, len(points) - 1, min(len(points), _N_POINTS)).astype(np.int64)
    return tuple((float(x), float(y)) for x, y in points[chosen].round(_DECIMALS))
