"""What a worker of an atlas does: it loads the network once, renders jobs and writes their parts."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from platform import node
from time import perf_counter
from typing import Any, Literal

import torch

from phosphene._types import JSON
from phosphene.atlas.backends.backend import Done
from phosphene.atlas.jobs import Job
from phosphene.atlas.rendering import Renderer
from phosphene.atlas.rows import Row
from phosphene.errors import NetworkError, StorageError
from phosphene.models.load import reload
from phosphene.models.network import Network
from phosphene.render.run import usable_device
from phosphene.store.atlas import AtlasFolder, open_atlas
from phosphene.store.atlas.manifest import Manifest
from phosphene.store.atlas.records import Picture
from phosphene.store.webp import encode_webp

#: Where a worker computes: a device's name, "auto" (an accelerator where it sees one), or where the network is.
Device = str | Literal["auto"] | None
#: Pictures that are encoded at once while an accelerator waits for its next job.
_MOST_ENCODERS = 8


@dataclass(frozen=True)
class RenderWork:
    """What is to be done for an atlas, as it travels to a worker.

    Attributes:
        network: the network, or its ``source``, by which the worker loads it itself.
        uri: where the atlas is.
        storage_options: for its file system.
        device: where to compute: a device's name; "auto" for an accelerator where the worker sees one; None for where
            the network is.
        digest: of the manifest that the worker must find there (:func:`digest_of`); none to take what there is.
    """

    network: Network | Mapping[str, JSON] = field(repr=False)
    uri: str
    storage_options: Mapping[str, Any] | None = None
    device: Device = None
    digest: str = ""

    def open(self) -> RenderWorker:
        """Load the network and open the atlas.

        Raises:
            NetworkError: the network's weights are not those of the atlas, or it cannot be loaded.
            StorageError: the atlas cannot be opened, or another one is there.
            ParameterError: there is no such device.
        """
        folder = open_atlas(self.uri, storage_options=self.storage_options)
        if self.digest and digest_of(folder.manifest) != self.digest:
            raise StorageError(
                f"{folder.uri} as {node()} sees it is another atlas than the one that is built; every node must see "
                "the same folder there: give one that they share, or an address such as s3://bucket/atlas"
            )
        net = self.network if isinstance(self.network, Network) else reload(self.network)
        check_weights(net, folder.manifest)
        return RenderWorker(net, folder, device_of(net, self.device))


class RenderWorker:
    """Renders jobs and writes their parts.

    Args:
        net: the network.
        folder: the atlas.
        device: where to compute.
    """

    def __init__(self, net: Network, folder: AtlasFolder, device: torch.device) -> None:
        self._folder, self._device = folder, device
        self._renderer = Renderer(net, folder.manifest, device)

    def do(self, job: Job) -> Done:
        """Render a job and write its part; raises `StorageError` where that cannot be written, and `KeyboardInterrupt`.

        A unit that cannot be rendered is a row with its reason, and not retried.
        """
        started = perf_counter()
        rows = self._renderer.rows(job)
        rendered = perf_counter()
        pictures = _all_encoded(rows, self._folder.manifest.pictures.quality, _n_encoders(self._device))
        seconds = (perf_counter() - started) / len(pictures)
        self._folder.write_part(job.id, job.layer, [replace(one, seconds=seconds) for one in pictures])
        n_failed = sum(one.status != "ok" for one in pictures)
        return Done(job, n_failed, perf_counter() - started, rendered - started)

    def close(self) -> None:
        """Let go of the network."""
        self._renderer.close()


def digest_of(manifest: Manifest) -> str:
    """A digest of all that a manifest says."""
    return hashlib.sha256(manifest.to_bytes()).hexdigest()


def check_weights(net: Network, manifest: Manifest) -> None:
    """Refuse a network whose pictures do not belong into the atlas.

    Raises:
        NetworkError: its weights, or how it is shown images, are not those of the manifest.
    """
    from phosphene.atlas.planning import network_of

    was, now = manifest.network, network_of(net)
    if now.digest != was.digest:
        raise NetworkError(
            f"the weights of {net.name} have changed: their digest is {now.digest[:12]}…, but this atlas is of "
            f"{was.name} with {was.digest[:12]}…; give the network as it was, or build another atlas elsewhere"
        )
    for name in ("input_size", "n_channels", "preprocessing"):
        if getattr(was, name) != getattr(now, name):
            raise NetworkError(
                f"{net.name} is shown images otherwise: its {name} is {getattr(now, name)}, but this atlas was begun "
                f"with {getattr(was, name)}; give the network as it was, or build another atlas elsewhere"
            )


def _n_encoders(device: torch.device) -> int:
    """Threads that encode pictures: those that computed them, or, as an accelerator idles meanwhile, some more."""
    n_threads = torch.get_num_threads()
    return n_threads if device.type == "cpu" else max(n_threads, min(_MOST_ENCODERS, os.cpu_count() or 1))


def _all_encoded(rows: Sequence[Row], quality: int | None, n_threads: int) -> list[Picture]:
    """The rows with their images, in their order; encoding leaves other threads the interpreter."""
    with ThreadPoolExecutor(n_threads) as pool:
        return list(pool.map(lambda row: _encoded(row, quality), rows))


def _encoded(row: Row, quality: int | None) -> Picture:
    return row.picture if row.pixels is None else replace(row.picture, image=encode_webp(row.pixels, quality=quality))


def device_of(net: Network, wanted: Device) -> torch.device:
    """Where a worker computes. Raises `ParameterError` for a device that is not here."""
    if wanted is None:
        return net.device
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return usable_device(wanted)
