"""Blocks: a generation's stimuli as a folder of PNGs, with a manifest of what is shown when.

::

    gen_0003/
      manifest.json      everything below, the display and the caller's own metadata
      manifest.csv       position,trial,stimulus,file,candidate,is_reference: a row for each presentation, in order
      NAME.png           a file for each stimulus
      responses.csv      comes from the rig (or .npz, .h5, .mat)
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from phosphene._types import JSON
from phosphene.errors import ImageError, ParameterError, PhospheneError, StorageError
from phosphene.exchange.display import Display
from phosphene.exchange.folders import write_folder
from phosphene.exchange.presentation import Interleaving, Presentation, Stimulus, presentation_order
from phosphene.store import encode_png, read_image
from phosphene.store.atomic import read_bytes
from phosphene.store.documents import parse_json

FORMAT = "phosphene block 1"
MANIFEST = "manifest.json"
COLUMNS = ("position", "trial", "stimulus", "file", "candidate", "is_reference")

_PNG = b"\x89PNG\r\n\x1a\n"
_LARGEST = 256 << 20  # bytes of a manifest


@dataclass(frozen=True)
class Entry:
    """A stimulus as the manifest lists it.

    Attributes:
        name: what the rig calls it.
        file: its file in the block's folder.
        candidate: the id under which an optimizer knows it; empty for none.
        is_reference: whether it is a reference image.
    """

    name: str
    file: str
    candidate: str = ""
    is_reference: bool = False


@dataclass(frozen=True)
class Block:
    """What was written for the rig.

    Attributes:
        folder: where it lies.
        entries: the stimuli, in the order in which they were given.
        presentations: what is shown when.
        display: the JSON form of how they stand on the screen.
        metadata: the caller's own.
    """

    folder: Path
    entries: tuple[Entry, ...]
    presentations: tuple[Presentation, ...]
    display: Mapping[str, JSON]
    metadata: Mapping[str, JSON]

    @property
    def names(self) -> tuple[str, ...]:
        """The stimuli's names."""
        return tuple(entry.name for entry in self.entries)


def block_folder(parent: str | os.PathLike[str], generation: int) -> Path:
    """Where a generation's block lies.

    >>> block_folder("session", 3).name
    'gen_0003'
    """
    return Path(parent) / f"gen_{generation:04d}"


def write_block(  # noqa: PLR0913 - a public door; all but two are keywords
    folder: str | os.PathLike[str],
    stimuli: Sequence[Stimulus],
    *,
    seed: int,
    display: Display = Display(),  # noqa: B008 - a frozen value
    repeats: int = 1,
    interleave: Interleaving = "evenly",
    metadata: Mapping[str, JSON] | None = None,
) -> Block:
    """Write the PNGs and manifests of a block; the folder appears with all of them at once.

    A folder that holds the same block already stays as it is, so writing again after a kill does no harm. Only one
    process may write beside ``folder`` at a time.

    Args:
        folder: the block's own, see :func:`block_folder`.
        stimuli: what is shown, under names that differ even where case does not count.
        seed: of the presentation order.
        display: how each stimulus stands on the screen.
        repeats: how often each is shown.
        interleave: reference images "evenly" among the others, or "randomly".
        metadata: plain values for the manifest, such as the session's name and the generation's number.

    Raises:
        ParameterError: an argument out of range, two stimuli of one name, metadata that JSON cannot express.
        ImageError: an image that is none.
        StorageError: the folder is there with other contents, or cannot be written; a reference cannot be read.
    """
    order = presentation_order(stimuli, seed=seed, repeats=repeats, interleave=interleave)
    entries = tuple(Entry(s.name, s.file, s.candidate, s.is_reference) for s in stimuli)
    block = Block(Path(folder), entries, order, display.to_json(), dict(metadata or {}))
    files = {stimulus.file: stimulus_png(stimulus, display) for stimulus in stimuli}
    files["manifest.csv"] = _table(block).encode()
    files[MANIFEST] = _document(block, seed=seed, repeats=repeats, interleave=interleave)
    write_folder(block.folder, files)
    return block


def read_block(folder: str | os.PathLike[str]) -> Block:
    """The block that :func:`write_block` wrote.

    Raises:
        StorageError: there is no manifest, or it is damaged.
    """
    path = Path(folder) / MANIFEST
    data = read_bytes(path, limit=_LARGEST)
    try:
        document = parse_json(data, path)
        found = document["format"]
        entries = tuple(Entry(**entry) for entry in document["stimuli"])
        order = tuple(Presentation(**shown) for shown in document["presentations"])
        display, metadata = dict(document["display"]), dict(document["metadata"])
    except (PhospheneError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise StorageError(
            f"{path} is no manifest of a block, or is damaged: {error!r}; expected what phosphene wrote there"
        ) from error
    if found != FORMAT:
        raise StorageError(f"{path} has the format {found!r}; expected {FORMAT!r}")
    return Block(Path(folder), entries, order, display, metadata)


def displayed_png(image: Float[Tensor, "3 h w"]) -> bytes:
    """The PNG of what a screen shows, 8 bits a channel; values outside [0, 1] are clipped."""
    levels = image.detach().clamp(0, 1).mul(255).round().permute(1, 2, 0).cpu().numpy()
    return encode_png(levels.astype(np.uint8))


def stimulus_png(stimulus: Stimulus, display: Display) -> bytes:
    """The bytes of a stimulus' file."""
    image = stimulus.image
    if isinstance(image, bytes):
        if not image.startswith(_PNG):
            raise ImageError(f"the bytes of stimulus {stimulus.name!r} are no PNG; expected those of a whole PNG file")
        return image
    try:
        return displayed_png(display.compose(image if isinstance(image, Tensor) else read_image(image)))
    except (ImageError, ParameterError) as error:
        raise type(error)(f"stimulus {stimulus.name!r}: {error}") from error


def _document(block: Block, **order: JSON) -> bytes:
    document: dict[str, Any] = {
        "format": FORMAT,
        "metadata": block.metadata,
        "display": block.display,
        **order,
        "stimuli": [asdict(entry) for entry in block.entries],
        "presentations": [asdict(shown) for shown in block.presentations],
    }
    try:
        return (json.dumps(document, indent=1, ensure_ascii=True, allow_nan=False) + "\n").encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ParameterError(f"metadata cannot be written as JSON: {error}; expected plain finite values") from error


def _table(block: Block) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    entries = {entry.name: entry for entry in block.entries}
    for shown in block.presentations:
        entry = entries[shown.stimulus]
        place = (shown.position, shown.trial, entry.name, entry.file)
        writer.writerow((*place, entry.candidate, int(entry.is_reference)))
    return text.getvalue()
