"""A chain of transforms, made ready: runs of geometric ones become one resampling each, and every step gets its own
function.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.errors import ArgumentError
from phosphene.functional.geometry import normalized, resample
from phosphene.functional.random import Generators, Streams
from phosphene.transforms.base import Custom, Draws, Frame, Geometric, Photometric, Transform, ViewFunction
from phosphene.transforms.geometric import CropOrPad, Jitter, Pad, Resize, ToCanvas, ToInput

#: Draws are made for this many steps at once. It never depends on the number of steps, so a run begins like every
#: longer one.
BLOCK = 32
#: A view that spans s canvas pixels per pixel takes round(s) samples: bilinear interpolation itself is good to about
#: 1.5.
_ROUNDING = 0.5
#: Samples per view pixel and axis, at most; beyond that a little aliasing is the lesser evil.
_MAX_SAMPLES = 8


@dataclass(frozen=True)
class ViewPlan:
    """What the transforms of a render need to know.

    Attributes:
        canvas: height and width of the image.
        streams: the images' random streams.
        n_views: views of each image in a step.
        input_size: the network's input size.
        fixed_size: whether the network accepts that size only.
        purpose: prefix of the names of the random streams, for stages that draw apart.
    """

    canvas: tuple[int, int]
    streams: Streams
    n_views: int
    input_size: tuple[int, int]
    fixed_size: bool = False
    purpose: str = ""


class Stage(abc.ABC):
    """A part of a chain: redrawn for every block of steps."""

    @abc.abstractmethod
    def draw(self, first_step: int) -> None:
        """Draw for the block of steps that begins with ``first_step``."""

    @abc.abstractmethod
    def at(self, step: int) -> ViewFunction:
        """The function of one step of the block."""


class ViewPipeline:
    """The transforms of one render: :meth:`look` gives each step's function from image (n, c, h, w) to views (n ·
    views, c, h, w).

    Attributes:
        size: height and width of the views, as far as phosphene's own transforms know.
    """

    def __init__(self, transforms: Iterable[object], plan: ViewPlan) -> None:
        self.stages: list[Stage] = []
        frame = Frame(*plan.canvas)
        for index, run in enumerate(_runs(_chain(transforms, plan), frame)):
            draws = Draws(plan.streams.fork(f"{plan.purpose}transform/{index}"), BLOCK, plan.n_views)
            if isinstance(run, Transform):
                self.stages.append(_retouching(run, draws))
            else:
                stage = (Rolling if all(map(_is_roll, run)) else Resampling)(run, frame, draws)
                frame = Frame(stage.target.height, stage.target.width)
                self.stages.append(stage)
        self.size = frame.height, frame.width
        # The first resampling makes the views of an image; without one they are copies.
        self.copies = 1 if self.stages and isinstance(self.stages[0], Resampling) else plan.n_views

    def look(self, step: int) -> ViewFunction:
        """The function of ``step``, counted from 0; steps are asked for in order."""
        if step % BLOCK == 0:
            for stage in self.stages:
                stage.draw(step)
        functions = [stage.at(step % BLOCK) for stage in self.stages]

        def view(image: Float[Tensor, "n c h w"]) -> Float[Tensor, "m k p q"]:
            views = image.repeat_interleave(self.copies, 0) if self.copies > 1 else image
            for function in functions:
                views = function(views)
            return views

        return view


class Resampling(Stage):
    """A run of geometric transforms: one affine map per view, one resampling."""

    def __init__(self, transforms: Sequence[Geometric], source: Frame, draws: Draws) -> None:
        self.transforms, self.source, self.draws = transforms, source, draws
        self.device = draws.generators.device[0].device
        self.target = self._compose(_rehearsal())[1]
        self.supersample = min(_MAX_SAMPLES, max(1, int(self.target.shrink / source.shrink + _ROUNDING)))
        self.theta = torch.empty(0)
        self.grey: list[Tensor] = []

    def _compose(self, draws: Draws) -> tuple[Tensor, Frame]:
        frame = self.source
        matrix = torch.eye(3, dtype=torch.float64)
        for transform in self.transforms:
            step, frame = transform.place(draws, frame)
            matrix = matrix @ step
        return matrix, frame

    def draw(self, first_step: int) -> None:
        matrix, target = self._compose(replace(self.draws, first_step=first_step))
        size = target.height, target.width
        theta = normalized(matrix, (self.source.height, self.source.width), size)
        self.theta = theta.flatten(1, 2).to(self.device, torch.float32)
        if target.fill == "random":
            self.grey = list(self.draws.uniform().flatten(1)[..., None, None, None].to(self.device, torch.float32))

    def at(self, step: int) -> ViewFunction:
        theta = self.theta[step]
        fills: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
            "reflect": self._look,
            "wrap": partial(self._look, padding="wrap"),
            "constant": self._look_on_grey,
            "random": partial(self._look_on_random_grey, step=step),
        }
        fill = fills[self.target.fill]
        return lambda image: fill(image, theta.to(image.dtype))

    def _look(self, image: Tensor, theta: Tensor, padding: str = "reflection") -> Tensor:
        size = self.target.height, self.target.width
        return resample(image, theta, size, padding=padding, supersample=self.supersample)

    def _look_on_grey(self, image: Tensor, theta: Tensor) -> Tensor:
        return self._look(image - self.target.value, theta, "zeros") + self.target.value

    def _look_on_random_grey(self, image: Tensor, theta: Tensor, step: int) -> Tensor:
        inside = self._look(torch.ones_like(image[:, :1]), theta, "zeros")
        return self._look(image, theta, "zeros") + (1 - inside) * self.grey[step].to(image.dtype)


class Rolling(Resampling):
    """A run of rolls: shifts by whole pixels around the edges, exactly and without resampling."""

    def __init__(self, transforms: Sequence[Geometric], source: Frame, draws: Draws) -> None:
        super().__init__(transforms, source, draws)
        self.shifts: list[list[tuple[int, int]]] = []

    def draw(self, first_step: int) -> None:
        matrix, _ = self._compose(replace(self.draws, first_step=first_step))
        # The map says which point a view shows; the picture moves the other way.
        self.shifts = (-matrix[..., :2, 2]).round().long().flatten(1, 2).tolist()

    def at(self, step: int) -> ViewFunction:
        shifts = self.shifts[step]

        def roll(image: Float[Tensor, "n c h w"]) -> Float[Tensor, "m c h w"]:
            rows = image.repeat_interleave(len(shifts) // len(image), 0)
            return torch.stack([row.roll((y, x), (1, 2)) for row, (x, y) in zip(rows, shifts, strict=True)])

        return roll


class Retouching(Stage):
    """A photometric transform."""

    def __init__(self, transform: Photometric, draws: Draws) -> None:
        self.transform, self.draws = transform, draws
        self.functions: Callable[[int], ViewFunction] | None = None

    def draw(self, first_step: int) -> None:
        self.functions = self.transform.sample(
            replace(self.draws, first_step=first_step), self.draws.generators.device[0].device
        )

    def at(self, step: int) -> ViewFunction:
        if self.functions is None:
            raise ArgumentError("steps must be asked for in order, from 0")
        return self.functions(step)


class Calling(Stage):
    """A caller's own function."""

    def __init__(self, function: ViewFunction) -> None:
        self.function = function

    def draw(self, first_step: int) -> None:
        """A caller's function brings its own randomness."""

    def at(self, step: int) -> ViewFunction:
        return self.function


