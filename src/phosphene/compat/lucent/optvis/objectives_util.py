"""What Lucent's objectives are made of: the algebra, batches, positions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial, wraps
from typing import Any, overload

import torch
from torch import Tensor

from phosphene.errors import ArgumentError, LayoutError, UnitRangeError

#: A layer's name to what it put out.
Getter = Callable[[str], Tensor]
Make = Callable[..., Callable[[Getter], Tensor]]


class Objective:
    """A loss, its name and its description; ``a + b``, ``a - b``, ``-a``, ``2 * a`` and ``a / 2`` make new ones."""

    # Where Lucent has it, and where a message names it.
    __module__ = "phosphene.compat.lucent.optvis.objectives"

    def __init__(self, objective_func: Callable[[Getter], Any], name: str = "", description: str = "") -> None:
        self.objective_func = objective_func
        self.name = name
        self.description = description

    def __call__(self, model: Getter) -> Any:
        """The loss of what ``model`` gives."""
        return self.objective_func(model)

    def __add__(self, other: object) -> Objective:
        if isinstance(other, int | float):
            return Objective(lambda model: other + self(model), self.name, self.description)
        return Objective.sum([self, _objective(other)])

    __radd__ = __add__

    @staticmethod
    def sum(objs: Iterable[Objective]) -> Objective:
        """The sum of several objectives, evaluated one after the other."""
        parts = tuple(objs)
        described = "Sum(" + " +\n".join(part.description for part in parts) + ")"
        return Objective(
            lambda model: sum(part(model) for part in parts), ", ".join(part.name for part in parts), described
        )

    def __neg__(self) -> Objective:
        return self * -1

    def __sub__(self, other: object) -> Objective:
        return self + (-other if isinstance(other, int | float) else -_objective(other))

    def __rsub__(self, other: object) -> Objective:
        return -self + other

    def __mul__(self, other: object) -> Objective:
        if not isinstance(other, int | float):
            raise ArgumentError(f"Can only multiply by int or float. Received type {type(other)}")
        return Objective(lambda model: other * self(model), self.name, self.description)

    __rmul__ = __mul__

    def __truediv__(self, other: object) -> Objective:
        if not isinstance(other, int | float):
            raise ArgumentError(f"Can only divide by int or float. Received type {type(other)}")
        return self * (1 / other)


def _objective(value: object) -> Objective:
    if isinstance(value, Objective):
        return value
    raise ArgumentError(f"Can only add an objective, int or float. Received type {type(value)}")


@overload
def wrap_objective(function: Make) -> Callable[..., Objective]: ...
@overload
def wrap_objective(function: None = None) -> Callable[[Make], Callable[..., Objective]]: ...
def wrap_objective(function: Make | None = None) -> Callable[..., Any]:
    """A decorator for functions that return a loss of ``T``: calling them gives an :class:`Objective` that is called
    after the function and its arguments. With and without parentheses.
    """
    if function is None:
        return wrap_objective
    name = getattr(function, "__name__", type(function).__name__)

    @wraps(function)
    def make(*args: Any, **options: Any) -> Objective:
        shown = ", ".join(_shown(value) for value in (*args, *options.values()))
        return Objective(function(*args, **options), name, f"{name.title()} [{shown}]")

    return make


def _shown(value: object) -> str:
    """An argument in a description; long ones, such as tensors, by their type."""
    text = str(value)
    return text if len(text) < 15 and "\n" not in text else f"<{type(value).__name__}>"


def handle_batch(batch: int | None = None) -> Callable[[Callable[[Getter], Tensor]], Callable[[Getter], Tensor]]:
    """A decorator that shows a loss only image number ``batch``; all images where that is None."""

    def decorate(loss: Callable[[Getter], Tensor]) -> Callable[[Getter], Tensor]:
        return loss if batch is None else partial(_narrowed, loss, batch)

    return decorate


def _narrowed(loss: Callable[[Getter], Tensor], batch: int, model: Getter) -> Tensor:
    return loss(lambda layer: _one(model(layer), batch))


def _one(acts: Tensor, batch: int) -> Tensor:
    index = batch + len(acts) if batch < 0 else batch
    if not 0 <= index < len(acts):
        raise UnitRangeError(
            f"image {batch} of the batch was asked for, but there are {len(acts)}: use 0 to {len(acts) - 1}"
        )
    return acts[index : index + 1]


def position(acts: Tensor, x: int | None, y: int | None, wx: int = 1, wy: int = 1) -> Tensor:
    """``wy`` rows from ``y`` and ``wx`` columns from ``x`` of (n, c, h, w); in the middle where these are None.

    Raises:
        LayoutError: the activations have no positions.
        UnitRangeError: the window does not lie in the layer.
    """
    if acts.ndim != 4:
        raise LayoutError(f"a layer of shape {tuple(acts.shape)} has no positions; use channel, which needs none")
    height, width = acts.shape[2:]
    left = (width - wx + 1) // 2 if x is None else x
    top = (height - wy + 1) // 2 if y is None else y
    if not (0 <= left <= width - wx and 0 <= top <= height - wy and wx > 0 and wy > 0):
        raise UnitRangeError(
            f"the window of {wx} × {wy} at x={left}, y={top} does not lie in {width} columns and {height} rows"
        )
    return acts[:, :, top : top + wy, left : left + wx]


def as_weights(weight: object, acts: Tensor) -> Tensor:
    """One number per channel, shaped and placed to go with activations (n, c, …).

    Raises:
        LayoutError: there are more or fewer than channels.
    """
    values = torch.as_tensor(weight).to(acts)
    if values.numel() != acts.shape[1]:
        raise LayoutError(f"{values.numel()} weights were given, but the layer has {acts.shape[1]} channels")
    return values.reshape(1, -1, *[1] * (acts.ndim - 2))


def scalar(loss: object) -> Tensor:
    """A loss as a single number.

    Raises:
        ArgumentError: it is none.
    """
    value = torch.as_tensor(loss) if isinstance(loss, int | float) else loss
    if not isinstance(value, Tensor) or value.numel() != 1:
        what = f"a tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
        raise ArgumentError(f"an objective must give one number for the whole batch; this one gave {what}")
    return value.reshape(())
