"""The public door: ``render``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import torch

from phosphene import store
from phosphene._algebra import Objective
from phosphene.errors import ArgumentError, ParameterError
from phosphene.models.network import Network
from phosphene.optimizers import Optimizer
from phosphene.parameterizations import Parameterization
from phosphene.render.batches import Job, stream_keys
from phosphene.render.defaults import default_recipe
from phosphene.render.frames import Frames
from phosphene.render.progress import Progress
from phosphene.render.recipe import Recipe
from phosphene.render.result import Result
from phosphene.render.run import Settings, usable_device
from phosphene.render.session import run_jobs
from phosphene.transforms import Transform, as_transform


def render(  # noqa: PLR0913 - the public door: what is positional, how is keyword-only
    net: Network,
    objective: Objective | Iterable[Objective],
    parameterization: Parameterization | None = None,
    *,
    recipe: Recipe | None = None,
    transforms: Iterable[object] | Transform | None = None,
    views: int | None = None,
    optimizer: Optimizer | None = None,
    steps: int | None = None,
    snapshots: Iterable[int] | int | Frames = (),
    seed: int = 0,
    device: torch.device | str | None = None,
    dtype: torch.dtype = torch.float32,
    batch_size: int | None = None,
    progress: Progress = True,
) -> Result:
    """Synthesise the image that drives a unit most.

    Args:
        net: from :func:`phosphene.load` or :func:`phosphene.wrap`.
        objective: what is wanted; of a list, every objective gets an image of its own, in shared batches.
        parameterization: what is optimised, such as ``ph.Fourier(224, 224)``.
        recipe: the method; by default the one for channels or for classes, as the objective asks.
        transforms: what makes a view of the image, instead of the recipe's; any function of views (m, c, h, w) will do.
        views: independent views of each image in a step, instead of the recipe's; the score is their mean.
        optimizer: how the parameters climb, instead of the recipe's.
        steps: number of steps, instead of the recipe's.
        snapshots: steps after which the images are kept in ``result.snapshots``, counted through all stages; 0 is the
            start. ``ph.Frames("folder")`` or ``ph.Frames("unit.mp4", every=2)`` writes them to disk while it runs.
        seed: every random stream depends on it and on the objective, never on the batch.
        device: where to compute; by default where the network is.
        dtype: float32, float64, or bfloat16 (the network in autocast, images in float32).
        batch_size: images at once; by default what memory holds. Halved when memory runs out.
        progress: whether a progress bar is shown, or a function that is told how many image-steps were done.

    Returns:
        the pictures in the order of the objectives. After a keyboard interrupt: those that were begun, as they were.

    Raises:
        UnknownLayerError, UnknownClassError, UnitRangeError, LayoutError: an objective does not fit the network;
            nothing was rendered.
        ArgumentError, ParameterError: an argument is of the wrong kind or out of range.
    """
    if not isinstance(net, Network):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ArgumentError(
            f"net must come from ph.load or ph.wrap; got {type(net).__name__}; try ph.wrap(module, mean=…, std=…)"
        )
    if recipe is not None and not isinstance(recipe, Recipe):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ArgumentError(f"recipe must be a Recipe, such as ph.recipes.get('lucid'); got {recipe!r}")
    changes = {
        "parameterization": parameterization,
        "transforms": _transforms(transforms),
        "views": views,
        "optimizer": optimizer,
        "steps": steps,
    }
    changes = {name: value for name, value in changes.items() if value is not None}
    wanted = _objectives(objective)
    keys = stream_keys(wanted)
    recipes = [replace(recipe or default_recipe(one, net), **changes) for one in wanted]
    jobs = [Job(i, one, how, key) for i, (one, how, key) in enumerate(zip(wanted, recipes, keys, strict=True))]
    settings = Settings(
        seed=whole("seed", seed),
        device=_device(net, device),
        dtype=dtype,
        weights_digest=net.digest,
        **_kept(snapshots, jobs),
    )
    size = None if batch_size is None else whole("batch_size", batch_size)
    return run_jobs(jobs, net, settings, batch_size=size, progress=progress)


def _objectives(objective: object) -> list[Objective]:
    wanted = list(objective) if isinstance(objective, Iterable) and not isinstance(objective, str) else [objective]
    for one in wanted:
        if not isinstance(one, Objective):
            raise ArgumentError(
                f"expected an objective such as ph.Channel('blocks.8', 7), or a list of them; got {one!r}"
            )
    if not wanted:
        raise ParameterError("there is nothing to render: the list of objectives is empty")
    return [one for one in wanted if isinstance(one, Objective)]


def whole(name: str, value: object) -> int:
    """The value, if it is a whole number.

    Raises:
        ArgumentError: it is something else.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise ArgumentError(f"{name} is {value!r}; expected a whole number")
    return value


def _transforms(transforms: object) -> tuple[Transform, ...] | None:
    if transforms is None:
        return None
    if isinstance(transforms, Iterable) and not isinstance(transforms, Transform):
        return tuple(as_transform(t) for t in transforms)
    return (as_transform(transforms),)


def _device(net: Network, device: torch.device | str | None) -> torch.device:
    if device is None:
        return net.device
    return usable_device(device)


def _kept(snapshots: Iterable[int] | int | Frames, jobs: Sequence[Job]) -> dict[str, Any]:
    """What is kept of the way: steps in memory, or frames on disk, whose names are distinct over the whole render."""
    if not isinstance(snapshots, Frames):
        return {"snapshots": _snapshots(snapshots, [job.recipe for job in jobs])}
    stems = store.distinct_stems([str(job.objective) for job in jobs])
    return {"snapshots": frozenset[int](), "frames": snapshots, "stems": stems}


def _snapshots(wanted: Iterable[int] | int, recipes: Sequence[Recipe]) -> frozenset[int]:
    steps = frozenset(wanted if isinstance(wanted, Iterable) else [wanted])
    most = max(recipe.total_steps for recipe in recipes)
    for step in steps:
        if not 0 <= whole("snapshots", step) <= most:
            raise ParameterError(f"snapshots has {step!r}; expected whole numbers of steps from 0 to {most}")
    return steps
