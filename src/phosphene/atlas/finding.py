"""The atlas at an address, if there is one; what cannot be reached is said soon, and once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from phosphene.errors import StorageError
from phosphene.store.atlas import AtlasFolder, open_atlas
from phosphene.store.atlas.places import is_missing
from phosphene.store.atlas.reaching import reach


def find_atlas(uri: str, storage_options: Mapping[str, Any] | None = None) -> AtlasFolder | None:
    """The atlas there; None where nothing is.

    Raises:
        StorageError: what is there is no atlas, or cannot be read, or nobody answers.
    """
    try:
        return open_atlas(uri, storage_options=storage_options)
    except StorageError as error:
        local = reach(uri, storage_options).local
        if local is not None and local.exists() and not local.is_dir():
            raise
        if isinstance(error.__cause__, StorageError) and is_missing(error.__cause__):
            return None
        raise
