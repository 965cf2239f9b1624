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
from phosphene.render.api import whole
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
    resume: Evolution | None = None,
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
        resume: an evolution that ended early, or after fewer generations, with the same space, optimizer, population,
            origin and seed: its scores are taken over, and the run goes on behind them as if it had never ended.
        seed: seed of the search.
        device: where images are decoded and, by scorers of this machine, scored.
        progress: whether a bar is shown, or a function that is told how many images were scored.

    Returns:
        the recommended picture with its trajectory. After a keyboard interrupt: as far as whole generations went.

    Raises:
        ArgumentError, ParameterError: an argument is of the wrong kind or out of range; nothing was scored.
        EvolutionError: the scorer failed in the middle; the error's ``partial`` holds the generations before.
    """
    scorer, space = as_scorer(scorer), as_space(space)
    generations = whole("generations", generations)
    check(0 <= generations <= MAX_GENERATIONS, "generations", generations, f"a number from 0 to {MAX_GENERATIONS}")
    optimizer = _optimizer(optimizer, population).for_generations(generations)
    origin = None if origin is None else _code(origin)
    made = Origin(
        scorer=scorer,
        scorer_document=None,
        space=space,
        optimizer=optimizer,
        generations=generations,
        seed=whole("seed", seed),
        origin=None if origin is None else FrozenArray.of(origin.numpy()),
        picture="recommended",
        threads=torch.get_num_threads(),
        device=usable_device(device).type,
    )
    shown = None if references is None else reference_images(references, space.image_shape)
    search = optimizer.search(space.dim, seed=seed, origin=origin)
    wishes = Wishes(
        shown, _snapshots(snapshots, generations), usable_device(device), progress, _resumable(resume, made)
    )
    with torch.inference_mode(False), torch.no_grad():
        return run(made, scorer, search, wishes)


def _code(origin: object) -> Tensor:
    try:
        return torch.as_tensor(origin).detach().to("cpu", torch.float64)
    except (TypeError, ValueError, RuntimeError):
        raise ArgumentError(f"origin is {type(origin).__name__}; expected a code (d,), or several (m, d)") from None


def _snapshots(wanted: Iterable[int], generations: int) -> frozenset[int]:
    found = frozenset(wanted)
    for one in found:
        fits = 0 <= whole("snapshots", one) <= generations
        check(fits, "snapshots", one, f"numbers of generations from 0 to {generations}")
    return found


def _resumable(resume: Evolution | None, made: Origin) -> Evolution | None:
    """An evolution to go on from, which must be the beginning of this one.

    Raises:
        ParameterError: it is that of another search.
    """
    if resume is None:
        return None
    before = resume.made
    for name in ("space", "optimizer", "seed", "origin"):
        was, now = getattr(before, name), getattr(made, name)
        check(was == now, "resume", f"an evolution with {name} {was}", f"one with {now}")
    fewer = before.generations <= made.generations
    check(fewer, "resume", f"{before.generations} generations", f"at most generations={made.generations}")
    return resume


def _optimizer(optimizer: Any, population: int | None) -> SearchOptimizer:
    optimizer = CMAES() if optimizer is None else optimizer
    if not isinstance(optimizer, SearchOptimizer):
        raise ArgumentError(
            f"optimizer is {type(optimizer).__name__}; expected one that needs no gradient, such as "
            "ph.optimizers.CMAES()"
        )
    return optimizer if population is None else replace(optimizer, population=population)
