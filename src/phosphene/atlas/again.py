"""A picture of an atlas, made again with its whole batch."""

from __future__ import annotations

from dataclasses import replace

import torch

from phosphene.atlas.jobs import Job, PlannedPicture, jobs
from phosphene.atlas.rendering import Renderer
from phosphene.atlas.working import check_weights
from phosphene.errors import UnitRangeError
from phosphene.models.network import Network
from phosphene.render.result import Result
from phosphene.store.atlas.manifest import Manifest
from phosphene.store.atlas.records import Variant


def render_again(  # noqa: PLR0913 - an entry point: what names a picture, and how
    net: Network,
    manifest: Manifest,
    layer: str,
    unit: int,
    *,
    variant: Variant = "positive",
    member: int = 0,
    seed: int | None = None,
    device: torch.device | str | None = None,
) -> Result:
    """A picture of an atlas, rendered again beside those that it was rendered with: the same bits where processor,
    number of threads and versions are the same. Where one of them cannot be rendered, it is rendered alone.

    Args:
        net: the atlas's network.
        manifest: the atlas's.
        layer: the unit's layer.
        unit: the unit.
        variant: what is asked of the unit.
        member: number among its diverse pictures.
        seed: seed of the random streams; by default the atlas's first.
        device: where to compute; by default where the network is.

    Raises:
        NetworkError: the network's weights are not those of the atlas.
        UnitRangeError: the atlas plans no such picture.
        Exception: what the network raises.
    """
    check_weights(net, manifest)
    job, row = _find(manifest, layer, (unit, variant, member, manifest.seeds[0] if seed is None else seed))
    own = net.device
    renderer = Renderer(net, manifest, own if device is None else torch.device(device))
    try:
        return renderer.result(job, row)
    except Exception:
        if len(job.groups) == 1:
            raise
        return renderer.result(job.of(next(group for group in job.groups if row in group)), row)
    finally:
        renderer.close()


def _find(manifest: Manifest, layer: str, which: tuple[int, Variant, int, int]) -> tuple[Job, PlannedPicture]:
    """The job of a picture, and the picture."""
    unit, variant, member, seed = which
    one = replace(manifest, layers=tuple(each for each in manifest.layers if each.name == layer))
    for job in jobs(one):
        for picture in job.pictures:
            if (picture.unit, picture.variant, picture.member, picture.seed) == which:
                return job, picture
    raise UnitRangeError(
        f"the atlas plans no picture of {layer}:{unit}, variant {variant!r}, member {member}, seed {seed}; "
        "see phosphene atlas status"
    )
