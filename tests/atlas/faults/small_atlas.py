"""A small atlas to be disturbed: how it is built, and what of it must not depend on what happened."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from networks import conv_net

import phosphene as ph
from phosphene.atlas.jobs import jobs
from phosphene.store.atlas import AtlasFolder, open_atlas
from phosphene.store.atlas.records import Picture

LAYERS = ("conv1", "conv2", "classifier")


def build(uri: str, *, steps: int = 24, seeds: int = 2, net: ph.Network | None = None, **options: Any):
    """90 pictures in 24 jobs with two seeds: positive and negative ones, and two diverse ones, of 15 units."""
    torch.set_num_threads(1)
    wishes = {"layers": LAYERS, "size": 16, "steps": steps, "negative": True, "diversity": 2, "batch_size": 4}
    return ph.atlas.build(net or conv_net(), uri, seeds=seeds, progress=False, **wishes, **options)


def opened(uri: str) -> AtlasFolder:
    return open_atlas(uri, storage_options=storage(os.environ.get("S3_PORT")))


def storage(port: str | None) -> Mapping[str, Any] | None:
    """How an S3 store at a port of this machine is reached; None for none."""
    here = {"endpoint_url": f"http://127.0.0.1:{port}", "region_name": "us-east-1"}
    return {"key": "testing", "secret": "testing", "client_kwargs": here} if port else None


def rows(folder: AtlasFolder) -> dict[str, Picture]:
    """All rows by their ids, but for their seconds. Every row is read and its checksum checked."""
    folder.refresh()
    return {
        picture.id: replace(picture, seconds=0.0)
        for layer in folder.manifest.layers
        for picture in folder.pictures(layer.name, None, None)
    }


def state(folder: AtlasFolder) -> dict[str, Any]:
    """What `verify` says of an atlas, in numbers."""
    planned = [(job.id, job.layer, [one.id for one in job.pictures]) for job in jobs(folder.manifest)]
    report = folder.verify(planned, progress=None)
    counts = {name: len(getattr(report, name)) for name in ("missing", "damaged", "doubled", "strays")}
    return {"whole": report.is_whole, "pictures": report.n_pictures, **counts}


def differing(found: dict[str, Picture], wanted: dict[str, Picture]) -> list[str]:
    """Ids that are in one of the two only, or whose rows differ."""
    return sorted(name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name))
