"""What has been joined to an atlas: a small file beside its facts, written last."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from phosphene.store.atlas import AtlasFolder

FILE = "facts/joined.json"
_FORMAT = 1


@dataclass(frozen=True)
class Shown:
    """Photographs that were shown.

    Attributes:
        name: what they came from, for people to read.
        digest: of their source; empty where another source may have the same.
        n_images: how many could be read.
        n_skipped: how many could not.
    """

    name: str
    digest: str
    n_images: int
    n_skipped: int


@dataclass(frozen=True)
class Record:
    """What has been joined.

    Attributes:
        pictures: by layer a digest of the pictures' places that neighbours were found by; empty where the layer's facts
            are to be written again, but for what they say of photographs.
        photographs: those that the facts of the layers in ``pictures`` tell of; None for none, or nobody knows which.
    """

    pictures: Mapping[str, str]
    photographs: Shown | None = None

    def tells(self, layer: str) -> bool:
        """Whether what a layer's facts say of photographs may be kept: it may be of others where a join was cut off."""
        return self.photographs is None or layer in self.pictures

    def to_renew(self, layers: Iterable[str]) -> Record:
        """The record while the facts of some layers are written again."""
        return replace(self, pictures={**self.pictures, **{name: "" for name in layers if name in self.pictures}})

    def renewed(self, layer: str, digest: str) -> Record:
        """The record once a layer's facts are written, of pictures of a digest."""
        return replace(self, pictures={**self.pictures, layer: digest})


def read_record(folder: AtlasFolder) -> Record:
    """What has been joined to an atlas; nothing where nobody did, or the file is damaged."""
    if not folder.exists(FILE):
        return Record({})
    try:
        found: Any = json.loads(folder.read_bytes(FILE))
        if found["format"] != _FORMAT:
            return Record({})
        shown = found["photographs"]
        return Record(dict(cast("Mapping[str, str]", found["pictures"])), None if shown is None else Shown(**shown))
    except (ValueError, TypeError, LookupError):
        return Record({})


def write_record(folder: AtlasFolder, record: Record) -> None:
    """Note what has been joined. Raises `StorageError` where that cannot be written."""
    shown = None if record.photographs is None else vars(record.photographs)
    document = {"format": _FORMAT, "pictures": dict(record.pictures), "photographs": shown}
    folder.write_bytes(FILE, json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n")


def pictures_digest(folder: AtlasFolder, layer: str) -> str:
    """A digest of where the pictures of a layer lie."""
    units, vectors = folder.embeddings(layer)
    return hashlib.sha256(units.tobytes() + vectors.tobytes()).hexdigest()[:32]
