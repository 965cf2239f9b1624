"""Pictures that are rendered once and kept: an interactive page needs hundreds of small ones, again and again."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._algebra import Objective
from phosphene._component import check
from phosphene.blocks.kept import KeptPicture
from phosphene.blocks.picture_work import Work, finished
from phosphene.errors import ArgumentError, ParameterError
from phosphene.models.network import Network
from phosphene.render import Recipe, Result
from phosphene.render.api import whole
from phosphene.render.batches import Job, stream_keys
from phosphene.render.progress import Meter, Progress
from phosphene.render.run import Settings, usable_device
from phosphene.render.session import run_jobs
from phosphene.store.cache_folder import cache_folder
from phosphene.transforms import CropOrPad, Resize, ToInput

#: Views of the network's input size that a batch of small ones may add up to, and pictures in a batch at most.
_INPUTS_AT_ONCE, _MOST_AT_ONCE = 8, 64


@dataclass(frozen=True, eq=False)
class Rendered:
    """Pictures as they are shown.

    Attributes:
        images: (n, c, h, w) in [0, 1]; from a cache in steps of 1/255, and of 1 or 3 channels as they are shown, or 4
            with opacity.
        scores: score of each clean picture (n,), at the network's input size; nan where it was not finite.
    """

    images: Float[Tensor, "n c h w"]
    scores: Float[Tensor, " n"]

    def __len__(self) -> int:
        return len(self.images)


class Pictures:
    """Renders each picture once, and reads it from disk ever after.

    A picture is known by the network (weights, structure and preprocessing), the objective, its random stream, the
    recipe, the seed and phosphene's version; of pictures that influence each other, by all of them. Files are PNGs that
    ``phosphene replay`` makes again. What cannot be read, or is of something else, is rendered anew. Several processes
    may share a folder. What names a caller's own function or class is rendered every time: it may be another one
    tomorrow.

    Args:
        folder: where the files are kept; by default ``pictures`` in the folder that the environment variable
            ``PHOSPHENE_CACHE`` names, or in the user's cache folder. It is made when the first picture is kept, and may
            be removed at any time.
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        self.folder = cache_folder() / "pictures" if folder is None else Path(folder)

    def __repr__(self) -> str:
        return f"Pictures({str(self.folder)!r})"

    def get(  # noqa: PLR0913 - an entry point, keyword-only
        self,
        net: Network,
        objectives: Sequence[Objective],
        recipe: Recipe,
        *,
        seed: int = 0,
        batch_size: int | None = None,
        device: torch.device | str | None = None,
        progress: Progress = True,
    ) -> Rendered:
        """The pictures, in the order of the objectives: as they were kept, or rendered and kept.

        They have eight bits in both cases, so that it makes no difference. Those that are missing are kept batch by
        batch: an interrupt loses the batch that is under way.

        Args:
            net: the network.
            objectives: what is wanted; one that is repeated gets a picture from other noise each time.
            recipe: how; such as :func:`icon_of_channel`.
            seed: seed of every random stream.
            batch_size: pictures at once; by default what memory holds, more of small ones.
            device: where to compute; by default where the network is.
            progress: see :func:`phosphene.render`, for the missing ones.

        Raises:
            UnknownLayerError, UnknownClassError, UnitRangeError, LayoutError: an objective does not fit the network.
            ArgumentError, ParameterError: something that is no objective or recipe, or none at all.
            StorageError: a picture cannot be kept.
            KeyboardInterrupt: somebody interrupted; what was finished is kept.
        """
        jobs = _jobs(objectives, recipe)
        check(batch_size is None or batch_size >= 1, "batch_size", batch_size, "a whole number from 1, or None")
        settings = _settings(net, seed, device)
        work = Work.of(jobs, net, settings)
        kept = {job.key: picture for job in jobs if (picture := work.kept(self.folder, job)) is not None}
        size = _at_once(net, recipe) if batch_size is None else batch_size
        missing = work.missing(kept, size)
        with Meter(progress, sum(map(len, missing)) * recipe.total_steps) as advance:
            for some in missing:
                kept |= self._rendered(some, work, run_jobs(some, net, settings, batch_size=size, progress=advance))
        found = [kept[job.key] for job in jobs]
        return Rendered(torch.stack([one.image for one in found]), torch.tensor([one.score for one in found]))

    def _rendered(self, jobs: Sequence[Job], work: Work, result: Result) -> dict[str, KeptPicture]:
        """What was rendered, which is kept.

        Raises:
            KeyboardInterrupt: somebody interrupted before all jobs were done.
        """
        kept = work.keep(self.folder, result)
        if not all(job.key in kept for job in jobs):
            raise KeyboardInterrupt
        return kept


def _jobs(objectives: Sequence[Objective], recipe: Recipe) -> list[Job]:
    for one in objectives:
        if not isinstance(one, Objective):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ArgumentError(f"expected objectives such as ph.Channel('blocks.8', 7); got {one!r}")
    if not isinstance(recipe, Recipe):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ArgumentError(f"recipe must be a Recipe, such as icon_of_channel(net); got {recipe!r}")
    if not objectives:
        raise ParameterError("there is nothing to show: the list of objectives is empty")
    return [
        Job(i, one, recipe, key) for i, (one, key) in enumerate(zip(objectives, stream_keys(objectives), strict=True))
    ]


def _at_once(net: Network, recipe: Recipe) -> int:
    """Pictures in a batch: more where the network sees views that are smaller than its input."""
    resized = not net.any_size or any(isinstance(t, ToInput | Resize | CropOrPad) for t in recipe.transforms)
    share = 1.0 if resized else min(1.0, prod(max(recipe.sizes)) / prod(net.input_size))
    return min(_MOST_AT_ONCE, max(1, round(_INPUTS_AT_ONCE / (share * recipe.views))))


def _settings(net: Network, seed: int, device: torch.device | str | None = None) -> Settings:
    """Without views that were held out: sixteen of the network's input size are more work than a small picture."""
    own = net.device
    return Settings(
        seed=whole("seed", seed),
        device=own if device is None else usable_device(device),
        dtype=torch.float32,
        snapshots=frozenset(),
        weights_digest=net.digest,
        held_out=False,
    )


def drawn(
    net: Network,
    objectives: Sequence[Objective],
    recipe: Recipe,
    *,
    cache: Pictures | None,
    seed: int,
    progress: Progress,
) -> Rendered:
    """Pictures from a cache, or, where there is none, rendered in one call.

    Raises:
        KeyboardInterrupt: somebody interrupted.
    """
    if cache is not None:
        return cache.get(net, objectives, recipe, seed=seed, progress=progress)
    jobs, size = _jobs(objectives, recipe), _at_once(net, recipe)
    result = run_jobs(jobs, net, _settings(net, seed), batch_size=size, progress=progress)
    if len(result) < len(jobs) or not all(finished(result, recipe)):
        raise KeyboardInterrupt
    return Rendered(result.images, result.final_scores)
