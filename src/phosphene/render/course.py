"""The stages of a run: what changes from one to the next, and what is carried over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from phosphene.functional.random import Streams
from phosphene.models.network import Network
from phosphene.objectives import Scorer
from phosphene.parameterizations import Canvas
from phosphene.render.guard import Guard, Start, revive
from phosphene.render.problem import Forward, Look, Problem, Slope, direct, no_slope
from phosphene.render.recipe import Recipe
from phosphene.render.slopes import ThroughImage, Tiled, WholeImage
from phosphene.transforms import ViewPipeline, ViewPlan


@dataclass(frozen=True)
class Stage:
    """A part of a run in which nothing changes but the parameters.

    Attributes:
        guard: takes its steps.
        views: its transforms, made ready.
        steps: how many steps it has.
        done: called after each step.
    """

    guard: Guard
    views: ViewPipeline
    steps: int
    done: Callable[[], None]

    def looks(self) -> Iterator[Look]:
        """The look of each step."""
        for step in range(self.steps):
            yield Look(self.views.look(step), step)
            self.done()


@dataclass(frozen=True)
class Setting:
    """What a course is run with.

    Attributes:
        net: the network.
        forward: the pass that gives what the scorer reads.
        scorer: what the images climb.
        streams: the images' random streams.
        dtype: what images and parameters are computed in.
    """

    net: Network
    forward: Forward
    scorer: Scorer
    streams: Streams
    dtype: torch.dtype


class Course:
    """The stages of one batch, made one after the other as the loop asks for them.

    Attributes:
        n_images: number of images.
        starts: how each image started.
        slope: how the gradient is computed.
    """

    def __init__(self, recipe: Recipe, setting: Setting) -> None:
        self.recipe, self.setting = recipe, setting
        self.n_images = len(setting.streams.keys)
        self.slope = _slope(recipe, setting.streams)
        self.starts = [Start(0, False)] * self.n_images
        self.canvas = recipe.parameterization.build(
            self.n_images, setting.streams.fork("start"), device=setting.streams.device, dtype=setting.dtype
        )
        if recipe.projections or recipe.stages is not None:
            _check_assignable(self.canvas)
        self.guard: Guard | None = None
        # The canvas of the stage before, until the first step of the next one is done, and the steps before that.
        self._before: Canvas | None = None
        self._steps_before = 0

    def __iter__(self) -> Iterator[Stage]:
        enter = None if self.recipe.stages is None else self.recipe.stages.begin(self.image())
        for number, steps in enumerate(self.recipe.stage_steps):
            canvas = self.canvas
            if enter is not None:
                canvas = self._canvas_of(enter(number, self.image()), number)
            self._before = self.canvas if number else None
            yield self._stage(canvas, number, steps)
            self._steps_before += steps

    def _canvas_of(self, image: Tensor, number: int) -> Canvas:
        """A canvas that shows ``image``, at its size."""
        noise, streams = self.setting.streams.fork(f"start/{number}"), self.setting.streams
        sized = self.recipe.parameterization.sized(image.shape[2], image.shape[3])
        canvas = sized.build(self.n_images, noise, device=streams.device, dtype=self.setting.dtype)
        canvas.assign(image)
        return canvas

    def _stage(self, canvas: Canvas, number: int, steps: int) -> Stage:
        recipe, setting = self.recipe, self.setting
        climbs = recipe.optimizer.needs_gradient
        slope = self.slope if climbs else no_slope
        problem = Problem(canvas, setting.forward, setting.scorer, slope=slope, overrides=recipe.overrides)
        plan = self.plan(recipe.sizes[number], number)
        if number == 0 and steps and climbs:
            look = Look(ViewPipeline(recipe.transforms, plan).look(0), 0)
            # A photograph is not to be drowned in noise.
            noise = None if recipe.parameterization.starts_from_image else setting.streams.fork("start/again")
            self.starts = revive(problem, look, noise)
        draws = setting.streams.fork(f"optimizer/{number}")
        stepper = recipe.optimizer.start(problem.parameters, draws)
        guard = Guard(problem, stepper, recipe.projections, before=self.guard, obeying=not climbs)
        self.canvas, self.guard = canvas, guard
        return Stage(guard, ViewPipeline(recipe.transforms, plan), steps, self._done)

    def plan(self, size: tuple[int, int], number: int) -> ViewPlan:
        """What the transforms of a stage need to know; later stages have draws of their own."""
        tiles = self.recipe.tiles
        canvas = size if tiles is None else (min(size[0], tiles.height), min(size[1], tiles.width))
        return ViewPlan(
            canvas=canvas,
            streams=self.setting.streams,
            n_views=self.recipe.views,
            input_size=self.setting.net.input_size,
            fixed_size=not self.setting.net.any_size,
            purpose=f"stage/{number}/" if number else "",
        )

    @torch.no_grad()
    def image(self) -> Tensor:
        """The images as they are now (n, c, h, w)."""
        return self.canvas().detach()

    @property
    def is_begun(self) -> bool:
        """Whether the first stage has been made."""
        return self.guard is not None

    def _done(self) -> None:
        self._before = None
        if isinstance(self.slope, ThroughImage):
            self.slope.accumulate()

    def undo(self, step: int) -> None:
        """Take back whatever was begun after ``step``, a stage that has taken no step included."""
        if self._before is not None and step == self._steps_before:
            self.canvas = self._before
        elif self.guard is not None:
            self.guard.undo(step)

    def close(self, step: int) -> None:
        """Count the gradient of ``step``, the last, where the run ended before anybody could."""
        if self.guard is not None and self.guard.begun == step and isinstance(self.slope, ThroughImage):
            self.slope.accumulate()

    @property
    def stopped_at(self) -> list[int]:
        """The step at which each image stopped, 0 for those that did not."""
        return [0] * self.n_images if self.guard is None else self.guard.stopped_at.tolist()


def _check_assignable(canvas: Canvas) -> None:
    """Refuse what cannot be set from an image before anything is rendered."""
    if type(canvas).assign is Canvas.assign:
        canvas.assign(torch.empty(0, 1, 1, 1))


def _slope(recipe: Recipe, streams: Streams) -> Slope:
    accumulates = recipe.transparency == "gradients"
    if recipe.tiles is None and not recipe.conditioners and not accumulates:
        return direct
    in_image = WholeImage() if recipe.tiles is None else Tiled(recipe.tiles, streams.fork("tiles"))
    return ThroughImage(in_image, recipe.conditioners, accumulates=accumulates)
