"""Photographs shown once for an atlas: where their collection lies meanwhile, and when it is done with."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from phosphene.atlas.jobs import units_of
from phosphene.atlas.joining_photographs import KEPT
from phosphene.collection import Collection, Source, collect, open_collection
from phosphene.errors import StorageError
from phosphene.models.network import Network
from phosphene.store.atlas import AtlasFolder
from phosphene.store.cache_folder import cache_folder

#: The folder in a local atlas.
COLLECTING = "collecting"


@dataclass(frozen=True, eq=False)
class Collecting:
    """The collection of an atlas while it is made.

    Attributes:
        net: the network.
        folder: the atlas.
    """

    net: Network
    folder: AtlasFolder

    @property
    def directory(self) -> Path:
        """Where it lies: in the atlas, or, where that is not of this machine, in the user's cache folder."""
        local = self.folder.local_path
        return self._cached if local is None else local / COLLECTING

    @property
    def _cached(self) -> Path:
        local = self.folder.local_path
        place = self.folder.uri if local is None else str(local.resolve())
        return cache_folder() / "atlases" / hashlib.sha256(place.encode()).hexdigest()[:32]

    @contextlib.contextmanager
    def alone(self) -> Generator[None, None, None]:
        """While the block lasts, no other process of this user and machine collects for this atlas; waits until that
        is so. Where the cache folder cannot be written, nobody waits.
        """
        lock = FileLock(self._cached.with_suffix(".lock"), thread_local=False)
        with contextlib.suppress(OSError):
            self._cached.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def collection(self, source: Source, **how: Any) -> Collection:
        """The collection of photographs, gone on with where it was begun; raises as :func:`phosphene.collect`.

        Args:
            source: the photographs.
            how: further arguments of :func:`phosphene.collect`.
        """
        wanted = {layer.name: list(units_of(layer)) for layer in self.folder.manifest.layers}
        settings = repr((source.name, source.digest, self.net.digest, sorted(wanted.items()))).encode()
        # Other photographs have another folder, so that what an interrupt left of the last ones is no obstacle.
        directory = self.directory / hashlib.sha256(settings).hexdigest()[:16]
        with contextlib.suppress(StorageError):  # none there, or not finished
            return open_collection(directory)
        return collect(self.net, wanted, source, directory=directory, k=max(KEPT.values()), by=("max", "mean"), **how)

    def clear(self) -> None:
        """Remove everything that was collected."""
        shutil.rmtree(self.directory, ignore_errors=True)
