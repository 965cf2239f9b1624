"""A recipe: one method of the literature as a value, with a JSON form and a digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Literal

from phosphene._algebra import Objective
from phosphene._component import Component, check
from phosphene._references import BIBLIOGRAPHY
from phosphene.conditioners import Conditioner, Tiles
from phosphene.errors import ArgumentError
from phosphene.models.overrides import Override
from phosphene.optimizers import Adam, Optimizer
from phosphene.parameterizations import Fourier, Parameterization
from phosphene.projections import Projection
from phosphene.regularizers import TotalVariation
from phosphene.stages import Stages
from phosphene.transforms import Transform, as_transform

#: The far end of sensible runs; a recipe from a stranger shall not ask for more.
_MAX_STEPS = 10**6
_MAX_VIEWS = 4096
_MAX_SIDE = 2**14
_FINISHES = ("clip", "linear", "standard", "percentile", "none")

Finish = Literal["clip", "linear", "standard", "percentile", "none"]


@dataclass(frozen=True)
class Recipe(Component):
    """How an image is made, whatever the unit: what is optimised, how it is seen, how it climbs, and in which stages.

    Attributes:
        name: the method's name.
        parameterization: what is optimised.
        transforms: what makes a view of the image; callables are wrapped.
        views: views of each image in a step; the score is their mean.
        optimizer: how the parameters climb.
        steps: number of steps, of each stage where there are several.
        regularizer: added to every objective, so it should be negative: ``-0.1 * TotalVariation()``.
        stages: octaves or growing canvases; each stage resizes or re-seeds the image and starts the optimizer afresh.
        tiles: compute the gradient tile by tile, for images larger than memory or than the network's input.
        conditioners: what happens to the image's gradient before the step, in this order.
        projections: what is done to the image after the step, in this order.
        overrides: other gradients for the network's ReLUs and max-pools.
        finish: how values become a picture in [0, 1] at the end: "clip", "linear" (each image from its least to its
            greatest value), "standard" (mean grey, standard deviation 0.1: TensorFlow's ``visstd``), "percentile" (over
            the image's percentile 99.98: DeepDream in Caffe without clipping), or "none".
        transparency: "gradients" accumulates the magnitude of the image's gradient into ``result.transparency``
            (Fel et al. 2023); "none" does not.
        follows: the literature that the method follows, as keys of :meth:`citation`'s bibliography.
    """

    name: str = "custom"
    parameterization: Parameterization = Fourier(224, 224)
    transforms: tuple[Transform, ...] = ()
    views: int = 1
    optimizer: Optimizer = Adam()
    steps: int = 128
    regularizer: Objective | None = None
    stages: Stages | None = None
    tiles: Tiles | None = None
    conditioners: tuple[Conditioner, ...] = ()
    projections: tuple[Projection, ...] = ()
    overrides: tuple[Override, ...] = ()
    finish: Finish = "clip"
    transparency: Literal["none", "gradients"] = "none"
    follows: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "transforms", tuple(as_transform(t) for t in self.transforms))
        super().__post_init__()
        self._require("parameterization", Parameterization, "ph.Fourier(224, 224)")
        self._require("optimizer", Optimizer, "ph.optimizers.Adam(lr=0.05)")
        if self.regularizer is not None:
            self._require("regularizer", Objective, f"-0.001 * ph.{TotalVariation.__name__}()")
        self._require_all("conditioners", Conditioner)
        self._require_all("projections", Projection)
        self._require_all("overrides", Override)
        if self.stages is not None:
            self._require("stages", Stages, "ph.stages.Octaves(n=4, scale=1.4)")
        if self.tiles is not None:
            self._require("tiles", Tiles, "ph.conditioners.Tiles(512, 512)")
            check(not self.transforms, "transforms", self.transforms, "none beside tiles, which shift by themselves")
            check(self.views == 1, "views", self.views, "1 beside tiles")
        self._check_ranges()

    def _check_ranges(self) -> None:
        """Refuse what is out of range by itself or beside something else."""
        check(1 <= self.views <= _MAX_VIEWS, "views", self.views, f"a whole number from 1 to {_MAX_VIEWS}")
        check(0 <= self.steps <= _MAX_STEPS, "steps", self.steps, f"a whole number from 0 to {_MAX_STEPS}")
        for size in self.sizes:
            check(all(0 < side <= _MAX_SIDE for side in size), "stages", size, f"sizes from 1 to {_MAX_SIDE} pixels")
        searches = self.optimizer.searches_lines
        check(
            not (searches and self.conditioners),
            "optimizer",
            self.optimizer.kind(),
            "one without a line search, such as Adam, beside conditioners: a search follows the score's own slope",
        )
        if not self.optimizer.needs_gradient:
            self._check_gradient_free()
        check(self.finish in _FINISHES, "finish", self.finish, f"one of {', '.join(map(repr, _FINISHES))}")
        known = self.transparency in ("none", "gradients")
        check(known, "transparency", self.transparency, "'none' or 'gradients'")
        for key in self.follows:
            check(key in BIBLIOGRAPHY, "follows", key, "a key of phosphene's bibliography")
        check(self.total_steps <= _MAX_STEPS, "steps", self.total_steps, f"at most {_MAX_STEPS} in all stages together")

    def _check_gradient_free(self) -> None:
        """Refuse what changes a gradient beside an optimizer that asks for none."""
        without = f"nothing beside {self.optimizer.kind()}, which asks for no gradient"
        for name in ("tiles", "conditioners", "overrides"):
            check(not getattr(self, name), name, getattr(self, name), without)
        check(self.transparency == "none", "transparency", self.transparency, f"'none' beside {self.optimizer.kind()}")
        shares = self.parameterization.couples
        check(not shares, "parameterization", self.parameterization.kind(), "one whose images share no parameters")

    def _require(self, name: str, kind: type[Component], example: str) -> None:
        value = getattr(self, name)
        if not isinstance(value, kind):
            raise ArgumentError(f"{name} must be a {kind.__name__}, such as {example}; got {type(value).__name__}")

    def _require_all(self, name: str, kind: type[Component]) -> None:
        for value in getattr(self, name):
            if not isinstance(value, kind):
                raise ArgumentError(f"{name} must be values of ph.{name}; got {type(value).__name__}")

    @property
    def sizes(self) -> tuple[tuple[int, int], ...]:
        """Height and width of the image in each stage, in pixels."""
        size = self.parameterization.height, self.parameterization.width
        return (size,) if self.stages is None else self.stages.sizes(*size)

    @property
    def stage_steps(self) -> tuple[int, ...]:
        """Steps of each stage."""
        if self.stages is None:
            return (self.steps,)
        return tuple(self.stages.n_steps(stage, self.steps) for stage in range(len(self.sizes)))

    @property
    def total_steps(self) -> int:
        """Steps of all stages together."""
        return sum(self.stage_steps)

    @property
    def view_channels(self) -> int:
        """Channels of the views, which are what the network sees."""
        channels = self.parameterization.image_channels
        for transform in self.transforms:
            channels = transform.channels(channels)
        return channels

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that change with anything that changes the picture."""
        text = json.dumps({k: v for k, v in self.to_json().items() if k not in ("name", "follows")}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def sized(self, height: int, width: int) -> Recipe:
        """The same recipe on a canvas of another size, in pixels; an image to start from is left behind."""
        size = self.parameterization.height, self.parameterization.width
        if (height, width) == size:
            return self
        return replace(self, parameterization=self.parameterization.sized(height, width))

    def citation(self) -> str:
        """BibTeX entries of what the recipe follows: the papers and programs of the method and of its parts, each
        once.
        """
        keys = dict.fromkeys([*self.follows, *(key for part in _parts(self) for key in part.cites)])
        return "\n\n".join(BIBLIOGRAPHY[key] for key in keys)


def _parts(value: object) -> Iterator[Component]:
    """A component and every component inside it."""
    if isinstance(value, Component):
        yield value
        for field in fields(value):
            yield from _parts(getattr(value, field.name))
    elif isinstance(value, tuple):
        for item in value:
            yield from _parts(item)