def _rehearsal() -> Draws:
    """Draws of a stream of its own, by which sizes are found out without using up any image's draw."""
    return Draws(Generators((torch.Generator(),), (torch.Generator(),)), 1, 1)


def _runs(chain: Iterable[Transform], frame: Frame) -> Iterator[Transform | list[Geometric]]:
    """The chain as single photometric transforms and runs of geometric ones, each run to be one resampling.

    What sets the size that the frame has anyhow is left out. A run ends where the next transform fills the outside in
    another way, or rolls a picture that is no longer the run's own canvas.
    """
    run: list[Geometric] = []
    canvas = frame
    for transform in chain:
        if not isinstance(transform, Geometric):
            if run:
                yield run
            run, canvas = [], Frame(frame.height, frame.width)
            frame = canvas
            yield transform
            continue
        if isinstance(transform, Resize | CropOrPad) and (transform.height, transform.width) == (
            frame.height,
            frame.width,
        ):
            continue
        if run and _needs_new_run(transform, run, canvas, frame):
            yield run
            run, canvas = [], Frame(frame.height, frame.width)
            frame = canvas
        run.append(transform)
        frame = transform.place(_rehearsal(), frame)[1]
    if run:
        yield run


def _needs_new_run(transform: Geometric, run: Sequence[Geometric], canvas: Frame, frame: Frame) -> bool:
    """Whether a transform shows something outside the canvas that the run so far would not show there."""
    if _is_roll(transform):
        whole = (frame.height, frame.width) == (canvas.height, canvas.width)
        return not (whole and all(_is_roll(t) for t in run))
    if not isinstance(transform, Pad):
        return False
    return transform.mode != frame.fill or (transform.mode == "constant" and transform.value != frame.value)


def _is_roll(transform: Geometric) -> bool:
    return isinstance(transform, Jitter) and transform.mode == "roll"


def _retouching(transform: Transform, draws: Draws) -> Stage:
    if isinstance(transform, Photometric):
        return Retouching(transform, draws)
    if isinstance(transform, Custom):
        return Calling(transform.function)
    raise ArgumentError(
        f"{type(transform).__name__} is neither Geometric, Photometric nor Custom; subclass one of these"
    )


def _chain(transforms: Iterable[object], plan: ViewPlan) -> list[Transform]:
    """The transforms that do something, callables wrapped, the input size filled in; the caller's list is not
    changed.
    """
    chain = [_resolve(as_transform(t), plan) for t in transforms]
    if plan.fixed_size:
        chain.append(Resize(*plan.input_size))
    return [t for t in chain if not t.is_identity()]


def _resolve(transform: Transform, plan: ViewPlan) -> Transform:
    if isinstance(transform, ToCanvas):
        return CropOrPad(*plan.canvas)
    return Resize(*plan.input_size) if isinstance(transform, ToInput) else transform


def as_transform(value: object) -> Transform:
    """A transform, or any callable of views as one.

    Raises:
        ArgumentError: for anything else.
    """
    if isinstance(value, Transform):
        return value
    if callable(value) and not isinstance(value, type):
        return Custom(cast("Callable[..., Tensor]", value))
    raise ArgumentError(f"a transform is a value from phosphene.transforms or a function of views; got {value!r}")
