"""Units: where in a network we look. Frozen values; each is also an objective, so that ``+ - *`` combine them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Integral
from typing import Any

from phosphene._algebra import Objective
from phosphene._component import check
from phosphene._types import FrozenArray
from phosphene.errors import ArgumentError

Position = tuple[int, ...]


@dataclass(frozen=True)
class Unit(Objective, base=True):
    """A place in a network whose activation is one number per image."""


@dataclass(frozen=True)
class LayerUnit(Unit, base=True):
    """A unit that names its layer.

    Attributes:
        layer: dotted module name, as :func:`phosphene.layers` lists it.
    """

    layer: str

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.layer, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ArgumentError(f"layer must be a name, such as 'blocks.8'; got {type(self.layer).__name__}")

    def __str__(self) -> str:
        return self.layer


@dataclass(frozen=True)
class Layer(LayerUnit):
    """A whole layer, "DeepDream": the mean of its squared activations (Lucid's ``deepdream``)."""


@dataclass(frozen=True)
class Channel(LayerUnit):
    """One channel of a layer: its activation averaged over all positions or tokens (Distill's channel objective).

    Attributes:
        index: channel number, from 0.
    """

    index: int

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_index(self.index)

    def __str__(self) -> str:
        return f"{self.layer}:{self.index}"


@dataclass(frozen=True)
class Neuron(LayerUnit):
    """One channel at one position (Distill's neuron objective).

    Attributes:
        index: channel number, from 0.
        position: ``(row, column)``, or ``(token,)`` in a layer of tokens; None is the centre, ``shape // 2`` as in
            Lucid.
    """

    index: int
    position: Position | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "position", _position(self.position))
        super().__post_init__()
        _check_index(self.index)

    @property
    def needs_whole_image(self) -> bool:
        return True

    def __str__(self) -> str:
        return f"{self.layer}:{self.index}@{_place(self.position)}"


@dataclass(frozen=True)
class Direction(LayerUnit):
    """A direction in a layer's activation space: ``dot · max(0.1, cosine)^p``, averaged over positions (Lucid's
    ``direction``).

    Attributes:
        vector: one number per channel; a list, array or tensor is frozen.
        position: one position only, as in :class:`Neuron`; None averages over all positions.
        cossim_power: p, at least 0; 0 is the plain dot product.
    """

    vector: FrozenArray
    position: Position | None = None
    cossim_power: float = 0.0

    def __init__(
        self, layer: str, vector: Any, *, position: Position | int | None = None, cossim_power: float = 0.0
    ) -> None:
        frozen = FrozenArray.of(vector)
        check(
            len(frozen.shape) == 1 and frozen.shape[0] > 0, "vector", frozen.shape, "a vector of one number per channel"
        )
        check(0 <= cossim_power < math.inf, "cossim_power", cossim_power, "a number from 0")
        for name, value in (("layer", layer), ("vector", frozen), ("cossim_power", float(cossim_power))):
            object.__setattr__(self, name, value)
        object.__setattr__(self, "position", _position(position))
        super().__post_init__()

    @property
    def needs_whole_image(self) -> bool:
        return self.position is not None

    def __str__(self) -> str:
        place = "" if self.position is None else f"@{_place(self.position)}"
        return f"{self.layer}:direction{place}"


@dataclass(frozen=True)
class WeightedChannels(LayerUnit):
    """A weighted sum of a layer's channels, averaged over positions (Lucent's ``channel_weight``).

    Attributes:
        weights: pairs of channel number and weight.
    """

    weights: tuple[tuple[int, float], ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        check(len(self.weights) > 0, "weights", self.weights, "at least one pair of channel and weight")
        for index, weight in self.weights:
            _check_index(index)
            check(math.isfinite(weight), "weight", weight, "a finite number")

    def __str__(self) -> str:
        return f"{self.layer}:" + "+".join(f"{weight:g}·{index}" for index, weight in self.weights)


@dataclass(frozen=True)
class ClassUnit(Unit, base=True):
    """A class of a classifier.

    Attributes:
        class_: the class by number or by any of its names.
    """

    class_: int | str

    def __post_init__(self) -> None:
        if isinstance(self.class_, bool) or not isinstance(self.class_, Integral | str):
            raise ArgumentError(f"a class is given by number or name; got {type(self.class_).__name__}")
        super().__post_init__()
        check(not isinstance(self.class_, int) or self.class_ >= 0, "class_", self.class_, "a number from 0, or a name")

    def __str__(self) -> str:
        return f"class:{self.class_}"


@dataclass(frozen=True)
class Logit(ClassUnit):
    """A class's logit, before the softmax. Distill's advice for classes."""


@dataclass(frozen=True)
class Probability(ClassUnit):
    """A class's probability, after the softmax over the network's outputs."""

    def __str__(self) -> str:
        return f"p(class:{self.class_})"


@dataclass(frozen=True)
class LogProbability(ClassUnit):
    """The logarithm of a class's probability."""

    def __str__(self) -> str:
        return f"log p(class:{self.class_})"


def _check_index(index: int) -> None:
    check(index >= 0, "index", index, "a channel number from 0")


def _position(value: Any) -> Position | None:
    if value is None:
        return None
    place: tuple[Any, ...] = tuple(value) if isinstance(value, Iterable) else (value,)
    whole = all(not isinstance(p, bool) and isinstance(p, Integral) and int(p) >= 0 for p in place)
    check(len(place) in (1, 2) and whole, "position", value, "(row, column) or (token,), whole numbers from 0")
    return tuple(int(p) for p in place)


def _place(position: Position | None) -> str:
    return "centre" if position is None else ",".join(str(p) for p in position)
