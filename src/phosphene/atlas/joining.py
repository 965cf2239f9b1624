"""What is known of a unit beside its pictures, brought together: photographs, neighbours, weights, names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch

from phosphene.atlas.jobs import units_of
from phosphene.atlas.joining_collecting import Collecting
from phosphene.atlas.joining_photographs import Photographs, Seen
from phosphene.atlas.joining_record import Record, Shown, pictures_digest, read_record, write_record
from phosphene.atlas.joining_similar import similar_units
from phosphene.atlas.joining_weights import Links, labels_of
from phosphene.atlas.working import check_weights
from phosphene.collection.source import Source
from phosphene.collection.sources import open_source
from phosphene.models.network import Network
from phosphene.render.progress import Progress
from phosphene.store.atlas import AtlasFolder, AtlasLayer, UnitFacts
from phosphene.store.atlas.damage import DamagedFileError

_AT_ONCE = 256  # units whose facts are worked out together


@dataclass(frozen=True)
class Joined:
    """What was joined.

    Attributes:
        n_units: units whose facts were written now; 0 where all was joined already.
        n_images: photographs that the facts rest on.
        n_skipped: photographs that could not be read.
    """

    n_units: int
    n_images: int
    n_skipped: int


def join(
    net: Network,
    folder: AtlasFolder,
    *,
    images: object = None,
    device: torch.device | str | None = None,
    batch_size: int = 32,
    progress: Progress = True,
) -> Joined:
    """Write facts of every unit of an atlas: how it answers photographs and which stand out for it, units that answer
    alike, whose pictures are alike, or that are tied to it by large weights, and the class that it stands for.

    Layers whose pictures have not changed since are left alone, and photographs that were joined before are not shown
    again. A join that was interrupted goes on where it was.

    Args:
        net: the network, with the weights of the atlas.
        folder: the atlas.
        images: photographs, as :func:`phosphene.collect` takes them; None keeps what was joined of photographs before.
        device: where to compute; by default where the network is.
        batch_size: photographs that the network sees at once.
        progress: True shows a bar of photographs; a function is called with how many were seen since.

    Raises:
        NetworkError: the network has other weights, or answers that are not finite.
        StorageError: no such folder of photographs, or the facts cannot be written.
        ArgumentError, ParameterError, ImageError, MissingExtraError: see :func:`phosphene.collect`.
    """
    check_weights(net, folder.manifest)
    if images is None:
        return _write(net, folder, None, before=read_record(folder))
    source, collecting, joined = open_source(images), Collecting(net, folder), None
    with collecting.alone():
        if _is_joined(folder, before := read_record(folder), source):
            joined = _write(net, folder, None, before=before)
        # Of damaged facts nothing was kept: then they are shown all the same.
        if joined is None or not _is_joined(folder, read_record(folder), source):
            found = collecting.collection(source, device=device, batch_size=batch_size, progress=progress)
            seen = Shown(source.name, _digest(source), found.n_images, len(found.skipped))
            joined = _write(net, folder, Photographs(found), before=Record({}, seen))
        collecting.clear()
    return joined


def _digest(source: Source) -> str:
    """Of a stream nobody knows whether the next one is the same."""
    return "" if source.again is None else source.digest


def _is_joined(folder: AtlasFolder, before: Record, source: Source) -> bool:
    same = before.photographs is not None and before.photographs.digest == _digest(source) != ""
    layers = [layer.name for layer in folder.manifest.layers]
    return same and all(name in before.pictures and folder.has_facts(name) for name in layers)


def _write(net: Network, folder: AtlasFolder, photographs: Photographs | None, *, before: Record) -> Joined:
    """Write the facts of the layers that have changed, and the record: before each of them as well, so that whatever is
    cut off, the record says nothing of facts that are not there.
    """
    pictures = {layer.name: pictures_digest(folder, layer.name) for layer in folder.manifest.layers}
    changed = [
        layer
        for layer in folder.manifest.layers
        if before.pictures.get(layer.name) != pictures[layer.name] or not folder.has_facts(layer.name)
    ]
    record = before.to_renew(layer.name for layer in changed)
    facts = _Facts(net, folder, photographs, before=before)
    for layer in changed:
        write_record(folder, record)
        folder.write_facts(layer.name, facts.of(layer))
        if layer.name not in facts.lost:
            record = record.renewed(layer.name, pictures[layer.name])
    if changed:
        # Photographs of which something is lost are to be shown again.
        record = Record(pictures, before.photographs if not facts.lost else None)
        write_record(folder, record)
    seen = record.photographs
    n_units = sum(layer.n_units for layer in changed)
    return Joined(n_units, seen.n_images if seen else 0, seen.n_skipped if seen else 0)


class _Facts:
    """Facts of the units of an atlas, worked out layer by layer.

    Args:
        net: the network.
        folder: the atlas.
        photographs: what they say of units; None where what was said before is kept.
        before: what was joined before.

    Attributes:
        lost: layers of which something that photographs said was to be kept and is not there.
    """

    def __init__(self, net: Network, folder: AtlasFolder, photographs: Photographs | None, *, before: Record) -> None:
        self._folder, self._photographs, self._before = folder, photographs, before
        self._links, self._labels = Links(net, folder.manifest), labels_of(folder.manifest)
        self.lost = set[str]()

    def of(self, layer: AtlasLayer) -> Iterator[UnitFacts]:
        """Facts of a layer's units, in order."""
        name, numbers, labels = layer.name, list(units_of(layer)), self._labels[layer.name]
        similar = similar_units(name, *self._folder.embeddings(name))
        is_kept = self._photographs is None and self._before.tells(name)
        kept = _Kept(self._folder.facts(name) if is_kept else ())
        for start in range(0, len(numbers), _AT_ONCE):
            units = numbers[start : start + _AT_ONCE]
            seen = kept.of(units) if self._photographs is None else self._photographs.of(name, units)
            ties = zip(self._links.inputs(name, units), self._links.outputs(name, units), strict=True)
            for unit, (inputs, outputs), one in zip(units, ties, seen, strict=True):
                yield UnitFacts(
                    layer=name,
                    unit=unit,
                    label=labels[unit] if unit < len(labels) else "",
                    answers=one.answers,
                    examples=one.examples,
                    correlated=one.correlated,
                    similar=similar.get(unit, ()),
                    inputs=inputs,
                    outputs=outputs,
                )
        if self._before.photographs is not None and not kept.is_whole:
            self.lost.add(name)


class _Kept:
    """What an earlier join said of photographs; nothing from where its file is damaged.

    Args:
        facts: of a layer, in unit order.

    Attributes:
        is_whole: whether it said something of every unit that was asked for.
    """

    def __init__(self, facts: Iterable[UnitFacts]) -> None:
        self.is_whole = True
        self._facts = iter(facts)
        self._next = self._read()

    def of(self, units: Sequence[int]) -> Iterator[Seen]:
        """Of some units, which rise from call to call."""
        for unit in units:
            while self._next is not None and self._next.unit < unit:
                self._next = self._read()
            found = self._next if self._next is not None and self._next.unit == unit else None
            self.is_whole = self.is_whole and found is not None and found.answers is not None
            yield Seen() if found is None else Seen(found.answers, found.examples, found.correlated)

    def _read(self) -> UnitFacts | None:
        try:
            return next(self._facts, None)
        except DamagedFileError:
            return None
