"""Whether a manifest makes sense: one that a stranger wrote, or that was damaged, must not keep its reader busy."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from phosphene.errors import StorageError

if TYPE_CHECKING:
    from phosphene.store.atlas.manifest import AtlasLayer, AtlasNetwork, Manifest

#: Units of a layer; the largest known dictionaries of features have some tens of millions.
_MOST_UNITS = 10**8
_MOST_PIXELS = 1 << 16  # of a side
_MOST_PICTURES = 10**4  # of a unit, of a kind; in a job
_MAX_SEED = 2**63 - 1

#: Key, what it is, whether that is right, what was expected.
_Claim = tuple[str, object, bool, str]


def check_sense(manifest: Manifest, path: str) -> None:
    """Check that the values of a manifest fit each other and the numbers are such as there are.

    Args:
        manifest: whose types are right.
        path: what it is called in messages.

    Raises:
        StorageError: they do not; the message names the key.
    """
    for key, value, fits, expected in _claims(manifest):
        if not fits:
            shown = repr(value)
            shown = shown if len(shown) < 60 else shown[:57] + "…"
            raise StorageError(
                f"{path}.{key}: expected {expected}, got {shown}; the manifest is damaged, or not by phosphene"
            )


def _claims(manifest: Manifest) -> Iterator[_Claim]:
    yield from _of_network(manifest.network)
    names = [layer.name for layer in manifest.layers]
    yield "layers", names, 0 < len(set(names)) == len(names), "one layer at least, and each once"
    for number, layer in enumerate(manifest.layers):
        yield from _of_layer(layer, f"layers[{number}]")
        yield f"layers[{number}].recipe", layer.recipe, layer.recipe in manifest.recipes, "the digest of one of recipes"
    seeds = manifest.seeds
    right = 0 < len(set(seeds)) == len(seeds) <= _MOST_PICTURES and all(0 <= seed <= _MAX_SEED for seed in seeds)
    yield "seeds", seeds, right, f"1 to {_MOST_PICTURES} seeds that differ, each from 0 to 2^63 - 1"
    diverse = manifest.diversity == 0 or 2 <= manifest.diversity <= _MOST_PICTURES
    yield "diversity", manifest.diversity, diverse, f"0, or 2 to {_MOST_PICTURES}"
    yield "job_size", manifest.job_size, 1 <= manifest.job_size <= _MOST_PICTURES, f"1 to {_MOST_PICTURES}"
    quality = manifest.pictures.quality
    yield "pictures.quality", quality, quality is None or 1 <= quality <= 100, "none, or 1 to 100"


def _of_network(network: AtlasNetwork) -> Iterator[_Claim]:
    sides = all(1 <= side <= _MOST_PIXELS for side in network.input_size)
    yield "network.input_size", network.input_size, sides, f"two sides of 1 to {_MOST_PIXELS} pixels"
    channels = 1 <= network.n_channels <= _MOST_PIXELS
    yield "network.n_channels", network.n_channels, channels, f"1 to {_MOST_PIXELS} channels"


def _of_layer(layer: AtlasLayer, key: str) -> Iterator[_Claim]:
    yield f"{key}.name", layer.name, bool(layer.name), "a module's name"
    n = layer.n_channels
    yield f"{key}.n_channels", n, 1 <= n <= _MOST_UNITS, f"1 to {_MOST_UNITS} units"
    bounds = [bound for span in layer.units for bound in span]
    rising = all(start < stop for start, stop in layer.units) and all(a <= b for a, b in pairwise(bounds))
    inside = all(0 <= bound <= n for bound in bounds)
    yield f"{key}.units", layer.units, rising and inside, f"half-open ranges that rise, within 0 to {n}"
