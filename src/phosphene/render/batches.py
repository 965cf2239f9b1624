"""From objectives to batches: what shares layers and recipe is rendered together, as many as memory holds."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import torch

from phosphene._algebra import Objective
from phosphene.functional.random import numbered
from phosphene.models.network import Network
from phosphene.objectives import compile_objectives
from phosphene.objectives.compile import structure
from phosphene.render.recipe import Recipe
from phosphene.transforms import CropOrPad, Resize, ToInput

#: A batch of eight takes 30 % less time per image than single ones on two CPU cores (``benchmarks/speed.py``); larger
#: ones lose more when one is broken off. The accelerator's figure is a guess: none was at hand to measure on.
_CPU_BATCH, _ACCELERATOR_BATCH = 8, 64
#: Share of the free memory that a batch may fill by the estimate below.
_MEMORY_SHARE = 0.5
#: Activations kept for the backward pass, their gradients, and what convolutions need meanwhile, in units of the
#: activations.
_ACTIVATION_COPIES = 4
#: Copies of an image: parameters, those before the step, gradients, what conditioners and octaves need. A dream of
#: 12 megapixels took 1.74 GiB beside the network, which is 13 (``benchmarks/dream_memory.py``).
_IMAGE_COPIES = 13


@dataclass(frozen=True)
class Job:
    """One picture that is wanted.

    Attributes:
        index: its place among the results.
        objective: what is wanted.
        recipe: how.
        key: name of its random stream.
    """

    index: int
    objective: Objective
    recipe: Recipe
    key: str


def stream_keys(objectives: Sequence[Objective]) -> tuple[str, ...]:
    """A name for each objective's random stream: its own digest, and a number where an objective is repeated."""
    texts = [json.dumps(objective.to_json(), sort_keys=True) for objective in objectives]
    return numbered([hashlib.sha256(text.encode()).hexdigest()[:16] for text in texts])


def plan_batches(
    jobs: Sequence[Job], net: Network, *, batch_size: int | None, device: torch.device
) -> Iterator[tuple[Job, ...]]:
    """Batches of jobs that share recipe and layers, in order of first appearance.

    Raises:
        UnknownLayerError, UnknownClassError, UnitRangeError, LayoutError: an objective does not fit the network.
    """
    groups: defaultdict[object, list[Job]] = defaultdict(list)
    for job in jobs:
        layers = compile_objectives([job.objective], net).layers
        groups[job.recipe, layers, structure(job.objective) if is_coupled(job) else None].append(job)
    for (recipe, layers, company), group in ((key, group) for key, group in groups.items() if isinstance(key, tuple)):
        size = batch_size or _fitting(net, recipe, layers, device=device)
        # Images that influence each other stay together, however many they are.
        size = size if company is None else len(group)
        for start in range(0, len(group), size):
            yield tuple(group[start : start + size])


def is_coupled(job: Job) -> bool:
    """Whether a job's image influences those of others, so that their batch must not be split."""
    extra = job.recipe.regularizer
    return job.objective.coupled or (extra is not None and extra.coupled) or job.recipe.parameterization.couples


def _fitting(net: Network, recipe: Recipe, layers: frozenset[str], *, device: torch.device) -> int:
    """How many images fit into memory at once, by the sizes of the activations up to the deepest layer."""
    most = _CPU_BATCH if device.type == "cpu" else _ACCELERATOR_BATCH
    reached = needed = 0
    containers = {name.rpartition(".")[0] for name in net.shapes}
    for name, shape in net.shapes.items():
        # A container puts out what the last layer inside it does, and is not counted again.
        reached += 0 if name in containers else prod(shape.shape)
        needed = reached if name in layers or "" in layers else needed
    per_image = 4 * _ACTIVATION_COPIES * recipe.views * max(1, needed) * _area_of_a_view(net, recipe)
    per_image += 4 * _IMAGE_COPIES * recipe.parameterization.image_channels * prod(max(recipe.sizes))
    return max(1, min(most, int(_MEMORY_SHARE * free_memory(device)) // per_image))


def _area_of_a_view(net: Network, recipe: Recipe) -> int:
    """How many network inputs a view may be large, at least 1: views that are not resized are the canvas or a tile."""
    if any(isinstance(t, ToInput | Resize | CropOrPad) for t in recipe.transforms) or not net.any_size:
        return 1
    tiles = recipe.tiles
    height, width = max(recipe.sizes)
    if tiles is not None:
        height, width = min(height, tiles.height), min(width, tiles.width)
    return max(1, round(height * width / prod(net.input_size)))


def free_memory(device: torch.device) -> int:
    """Bytes on a device that a render may use: on a CPU what Linux calls available, elsewhere half of all memory."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/meminfo").read_text().splitlines()
        return 1024 * int(next(line for line in lines if line.startswith("MemAvailable:")).split()[1])
    known = hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2 if known else 2**32


def out_of_memory(error: RuntimeError) -> bool:
    """Whether an error says that memory ran out, on whatever device."""
    return (
        isinstance(error, torch.OutOfMemoryError)
        or "can't allocate memory" in str(error)
        or "not enough memory" in str(error)
    )
