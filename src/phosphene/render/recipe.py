"""A recipe: one method of the literature as a value, with a JSON form and a digest."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace

from phosphene._algebra import Objective
from phosphene._component import Component, check
from phosphene.errors import ArgumentError
from phosphene.optimizers import Adam, Optimizer
from phosphene.parameterizations import Fourier, Parameterization
from phosphene.regularizers import TotalVariation
from phosphene.transforms import Transform, as_transform

#: The far end of sensible runs; a recipe from a stranger shall not ask for more.
_MAX_STEPS = 10**6
_MAX_VIEWS = 4096


@dataclass(frozen=True)
class Recipe(Component):
    """How an image is made, whatever the unit: parameterization, transforms, views, regularizer, optimizer, number of
    steps.

    Attributes:
        name: the method's name.
        parameterization: what is optimised.
        transforms: what makes a view of the image; callables are wrapped.
        views: views of each image in a step; the score is their mean.
        optimizer: how the parameters climb.
        steps: number of steps.
        regularizer: added to every objective, so it should be negative: ``-0.1 * TotalVariation()``.
    """

    name: str = "custom"
    parameterization: Parameterization = Fourier(224, 224)
    transforms: tuple[Transform, ...] = ()
    views: int = 1
    optimizer: Optimizer = Adam()
    steps: int = 128
    regularizer: Objective | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "transforms", tuple(as_transform(t) for t in self.transforms))
        super().__post_init__()
        self._require("parameterization", Parameterization, "ph.Fourier(224, 224)")
        self._require("optimizer", Optimizer, "ph.optimizers.Adam(lr=0.05)")
        if self.regularizer is not None:
            self._require("regularizer", Objective, f"-0.001 * ph.{TotalVariation.__name__}()")
        check(1 <= self.views <= _MAX_VIEWS, "views", self.views, f"a whole number from 1 to {_MAX_VIEWS}")
        check(0 <= self.steps <= _MAX_STEPS, "steps", self.steps, f"a whole number from 0 to {_MAX_STEPS}")

    def _require(self, name: str, kind: type[Component], example: str) -> None:
        value = getattr(self, name)
        if not isinstance(value, kind):
            raise ArgumentError(f"{name} must be a {kind.__name__}, such as {example}; got {type(value).__name__}")

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that change with anything that changes the picture."""
        text = json.dumps({k: v for k, v in self.to_json().items() if k != "name"}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def sized(self, height: int, width: int) -> Recipe:
        """The same recipe on a canvas of another size, in pixels."""
        return replace(self, parameterization=replace(self.parameterization, height=height, width=width))
