"""One evolution, from its first generation to its result."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from time import perf_counter

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.errors import EvolutionError
from phosphene.evolution.course import Generations
from phosphene.evolution.document import Origin
from phosphene.evolution.result import Evolution, Trajectory
from phosphene.optimizers import Search
from phosphene.render.engine import Record, climb
from phosphene.render.progress import Meter, Progress
from phosphene.scorers import Scorer, Scoring


@dataclass(frozen=True, eq=False)
class Wishes:
    """What is wanted beside the picture.

    Attributes:
        references: images (r, c, h, w) that are scored at the end.
        snapshots: generations after which the recommended image is kept.
        device: where images are decoded and scored.
        progress: a bar, or who is told of it.
        resume: an evolution whose generations are taken over.
    """

    references: Float[Tensor, "r c h w"] | None
    snapshots: frozenset[int]
    device: torch.device
    progress: Progress
    resume: Evolution | None = None


@dataclass(frozen=True, eq=False)
class _Seen:
    """What the last look saw: the picture (1, c, h, w), its code, its score (1,), and the references' scores."""

    image: Tensor
    code: Tensor
    score: Tensor
    references: Tensor | None


def run(made: Origin, scorer: Scorer, search: Search, wishes: Wishes) -> Evolution:
    """Let the search go its generations, and look at what it recommends.

    Raises:
        EvolutionError: the scorer failed after the first generation; the error holds what was evolved until then.
    """
    started = perf_counter()
    known = 0 if wishes.resume is None else len(wishes.resume.trajectory)
    with scorer.open(wishes.device, n_scored=known * search.population) as score:
        course, record = _begun(made, search, score, wishes)
        # Simulated noise is left out of the last score: runs are compared by what the unit itself would say.
        seen, failure = _climbed(course, record, score if scorer.noise is None else score.clean, wishes)
        result = _result(made, scorer, course, record, seen or _unseen(course))
    result = replace(result, references=wishes.references, seconds=perf_counter() - started)
    if failure is None:
        return result
    raise EvolutionError(
        f"the scorer failed after generation {record.steps}: {type(failure).__name__}: {failure}; this error's "
        "'partial' holds what was evolved until then, and evolve(…, resume=error.partial) goes on from there",
        result,
    ) from failure


def _begun(made: Origin, search: Search, score: Scoring, wishes: Wishes) -> tuple[Generations, Record]:
    """The generations, and what is noted of them, at the start or behind those that are taken over."""
    course = Generations(search, made.space.open(wishes.device), score, n_generations=made.generations)
    record = Record(torch.zeros(made.generations, search.population), wishes.snapshots, lambda step, image: None)
    if wishes.resume is not None:
        course.recall(wishes.resume.trajectory.ids, wishes.resume.trajectory.scores)
        record.steps = len(wishes.resume.trajectory)
    record.keep(course.image)
    return course, record


def _climbed(
    course: Generations, record: Record, look: Callable[[Tensor], Tensor], wishes: Wishes
) -> tuple[_Seen | None, Exception | None]:
    """Let the generations go by and look at the end; what was seen, or why it ended early."""
    try:
        with Meter(wishes.progress, (course.n_generations - record.steps) * course.n_images) as advance:
            climb(course, record, progress=advance)
        return (None if record.interrupted else _last_look(course, look, wishes.references)), None
    except KeyboardInterrupt:
        record.interrupted = True
    except Exception as error:  # whatever the caller's scorer raises
        if not record.steps:
            raise
        return None, error
    return None, None


def _result(made: Origin, scorer: Scorer, course: Generations, record: Record, seen: _Seen) -> Evolution:
    trajectory = _trajectory(course)
    best_code, best_score = _best(course, trajectory, seen.code)
    return Evolution(
        images=seen.image.to("cpu", torch.float32),
        names=(scorer.name,),
        scores=(trajectory.mean_scores.float(),),
        final_scores=seen.score,
        robust_scores=torch.full((1,), torch.nan),
        status=(_status(record, trajectory),),
        snapshots=record.snapshots,
        transparency=None,
        seconds=0.0,
        _origin=(),
        code=seen.code,
        best_code=best_code,
        best_score=best_score,
        trajectory=trajectory,
        references=None,
        reference_scores=seen.references,
        _space=made.space,
        _scorer=scorer,
        _made=replace(made, generations=record.steps),
    )


def _unseen(course: Generations) -> _Seen:
    """The picture, without a score."""
    # After an interrupt the search may know more than the generations that were kept.
    code = (course.history.means[-1] if course.history.means else course.search.recommend()).float()
    return _Seen(course.decode(code[None]), code, torch.full((1,), torch.nan), None)


def _last_look(course: Generations, score: Callable[[Tensor], Tensor], references: Tensor | None) -> _Seen:
    """The picture and its score, and those of the reference images."""
    seen = _unseen(course)
    found = score(seen.image).float().cpu()
    known = None if references is None else score(references.to(seen.image.device)).float().cpu()
    return replace(seen, score=found, references=known)


def _best(course: Generations, trajectory: Trajectory, fallback: Tensor) -> tuple[Tensor, float]:
    """Code and score of what scored highest in the generations that were kept; NaN where nothing has a score."""
    best = course.search.best_observed
    if best is None:
        return fallback, math.nan
    if trajectory.best_codes is None or best.id in {name for names in trajectory.ids for name in names}:
        return best.code.float(), best.score
    # The best belongs to a generation that an interrupt cut short.
    scores = trajectory.best_scores.nan_to_num(nan=-math.inf)
    if not len(scores) or not bool(scores.isfinite().any()):
        return fallback, math.nan
    row = int(scores.argmax())
    return trajectory.best_codes[row], float(scores[row])


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
