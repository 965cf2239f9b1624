"""An atlas: every unit of a network, planned, rendered anywhere, and kept in Parquet.

::

    import phosphene as ph

    net = ph.load("efficientnet_lite0")
    print(ph.atlas.Plan.of(ph.atlas.plan(net, units=range(8))).describe())
    ph.atlas.build(net, "my-atlas", units=range(8), size=96)
    print(ph.atlas.verify(ph.atlas.open_atlas("my-atlas")).is_whole)

`activations` is the room of activation atlases. Everything here is imported when it is first used: jobs are worked out,
and the state of an atlas is told, without PyTorch.
"""

from __future__ import annotations

import importlib
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from phosphene.atlas import activations
    from phosphene.atlas.again import render_again
    from phosphene.atlas.backends import Backend, LocalBackend
    from phosphene.atlas.backends.ray import RayBackend
    from phosphene.atlas.building import BuildReport, build
    from phosphene.atlas.calibration import Cost, calibrate
    from phosphene.atlas.choosing import atlas_layers
    from phosphene.atlas.comparing import align
    from phosphene.atlas.jobs import Job, PlannedPicture
    from phosphene.atlas.planning import plan
    from phosphene.atlas.progress import Progressed
    from phosphene.atlas.state import Status, status, verify
    from phosphene.atlas.summary import Plan
    from phosphene.atlas.wishes import Wishes
    from phosphene.atlas.working import RenderWork
    from phosphene.store.atlas import AtlasFolder, Manifest, PictureFormat, open_atlas

_HOMES = MappingProxyType(
    {
        "render_again": "phosphene.atlas.again",
        **dict.fromkeys(("Backend", "LocalBackend"), "phosphene.atlas.backends"),
        "RayBackend": "phosphene.atlas.backends.ray",
        **dict.fromkeys(("BuildReport", "build"), "phosphene.atlas.building"),
        **dict.fromkeys(("Cost", "calibrate"), "phosphene.atlas.calibration"),
        "atlas_layers": "phosphene.atlas.choosing",
        "align": "phosphene.atlas.comparing",
        **dict.fromkeys(("Job", "PlannedPicture"), "phosphene.atlas.jobs"),
        "plan": "phosphene.atlas.planning",
        "Progressed": "phosphene.atlas.progress",
        **dict.fromkeys(("Status", "status", "verify"), "phosphene.atlas.state"),
        "Plan": "phosphene.atlas.summary",
        "Wishes": "phosphene.atlas.wishes",
        "RenderWork": "phosphene.atlas.working",
        **dict.fromkeys(("AtlasFolder", "Manifest", "PictureFormat", "open_atlas"), "phosphene.store.atlas"),
    }
)

__all__ = [
    "AtlasFolder",
    "Backend",
    "BuildReport",
    "Cost",
    "Job",
    "LocalBackend",
    "Manifest",
    "PictureFormat",
    "Plan",
    "PlannedPicture",
    "Progressed",
    "RayBackend",
    "RenderWork",
    "Status",
    "Wishes",
    "activations",
    "align",
    "atlas_layers",
    "build",
    "calibrate",
    "open_atlas",
    "plan",
    "render_again",
    "status",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name == "activations":
        return importlib.import_module("phosphene.atlas.activations")
    if name not in _HOMES:
        raise AttributeError(f"module 'phosphene.atlas' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
