"""The public door: ``evolve``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from os import PathLike
from typing import Any

import torch
from torch import Tensor

from phosphene._component import check
from phosphene._types import FrozenArray
from phosphene.errors import ArgumentError
from phosphene.evolution.document import MAX_GENERATIONS, Origin
from phosphene.evolution.references import reference_images
from phosphene.evolution.result import Evolution
from phosphene.evolution.run import Wishes, run
from phosphene.optimizers import CMAES, SearchOptimizer
from phosphene.parameterizations import Parameterization
from phosphene.parameterizations.generators import Generator
from phosphene.render.progress import Progress
from phosphene.render.run import usable_device
from phosphene.scorers import BlackBox, Scorer, as_scorer
from phosphene.spaces import Space, as_space


def evolve(  # noqa: PLR0913 - the public door: what is positional, how is keyword-only
    scorer: Scorer | BlackBox | Callable[..., object],
    space: Space | Parameterization | Generator,
    *,
    optimizer: SearchOptimizer | None = None,
    generations: int = 75,
    population: int | None = None,
    references: Tensor | Iterable[Tensor] | str | PathLike[str] | None = None,
    origin: Tensor | None = None,
    snapshots: Iterable[int] = (),
    seed: int = 0,
    device: torch.device | str = "cpu",
    progress: Progress = True,
) -> Evolution:
    """Evolve the image that drives a unit most, from scores alone; the unit is never asked for a gradient.

    75 generations of 40 images are what Wang and Ponce (2022) gave neurons and networks.

    Args:
        scorer: a :mod:`phosphene.scorers` value, or any function of NumPy images (n, h, w, c) in [0, 1] that gives one
            score each, bigger is better.
        space: what turns codes into images: a :mod:`phosphene.spaces` value, a parameterization or a generator.
        optimizer: how codes are searched; by default ``ph.optimizers.CMAES()``, whose covariance fits the dimension.
        generations: number of generations.
        population: candidates of a generation, instead of the optimizer's.
        references: reference images to compare with, scored after the last generation: images (n, c, h, w) in [0, 1],
            or a folder of photographs.
        origin: a code (d,) or several (m, d) to start from.
        snapshots: generations after which the recommended image is kept in ``result.snapshots``; 0 is the start.
        seed: seed of the search.
        device: where images are decoded and, by scorers of this machine, scored.
        progress: whether a bar is shown, or a function that is told how many images were scored.

    Returns:
        the recommended picture with its trajectory. After a keyboard interrupt: as far as whole generations went.

    Raises:
        ArgumentError, ParameterError: an argument is of the wrong kind or out of range; nothing was scored.
    """
    scorer, space = as_scorer(scorer), as_space(space)
    optimizer = _optimizer(optimizer, population)
    check(0 <= generations <= MAX_GENERATIONS, "generations", generations, f"a number from 0 to {MAX_GENERATIONS}")
    made = Origin(
        scorer=scorer,
        scorer_document=None,
        space=space,
        optimizer=optimizer,
        generations=generations,
        seed=seed,
        origin=None if origin is None else FrozenArray.of(origin.detach().cpu().numpy()),
        picture="recommended",
        threads=torch.get_num_threads(),
        device=usable_device(device).type,
    )
    shown = None if references is None else reference_images(references, space.image_shape)
    search = optimizer.search(space.dim, seed=seed, origin=origin)
    with torch.inference_mode(False), torch.no_grad():
        return run(made, scorer, search, Wishes(shown, frozenset(snapshots), usable_device(device), progress))


def _optimizer(optimizer: Any, population: int | None) -> SearchOptimizer:
    optimizer = CMAES() if optimizer is None else optimizer
    if not isinstance(optimizer, SearchOptimizer):
        raise ArgumentError(
            f"optimizer is {type(optimizer).__name__}; expected one that needs no gradient, such as "
            "ph.optimizers.CMAES()"
        )
    return optimizer if population is None else replace(optimizer, population=population)
