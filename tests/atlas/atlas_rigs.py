"""Networks whose units misbehave, and atlases as values that can be compared."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from networks import seeded, wrapped
from torch import Tensor, nn

import phosphene as ph
from phosphene.atlas.backends import Done, LocalBackend, Lost, Work
from phosphene.atlas.jobs import Job
from phosphene.store.atlas import AtlasFolder, Manifest, Picture, open_atlas
from phosphene.store.atlas.records import VARIANTS

SIZE = (12, 12)
#: Quick pictures of a small network.
QUICK: dict[str, Any] = {"size": 12, "steps": 3, "batch_size": 4}
#: Of every kind something: what the fixtures ``parts`` and ``undisturbed`` hold of ``conv_net``, 12 pictures in 7 jobs.
ALL: dict[str, Any] = {
    "layers": ["conv2"],
    "units": [0, 3, 5],
    "negative": True,
    "diversity": 2,
    "batch_size": 2,
    "steps": 1,
}


class _Raises(torch.autograd.Function):
    """The identity, whose gradient cannot be computed where it reaches channel 2."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        if bool(gradient[:, 2].any()):
            raise RuntimeError("channel 2 has no gradient")
        return gradient


class Awkward(nn.Module):
    """Six channels: of channel 1 the gradient is zero everywhere, of 2 it raises, 3 is no number; the others are fine."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        wrong = torch.zeros(1, 6, 1, 1)
        wrong[:, 3] = torch.nan
        alive = torch.ones(1, 6, 1, 1)
        alive[:, 1] = 0
        return _Raises.apply(y * alive + wrong)


def awkward_net() -> ph.Network:
    module = nn.Sequential(OrderedDict(unit=Awkward()))
    return wrapped(seeded(module), size=SIZE)


def rows_of(where: AtlasFolder | str) -> dict[str, Picture]:
    """All rows by their ids, without what differs from run to run: times."""
    folder = open_atlas(where) if isinstance(where, str) else where
    folder.refresh()
    manifest = folder.manifest
    found = [
        row
        for layer in manifest.layers
        for variant in VARIANTS
        for seed in manifest.seeds
        for row in folder.pictures(layer.name, variant, seed)
    ]
    return {row.id: replace(row, seconds=0.0) for row in found}


def manifest_of(net: ph.Network, **wishes: Any) -> Manifest:
    """A plan of quick pictures."""
    return ph.atlas.plan(net, **{**QUICK, **wishes})


def made(net: ph.Network, out: object, **options: Any) -> ph.atlas.BuildReport:
    """A build of quick pictures, without a bar."""
    return ph.atlas.build(net, str(out), **{**QUICK, "progress": False, **options})


class Interrupted(LocalBackend):
    """In this process, until somebody interrupts before the n-th job."""

    def __init__(self, after: int) -> None:
        self.after = after

    def run(self, jobs: Iterator[Job], work: Work) -> Iterator[Done | Lost]:
        for number, result in enumerate(super().run(jobs, work)):
            yield result
            if number + 1 == self.after:
                raise KeyboardInterrupt


class Losing(LocalBackend):
    """In this process, but every job that holds a picture of ``unit`` of ``layer`` takes its workers down."""

    def __init__(self, layer: str, unit: int) -> None:
        self.layer, self.unit = layer, unit
        self.seen: list[Job] = []

    def run(self, jobs: Iterator[Job], work: Work) -> Iterator[Done | Lost]:
        worker = work.open()
        for job in jobs:
            self.seen.append(job)
            deadly = job.layer == self.layer and any(one.unit == self.unit for one in job.pictures)
            yield Lost(job, "killed by signal 9, 3 times") if deadly else worker.do(job)
        worker.close()
