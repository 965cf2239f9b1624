"""The manifest of an atlas: what it is of and what it is to hold; everything that its pictures depend on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from phosphene.errors import RecipeError, StorageError
from phosphene.store.atlas.forms import from_form, to_form
from phosphene.store.atlas.sense import check_sense
from phosphene.store.documents import parse_json

if TYPE_CHECKING:
    from phosphene._types import JSON  # which needs torch when it runs

#: Version of the form. A reader refuses what it does not know.
FORMAT = 1


@dataclass(frozen=True)
class AtlasNetwork:
    """The network, so far as an atlas needs to know it without loading it.

    Attributes:
        name: as it was loaded.
        digest: SHA-256 of its weights.
        source: JSON values that say how to load it again (``Network.source``).
        input_size: height and width.
        n_channels: of its input.
        preprocessing: JSON values of mean, std, value range and order of colours.
        labels: class names by index.
    """

    name: str
    digest: str
    source: Mapping[str, JSON]
    input_size: tuple[int, int]
    n_channels: int
    preprocessing: Mapping[str, JSON]
    labels: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True)
class AtlasLayer:
    """A layer and which of its units the atlas shows.

    Attributes:
        name: dotted module name.
        type: the module's class.
        shape: of its output for one image.
        n_channels: how many units it has.
        units: the numbers of those in the atlas, as half-open ranges that rise.
        is_output: whether its units are classes.
        recipe: digest of the recipe of its positive, negative and seeded pictures; the diverse ones take it too.
    """

    name: str
    type: str
    shape: tuple[int, ...]
    n_channels: int
    units: tuple[tuple[int, int], ...]
    is_output: bool
    recipe: str

    @property
    def n_units(self) -> int:
        """How many units the atlas shows."""
        return sum(stop - start for start, stop in self.units)


@dataclass(frozen=True)
class PictureFormat:
    """How pictures are stored: WebP, without loss where ``quality`` is None, else 1 to 100."""

    quality: int | None = None


@dataclass(frozen=True)
class Manifest:
    """What an atlas is of. Two builds of one manifest (but for ``created`` and ``phosphene``) make the same rows.

    Attributes:
        network: the network.
        layers: in the order of the network.
        negative: whether there is a picture of what drives each unit least.
        diversity: pictures of each unit that differ from each other; 0, or from 2.
        diversity_weight: how much they must differ (see ``recipes.diversity``).
        seeds: of the positive and negative pictures: one of each for every seed.
        recipes: JSON forms of the recipes by their digests.
        job_size: pictures in a job at most; the diverse pictures of a unit stay together.
        pictures: how pictures are stored.
        created: ISO 8601, UTC.
        phosphene: version that made the plan.
        format: version of the form.
    """

    network: AtlasNetwork
    layers: tuple[AtlasLayer, ...]
    negative: bool
    diversity: int
    diversity_weight: float
    seeds: tuple[int, ...]
    recipes: Mapping[str, JSON] = field(repr=False)
    job_size: int
    pictures: PictureFormat
    created: str
    phosphene: str
    format: int = FORMAT

    def to_json(self) -> dict[str, Any]:
        """The manifest as JSON values, readable by :meth:`from_json`."""
        return to_form(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any], *, path: str = "manifest") -> Manifest:
        """Read :meth:`to_json`'s form.

        Args:
            document: the JSON object.
            path: what it is called in messages.

        Raises:
            StorageError: it is of a newer format or no manifest, or makes no sense; the message names the key.
        """
        version = document.get("format")
        if type(version) is int and version > FORMAT:
            raise StorageError(
                f"{path}: the atlas has format {version}, and this phosphene reads up to format {FORMAT}; "
                "read it with a newer phosphene: pip install --upgrade phosphene"
            )
        if version != FORMAT:
            raise StorageError(f"{path}: not the manifest of an atlas: its format is {version!r}; expected {FORMAT}")
        manifest = from_form(dict(document), cls, path)
        check_sense(manifest, path)
        return manifest

    def to_bytes(self) -> bytes:
        """The manifest as a file: JSON with sorted keys."""
        return (
            json.dumps(self.to_json(), sort_keys=True, indent=1, ensure_ascii=True, allow_nan=False) + "\n"
        ).encode()

    @classmethod
    def from_bytes(cls, data: bytes, *, path: str = "manifest") -> Manifest:
        """Read :meth:`to_bytes`'s form. Raises `StorageError` for bytes that are none, and as `from_json` does."""
        try:
            document = parse_json(data, path)
        except RecipeError as error:
            raise StorageError(f"{error}; it is damaged, or no manifest of an atlas") from error
        return cls.from_json(document, path=path)

    def differences(self, other: Manifest) -> Iterator[tuple[str, JSON, JSON]]:
        """Where two manifests would make different rows: the key's path, and its value here and in ``other``.

        When and by which version the plan was made makes none, nor what the network and its classes are called and
        where its weights lie: other machines keep them elsewhere, and their digest says which they are.
        """
        theirs = other.network
        network = replace(self.network, name=theirs.name, source=theirs.source, labels=theirs.labels)
        here = replace(self, network=network, created=other.created, phosphene=other.phosphene)
        yield from _differences(here.to_json(), other.to_json(), "")


def _differences(here: Any, there: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(here, dict) and isinstance(there, dict):
        for key in sorted({*here, *there}):
            yield from _differences(here.get(key), there.get(key), f"{path}.{key}" if path else key)
    elif isinstance(here, list) and isinstance(there, list) and len(here) == len(there):
        for i, (mine, theirs) in enumerate(zip(here, there, strict=True)):
            yield from _differences(mine, theirs, f"{path}[{i}]")
    elif here != there:
        yield path, here, there
