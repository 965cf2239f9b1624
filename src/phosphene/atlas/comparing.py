"""Two atlases side by side: which unit of one network answers photographs like which of another."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm.auto import tqdm

from phosphene._component import check
from phosphene.atlas.comparing_answers import AnswerFile, ask
from phosphene.atlas.comparing_partners import partners
from phosphene.atlas.jobs import units_of
from phosphene.atlas.working import check_weights
from phosphene.collection.plan import whole
from phosphene.collection.source import Source
from phosphene.collection.sources import open_source
from phosphene.errors import ArgumentError, ImageError, UnknownLayerError, nearest
from phosphene.models.network import Network
from phosphene.render.progress import Progress
from phosphene.render.run import usable_device
from phosphene.store.atlas import AtlasFolder
from phosphene.store.atlas.alignment import AlignedUnit, AlignmentTable

#: Layers of B, one or several, for each layer of A.
LayerPairs = Mapping[str, str | Iterable[str]]


def align(  # noqa: PLR0913 - the public door: what is positional, how is keyword-only
    net_a: Network,
    folder_a: AtlasFolder,
    net_b: Network,
    folder_b: AtlasFolder,
    images: object,
    *,
    layers: LayerPairs | None = None,
    device: torch.device | str | None = None,
    batch_size: int = 32,
    progress: Progress = True,
) -> AlignmentTable:
    """For each unit of atlas A the unit of atlas B whose answers to the same photographs go with its own most.

    An answer is the channel's mean over positions, as a picture's score is. Of photographs that one of the networks
    cannot be shown, neither is. Memory does not grow with the number of photographs; a temporary file does, by four
    bytes for each unit and photograph.

    Args:
        net_a, folder_a: a network and its atlas.
        net_b, folder_b: the other ones; may be the same.
        images: photographs, as :func:`phosphene.collect` takes them, that can be read twice.
        layers: layers of B, one or several, in which units of each layer of A may have their partners; None: all of
            the atlas's, for all of A's.
        device: where to compute; by default where each network is.
        batch_size: photographs that a network sees at once.
        progress: True shows a bar; a function is called with how many photographs were shown to a network since.

    Raises:
        NetworkError: a network has other weights than that of its atlas, or answers that are not finite.
        UnknownLayerError: a layer is not in its atlas.
        ArgumentError, ParameterError: images that can be read only once, or no layer.
        StorageError: no such folder of photographs, or no room for the answers.
        ImageError: fewer than three photographs that both networks can be shown.
    """
    check_weights(net_a, folder_a.manifest)
    check_weights(net_b, folder_b.manifest)
    size, source = whole("batch_size", batch_size, 1, 4096), open_source(images)
    if source.again is None:
        raise ArgumentError(f"images is a {source.name}; give what can be read twice, such as a folder or a list")
    wanted = _pairs(folder_a, folder_b, layers)
    sides = (_Side(net_a, _wanted(folder_a, wanted)), _Side(net_b, _wanted(folder_b, *wanted.values())))
    with _meter(progress, source) as advance, tempfile.TemporaryDirectory(prefix="phosphene-") as folder:
        files = [
            side.ask(source, Path(folder) / name, device=device, batch_size=size, advance=advance)
            for side, name in zip(sides, "ab", strict=True)
        ]
        n = len(np.intersect1d(files[0].images, files[1].images))
        if n < 3:
            raise ImageError(f"{n} photographs of {source.name} could be shown to both networks; give at least three")
        units = _aligned(files[0], files[1], wanted)
    return AlignmentTable(net_a.digest, net_b.digest, net_a.name, net_b.name, source.name, n, units)


@dataclass(frozen=True, eq=False)
class _Side:
    """A network, and the units of each layer that are asked."""

    net: Network
    layers: Mapping[str, Sequence[int]]

    def ask(self, source: Source, path: Path, *, device: torch.device | str | None, **how: Any) -> AnswerFile:
        own = self.net.device
        where = own if device is None else usable_device(device)
        return ask(self.net, self.layers, source, path, device=where, **how)


def _pairs(a: AtlasFolder, b: AtlasFolder, layers: LayerPairs | None) -> dict[str, tuple[str, ...]]:
    """The layers of B that each layer of A looks in."""
    in_b = tuple(layer.name for layer in b.manifest.layers)
    if layers is None:
        return {layer.name: in_b for layer in a.manifest.layers}
    check(bool(layers), "layers", layers, "a mapping from a layer of the one atlas to layers of the other")
    found = {name: (others,) if isinstance(others, str) else tuple(others) for name, others in layers.items()}
    for name, others in found.items():
        check(bool(others), f"layers[{name!r}]", others, "the name of a layer at least")
        _known(a, name)
        for other in others:
            _known(b, other)
    return found


def _known(folder: AtlasFolder, layer: str) -> None:
    names = [one.name for one in folder.manifest.layers]
    if layer not in names:
        hint = nearest(layer, names) or f"there are {', '.join(names)}"
        raise UnknownLayerError(f"{folder.uri} has no layer {layer!r}; {hint}")


def _wanted(folder: AtlasFolder, *names: Iterable[str]) -> dict[str, list[int]]:
    """The units of the layers that are named, in the order of the atlas."""
    some = {name for several in names for name in several}
    return {layer.name: list(units_of(layer)) for layer in folder.manifest.layers if layer.name in some}


def _aligned(a: AnswerFile, b: AnswerFile, wanted: Mapping[str, Sequence[str]]) -> tuple[AlignedUnit, ...]:
    names = [list(dict.fromkeys(unit.layer for unit in file.units)) for file in (a, b)]
    allowed = np.asarray([[other in wanted[name] for other in names[1]] for name in names[0]])
    groups = [np.asarray([names[i].index(unit.layer) for unit in file.units]) for i, file in enumerate((a, b))]
    found = partners(a, b, allowed, (groups[0], groups[1]))
    rows = zip(a.units, found.places.tolist(), found.r.tolist(), strict=True)
    return tuple(
        AlignedUnit(one.layer, one.unit, b.units[place].layer, b.units[place].unit, r)
        for one, place, r in rows
        if place >= 0
    )


@contextmanager
def _meter(progress: Progress, source: Source) -> Generator[Callable[[int], object], None, None]:
    """A bar of photographs, each of which is shown twice; silent unless ``progress`` is True."""
    n = None if source.n is None else 2 * source.n
    with tqdm(total=n, unit="image", disable=progress is not True, leave=False) as bar:
        yield progress if callable(progress) else bar.update
