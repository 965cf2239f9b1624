"""One evolution, from its first generation to its result."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from time import perf_counter

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.evolution.course import Generations
from phosphene.evolution.document import Origin
from phosphene.evolution.result import Evolution, Trajectory
from phosphene.optimizers import Search
from phosphene.render.engine import Record, climb
from phosphene.render.progress import Meter, Progress
from phosphene.scorers import Scorer


@dataclass(frozen=True, eq=False)
class Wishes:
    """What is wanted beside the picture.

    Attributes:
        references: images (r, c, h, w) that are scored at the end.
        snapshots: generations after which the recommended image is kept.
        device: where images are decoded and scored.
        progress: a bar, or who is told of it.
    """

    references: Float[Tensor, "r c h w"] | None
    snapshots: frozenset[int]
    device: torch.device
    progress: Progress


@dataclass(frozen=True, eq=False)
class _Seen:
    """What the last look saw: the picture (1, c, h, w), its code, its score (1,), and the references' scores."""

    image: Tensor
    code: Tensor
    score: Tensor
    references: Tensor | None


def run(made: Origin, scorer: Scorer, search: Search, wishes: Wishes) -> Evolution:
    """Let the search go its generations, and look at what it recommends."""
    started = perf_counter()
    with ExitStack() as stack:
        score, decode = stack.enter_context(scorer.open(wishes.device)), made.space.open(wishes.device)
        course = Generations(search, decode, score, n_generations=made.generations)
        record = Record(torch.zeros(made.generations, search.population), wishes.snapshots, lambda step, image: None)
        record.keep(course.image)
        with Meter(wishes.progress, made.generations * search.population) as advance:
            climb(course, record, progress=advance)
        # Simulated noise is left out of the last score: runs are compared by what the unit itself would say.
        look = score if scorer.noise is None else score.clean
        seen = _last_look(course, look, wishes.references, interrupted=record.interrupted)
    trajectory, best = _trajectory(course), search.best_observed
    return Evolution(
        images=seen.image.to("cpu", torch.float32),
        names=(scorer.name,),
        scores=(trajectory.mean_scores.float(),),
        final_scores=seen.score,
        robust_scores=torch.full((1,), torch.nan),
        status=(_status(record, trajectory),),
        snapshots=record.snapshots,
        transparency=None,
        seconds=perf_counter() - started,
        _origin=(),
        code=seen.code,
        best_code=seen.code if best is None else best.code.float(),
        best_score=float("nan") if best is None else best.score,
        trajectory=trajectory,
        references=wishes.references,
        reference_scores=seen.references,
        _space=made.space,
        _scorer=scorer,
        _made=replace(made, generations=record.steps),
    )


def _last_look(
    course: Generations, score: Callable[[Tensor], Tensor], references: Tensor | None, *, interrupted: bool
) -> _Seen:
    """The picture and its score, and those of the reference images; unknown where the run was interrupted."""
    # After an interrupt the search may know more than the generations that were kept.
    code = (course.history.means[-1] if course.history.means else course.search.recommend()).float()
    image = course.decode(code[None])
    if interrupted:
        return _Seen(image, code, torch.full((1,), torch.nan), None)
    seen = None if references is None else score(references.to(image.device)).float().cpu()
    return _Seen(image, code, score(image).float().cpu(), seen)


def _trajectory(course: Generations) -> Trajectory:
    history, n, dim = course.history, course.search.population, course.search.dim
    codes = torch.stack(history.codes) if history.codes else torch.zeros(0, n, dim)
    return Trajectory(
        ids=tuple(history.ids),
        codes=codes if history.keeps_codes else None,
        scores=torch.stack(history.scores) if history.scores else torch.zeros(0, n, dtype=torch.float64),
        means=torch.stack(history.means) if history.means else torch.zeros(0, dim),
        figures=tuple(history.figures),
    )


def _status(record: Record, trajectory: Trajectory) -> str:
    if record.interrupted:
        return f"interrupted after generation {record.steps}"
    lost = int(trajectory.scores.isnan().sum())
    if lost and lost == trajectory.scores.numel():
        return "every score was lost: none was a finite number"
    return f"ok, {lost} of {trajectory.scores.numel()} scores were lost" if lost else "ok"
