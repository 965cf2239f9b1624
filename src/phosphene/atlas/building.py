"""Building an atlas: every picture that is planned and not there, whatever happened before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any, Unpack

from phosphene.atlas.backends import Backend, LocalBackend
from phosphene.atlas.finding import find_atlas
from phosphene.atlas.making import Making, count
from phosphene.atlas.planning import plan
from phosphene.atlas.progress import BuildProgress, Meter
from phosphene.atlas.repairing import drop_unreadable_parts, mend_damaged
from phosphene.atlas.state import Status, status
from phosphene.atlas.wishes import Wishes, check_images, check_wishes, listed
from phosphene.atlas.working import Device, RenderWork, check_weights, device_of, digest_of
from phosphene.models.network import Network
from phosphene.store.atlas import AtlasFolder, create_atlas
from phosphene.store.atlas.manifest import Manifest


@dataclass(frozen=True)
class BuildReport:
    """What a build did.

    Attributes:
        uri: where the atlas is.
        status: what it holds now.
        n_rendered: pictures that this build rendered.
        n_failed: of these, those with another status than "ok".
        n_lost: pictures whose workers were lost again and again.
        n_damaged: jobs of which rows were damaged or missing, and packs that could not be read at all.
        n_unread: photographs that could not be read.
        seconds: of the build.
        worker_s: of its workers, rendering and writing.
        rendering_s: of these, rendering alone.
    """

    uri: str
    status: Status
    n_rendered: int
    n_failed: int
    n_lost: int
    n_damaged: int
    n_unread: int
    seconds: float
    worker_s: float
    rendering_s: float


def build(  # noqa: PLR0913 - the public door: what is positional, how is keyword-only
    net: Network,
    out: str,
    *,
    images: object = None,
    backend: Backend | None = None,
    device: Device = None,
    retry_failed: bool = False,
    compact: bool = True,
    verify: bool = True,
    progress: BuildProgress = True,
    storage_options: Mapping[str, Any] | None = None,
    **wishes: Unpack[Wishes],
) -> BuildReport:
    """Render every unit of a network into an atlas. What is there already is kept; killed at any moment, the same call
    goes on and ends with the same rows.

    Files that cannot be read are noticed at the beginning; rows that are not what was written, once all are there:
    these are rendered again. A unit that cannot be rendered gets a row that says why, and is not tried again.

    Args:
        net: the network.
        out: the atlas: a folder, or any address that fsspec knows, such as ``s3://bucket/atlas``.
        images: photographs, as :func:`phosphene.collect` takes them; then it is also told how the units answer them.
        backend: where the pictures are rendered; by default in this process.
        device: where to compute; by default where the network is, and with a backend an accelerator where a worker
            sees one.
        retry_failed: whether units at which the network raised, or whose workers were lost, are tried again.
        compact: whether the files of the single jobs are put together at the end.
        verify: whether every row is read at the end, and rendered again where it is damaged.
        progress: True shows a bar; a function is told of a :class:`~phosphene.atlas.progress.Progressed`.
        storage_options: for the address's file system.
        wishes: what is shown, and how: see :class:`~phosphene.atlas.wishes.Wishes`.

    Raises:
        NetworkError: the atlas there is of a network with other weights.
        StorageError: it was begun with another plan, or cannot be written.
        ClusterError: no cluster answers, or its workers do not begin.
        ImageError: no photograph can be read.
        ParameterError: there is no such device here, and no backend.
        Exception: as :func:`phosphene.atlas.plan`.
    """
    started = monotonic()
    wishes = listed(wishes)
    check_wishes(wishes)
    if images is not None:
        check_images(net, images)
    chosen = LocalBackend() if backend is None else backend
    if backend is None:
        device_of(net, device)  # before an atlas is begun for one that is not here
    where: Device = "auto" if device is None and backend is not None else device
    manifest, was = planned(net, out, wishes, device=where, backend=backend, storage_options=storage_options)
    folder, is_new = create_atlas(out, manifest, storage_options=storage_options), was is None
    work = RenderWork(net, _address(folder, out), storage_options, where, digest_of(folder.manifest))
    with Meter(progress) as meter:
        damaged = frozenset[str]() if is_new else drop_unreadable_parts(folder, meter)
        made = Making(folder, chosen, work, meter=meter)
        _make(made, retry_failed=retry_failed, compact=compact)
        if verify and (found := mend_damaged(folder, meter)):
            damaged |= found
            _make(made, retry_failed=False, compact=compact)
        n_unread = _join(net, folder, images, device=device, meter=meter)
    return _report(made, len(damaged), n_unread, monotonic() - started)


def planned(
    net: Network,
    out: str,
    wishes: Wishes,
    *,
    device: Device,
    backend: Backend | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> tuple[Manifest, AtlasFolder | None]:
    """What :func:`build` would make at ``out``, and the atlas that is there already, which keeps its batches.

    Raises:
        NetworkError: the atlas there is of a network with other weights.
        StorageError: the address cannot be read.
        Exception: as :func:`phosphene.atlas.plan`.
    """
    was = find_atlas(out, storage_options)
    if was is not None:
        check_weights(net, was.manifest)
        if wishes.get("batch_size") is None:
            wishes = {**wishes, "batch_size": was.manifest.job_size}
    # A driver without an accelerator may have workers that ask for one.
    has_one = device == "auto" and bool(getattr(backend, "gpus_per_worker", None))
    return plan(net, device="cuda" if has_one else device, **wishes), was


def _address(folder: AtlasFolder, out: str) -> str:
    """The atlas's address for other processes, whose current folder may be another one."""
    return out if folder.local_path is None else str(folder.local_path.absolute())


def _make(made: Making, *, retry_failed: bool, compact: bool) -> None:
    """Render what is missing, and put the files of the jobs together."""
    made.everything(retry_failed=retry_failed)
    if compact:
        made.meter.begin("packing", 0, None)
        made.folder.compact(progress=made.meter.reach)


def _join(net: Network, folder: AtlasFolder, images: object, *, device: Device, meter: Meter) -> int:
    """Write what is known of the units beside their pictures; the number of photographs that could not be read."""
    from phosphene.atlas.joining import join

    meter.begin("joining", 0, None)
    return join(net, folder, images=images, device=device, progress=meter.advance).n_skipped


def _report(made: Making, n_damaged: int, n_unread: int, seconds: float) -> BuildReport:
    return BuildReport(
        uri=made.folder.uri,
        status=status(made.folder),
        n_rendered=count(one.job for one in made.done),
        n_failed=sum(one.n_failed for one in made.done) + made.n_lost,
        n_lost=made.n_lost,
        n_damaged=n_damaged,
        n_unread=n_unread,
        seconds=seconds,
        worker_s=sum(one.seconds for one in made.done),
        rendering_s=sum(one.rendering_s for one in made.done),
    )
