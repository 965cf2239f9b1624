"""One batch, from noise to pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter

import torch
from torch import Tensor

from phosphene.errors import ParameterError
from phosphene.functional.random import Streams
from phosphene.models.network import Network
from phosphene.objectives import Scorer, compile_objectives
from phosphene.render.batches import Job
from phosphene.render.engine import Record, climb
from phosphene.render.guard import MAX_RESTARTS, Guard, Start, revive
from phosphene.render.problem import Forward, Problem
from phosphene.transforms import ToInput, ViewPipeline, ViewPlan, held_out_views

#: Held-out views by which robustness is measured: so many looks of so many views.
_ROBUST_LOOKS, _ROBUST_VIEWS = 4, 4


@dataclass(frozen=True)
class Settings:
    """What holds for a whole render.

    Attributes:
        seed: seed of every random stream.
        device: where to compute.
        dtype: float32, float64, or bfloat16 (autocast of the network; images stay float32).
        snapshots: the steps after which the images are kept.
        weights_digest: SHA-256 of the network's weights when the render began.
    """

    seed: int
    device: torch.device
    dtype: torch.dtype
    snapshots: frozenset[int]
    weights_digest: str

    @property
    def image_dtype(self) -> torch.dtype:
        """What images and parameters are computed in."""
        return torch.float64 if self.dtype is torch.float64 else torch.float32


def usable_device(device: torch.device | str) -> torch.device:
    """A device on which this machine can compute.

    Raises:
        ParameterError: there is no such device here.
    """
    try:
        found = torch.device(device)
        torch.zeros(1, device=found).cpu()
        return found
    except (RuntimeError, AssertionError, TypeError, NotImplementedError) as error:
        known = "expected 'cpu', 'cuda', 'cuda:1', 'mps' …"
        why = str(error).strip().split("\n")[0]
        raise ParameterError(f"device is {str(device)!r}, which cannot be used here; {known}: {why}") from None


@dataclass(frozen=True)
class Outcome:
    """What became of one batch; tensors on the CPU, float32.

    Attributes:
        jobs: the batch.
        images: (n, c, h, w) in [0, 1].
        scores: score of each image at the start of each step (n, steps done).
        final_scores: score of each clean picture (n,), at the network's input size.
        robust_scores: mean score over sixteen held-out views (n,).
        status: how each image fared.
        snapshots: images after the wanted steps.
        seconds: how long it took.
        interrupted: whether a person ended it early.
    """

    jobs: tuple[Job, ...]
    images: Tensor
    scores: Tensor
    final_scores: Tensor
    robust_scores: Tensor
    status: tuple[str, ...]
    snapshots: Mapping[int, Tensor]
    seconds: float
    interrupted: bool


def scorer_of(jobs: Sequence[Job], net: Network) -> Scorer:
    """What the jobs of a batch climb: their objectives, with the recipe's regularizer."""
    extra = jobs[0].recipe.regularizer
    return compile_objectives([j.objective if extra is None else j.objective + extra for j in jobs], net)


def run_batch(
    jobs: tuple[Job, ...], net: Network, settings: Settings, *, forward: Forward, progress: Callable[[int], None]
) -> Outcome:
    """Render jobs that share a recipe, through a pass that gives what their scorer reads."""
    started = perf_counter()
    recipe = jobs[0].recipe
    plan = view_plan(jobs, net, settings)
    noise = plan.streams.fork("start")
    canvas = recipe.parameterization.build(len(jobs), noise, device=settings.device, dtype=settings.image_dtype)
    problem = Problem(canvas, forward, scorer_of(jobs, net))
    start = revive(problem, ViewPipeline(recipe.transforms, plan).look(0), noise)
    guard = Guard(problem, recipe.optimizer.start(problem.parameters))
    record = Record(torch.zeros(recipe.steps, len(jobs), device=settings.device), settings.snapshots)
    record.keep(0, problem.image)
    climb(guard, ViewPipeline(recipe.transforms, plan), record, progress=progress)
    clean, robust = _measured(
        Problem(canvas, forward, compile_objectives([j.objective for j in jobs], net)), plan, record
    )
    return Outcome(
        jobs=jobs,
        images=problem.image().to("cpu", torch.float32),
        scores=record.scores[: record.steps].T.to("cpu", torch.float32),
        final_scores=clean,
        robust_scores=robust,
        status=tuple(
            _sentence(s, stopped, record) for s, stopped in zip(start, guard.stopped_at.tolist(), strict=True)
        ),
        snapshots=record.snapshots,
        seconds=perf_counter() - started,
        interrupted=record.interrupted,
    )


def view_plan(jobs: Sequence[Job], net: Network, settings: Settings) -> ViewPlan:
    """What the transforms of a batch need to know; every image's stream depends on the seed and on its objective
    alone.
    """
    recipe = jobs[0].recipe
    return ViewPlan(
        canvas=(recipe.parameterization.height, recipe.parameterization.width),
        streams=Streams(tuple(j.key for j in jobs), settings.seed, settings.device),
        n_views=recipe.views,
        input_size=net.input_size,
        fixed_size=not net.any_size,
    )


def _measured(problem: Problem, plan: ViewPlan, record: Record) -> tuple[Tensor, Tensor]:
    """The final scores; an interrupt while they are measured leaves them unknown, and the pictures as they are."""
    try:
        return measure(problem, plan)
    except KeyboardInterrupt:
        record.interrupted = True
        unknown = torch.full((problem.n_images,), torch.nan)
        return unknown, unknown


def measure(problem: Problem, plan: ViewPlan) -> tuple[Tensor, Tensor]:
    """Scores (n,) of the clean pictures, and their means over held-out views that are the same for every picture."""
    same = Streams(("held-out",) * problem.n_images, 0, plan.streams.device)
    clean = problem.score(ViewPipeline((ToInput(),), replace(plan, streams=same, n_views=1)).look(0))
    held_out = ViewPipeline(held_out_views(), replace(plan, streams=same, n_views=_ROBUST_VIEWS))
    robust = torch.stack([problem.score(held_out.look(i)) for i in range(_ROBUST_LOOKS)]).mean(0)
    return clean.to("cpu", torch.float32), robust.to("cpu", torch.float32)


def _sentence(start: Start, stopped_at: int, record: Record) -> str:
    """How an image fared; "ok" where all went well."""
    if stopped_at:
        return f"stopped at step {stopped_at}: score or gradient was not finite; the image before it is kept"
    if start.dead:
        return f"dead: the gradient stayed exactly zero through {MAX_RESTARTS} restarts from stronger noise"
    if record.interrupted:
        return f"interrupted after step {record.steps}"
    return (
        f"ok, after {start.restarts} restarts: the gradient was exactly zero at the start" if start.restarts else "ok"
    )
