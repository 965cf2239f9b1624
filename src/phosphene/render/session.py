"""Jobs to a result: batch by batch, smaller ones when memory runs out, and nothing lost at an interrupt."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack

import torch

from phosphene.errors import ParameterError
from phosphene.models.network import Network
from phosphene.models.prepare import prepare
from phosphene.objectives import check_positions
from phosphene.render.batches import Job, is_coupled, out_of_memory, plan_batches
from phosphene.render.problem import Forward
from phosphene.render.progress import Meter, Progress
from phosphene.render.recipe import Recipe
from phosphene.render.result import Result, gather
from phosphene.render.run import Outcome, Settings, run_batch, scorer_of


def run_jobs(
    jobs: Sequence[Job], net: Network, settings: Settings, *, batch_size: int | None, progress: Progress
) -> Result:
    """Render all jobs. After a keyboard interrupt the result holds the pictures that were begun.

    Raises:
        ParameterError: a recipe makes images that the network does not take, or the batch size is out of range.
        UnknownLayerError, UnknownClassError, UnitRangeError, LayoutError: an objective does not fit the network.
    """
    for job in jobs:
        _check_channels(job.recipe, net)
        _check_tiles(job)
        check_positions(job.objective, net)
    if batch_size is not None and batch_size < 1:
        raise ParameterError(f"batch_size is {batch_size!r}; expected a whole number above 0, or None")
    # A caller may be under no_grad or inference_mode; climbing needs gradients.
    with torch.inference_mode(False), torch.enable_grad():
        batches = list(plan_batches(jobs, net, batch_size=batch_size, device=settings.device))
        with Meter(progress, sum(job.recipe.total_steps for job in jobs)) as advance:
            outcomes = _run(batches, net, settings, progress=advance)
    return gather(outcomes, net, settings)


def _run(
    batches: Iterable[tuple[Job, ...]], net: Network, settings: Settings, *, progress: Callable[[int], None]
) -> list[Outcome]:
    waiting, outcomes = list(batches), list[Outcome]()
    try:
        with OpenPass(net, settings) as opened:
            while waiting and not (outcomes and outcomes[-1].interrupted):
                jobs = waiting.pop(0)
                told: list[int] = []
                try:
                    forward = opened.to(scorer_of(jobs, net).layers)
                    tell = _remembering(progress, told)
                    outcomes.append(run_batch(jobs, net, settings, forward=forward, progress=tell))
                except RuntimeError as error:
                    if len(jobs) == 1 or is_coupled(jobs[0]) or not out_of_memory(error):
                        raise
                    progress(-sum(told))
                    half = len(jobs) // 2
                    waiting[:0] = [jobs[:half], jobs[half:]]
    except KeyboardInterrupt:
        # An interrupt before a batch's first step leaves nothing of that batch; those before it are whole.
        if not outcomes:
            raise
    return outcomes


class OpenPass(ExitStack):
    """The prepared network, kept from one batch to the next while these read the same layers."""

    def __init__(self, net: Network, settings: Settings) -> None:
        super().__init__()
        self.net, self.settings = net, settings
        self.layers: frozenset[str] | None = None
        self.forward: Forward | None = None

    def to(self, layers: frozenset[str]) -> Forward:
        """A pass that gives these layers."""
        if self.forward is None or layers != self.layers:
            self.close()
            ready = prepare(self.net, sorted(layers), device=self.settings.device, dtype=self.settings.dtype)
            self.forward, self.layers = self.enter_context(ready), layers
        return self.forward


def _remembering(progress: Callable[[int], None], told: list[int]) -> Callable[[int], None]:
    """``progress``, with a list of what it was told, which a batch that fails takes back."""

    def tell(n: int) -> None:
        told.append(n)
        progress(n)

    return tell


def _check_channels(recipe: Recipe, net: Network) -> None:
    made = recipe.view_channels
    if made != net.n_channels:
        kind = recipe.parameterization.kind()
        changed = "" if made == recipe.parameterization.image_channels else ", as the recipe's transforms leave it,"
        raise ParameterError(f"{net.name} takes images of {net.n_channels} channels; {kind}{changed} makes {made}")


def _check_tiles(job: Job) -> None:
    extra = job.recipe.regularizer
    wanted = job.objective if extra is None else job.objective + extra
    tiles = job.recipe.tiles
    if tiles is not None and wanted.needs_whole_image and not all(tiles.fits(*size) for size in job.recipe.sizes):
        raise ParameterError(f"{wanted} needs the whole image, but the recipe looks at tiles; take tiles=None")
