"""Activation atlases in folders, here or at an address: one file, which is there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from phosphene.store.atlas.activation_map import ActivationAtlas
from phosphene.store.atlas.activation_rows import decode_activation_atlas, encode_activation_atlas
from phosphene.store.atlas.reaching import reach

__all__ = [
    "ACTIVATIONS_FILE",
    "decode_activation_atlas",
    "encode_activation_atlas",
    "load_activation_atlas",
    "save_activation_atlas",
]

#: Name of the file in its folder.
ACTIVATIONS_FILE = "activation_atlas.parquet"


def save_activation_atlas(
    folder: str | os.PathLike[str], atlas: ActivationAtlas, *, storage_options: Mapping[str, Any] | None = None
) -> str:
    """Write an atlas into a folder, which is made if there is none; one that is there already is replaced, whole or not
    at all.

    Args:
        folder: a local path, or an address such as ``s3://bucket/atlas/activations/blocks.8``.
        atlas: the atlas.
        storage_options: what the file system needs to be told, as fsspec takes it.

    Returns the file's path or address.

    Raises:
        StorageError: it cannot be written there.
        MissingExtraError: pyarrow, or fsspec for an address, is not installed.
    """
    place = reach(folder, storage_options)
    place.write(ACTIVATIONS_FILE, encode_activation_atlas(atlas))
    return _file(place.uri)


def load_activation_atlas(
    folder: str | os.PathLike[str], *, storage_options: Mapping[str, Any] | None = None
) -> ActivationAtlas:
    """The atlas that a folder holds.

    Args:
        folder: as :func:`save_activation_atlas` was given it.
        storage_options: what the file system needs to be told, as fsspec takes it.

    Raises:
        StorageError: there is none, it cannot be read, is damaged, or was written by a newer phosphene.
        MissingExtraError: pyarrow, or fsspec for an address, is not installed.
    """
    place = reach(folder, storage_options)
    return decode_activation_atlas(place.read(ACTIVATIONS_FILE), _file(place.uri))


def _file(uri: str) -> str:
    return f"{uri.rstrip('/')}/{ACTIVATIONS_FILE}"
