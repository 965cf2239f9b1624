"""From objectives to one scorer of a batch: equal kinds that read the same layers are evaluated together, in one
operation.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import singledispatch
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._algebra import Constant, Objective, Product, Scaled, Sum
from phosphene.errors import ArgumentError
from phosphene.objectives.scene import Scene


@runtime_checkable
class LayerLike(Protocol):
    """What an objective needs to know of a layer."""

    @property
    def name(self) -> str: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def n_channels(self) -> int: ...
    @property
    def layout(self) -> str: ...


@runtime_checkable
class NetworkLike(Protocol):
    """What an objective needs to know of a network."""

    @property
    def output_layer(self) -> str: ...
    def layer(self, name: str) -> LayerLike: ...
    def class_index(self, class_: int | str) -> int: ...


@dataclass(frozen=True)
class Scorer:
    """One score per image and view.

    Attributes:
        layers: the layers it reads.
        score: scene to scores (n, views), or (n, 1) for what does not depend on the view.
    """

    layers: frozenset[str]
    score: Callable[[Scene], Float[Tensor, "n v"]]

    def __call__(self, scene: Scene) -> Float[Tensor, " n"]:
        """One score per image: the mean over its views."""
        return self.score(scene).mean(1)


def compile_objectives(objectives: Sequence[Objective], net: NetworkLike) -> Scorer:
    """A scorer in which image i is scored by ``objectives[i]``.

    Raises:
        UnknownLayerError, UnknownClassError, UnitRangeError, LayoutError: an objective does not fit the network.
    """
    groups: defaultdict[object, list[int]] = defaultdict(list)
    for row, objective in enumerate(objectives):
        groups[structure(objective)].append(row)
    parts = [(rows, compile_alike([objectives[r] for r in rows], net)) for rows in groups.values()]
    layers = frozenset[str]().union(*(part.layers for _, part in parts))
    if len(parts) == 1:
        return Scorer(layers, parts[0][1].score)
    parts_of_rows = [_Part(rows, part) for rows, part in parts]
    order = OnDevice(torch.tensor([row for rows, _ in parts for row in rows]).argsort())

    def score(scene: Scene) -> Tensor:
        scores = torch.cat([part.score(scene) for part in parts_of_rows])
        return scores.index_select(0, order.like(scene.image))

    return Scorer(layers, score)


class _Part:
    """The images of one structure within a batch."""

    def __init__(self, rows: Sequence[int], scorer: Scorer) -> None:
        self.rows, self.scorer = OnDevice(torch.tensor(rows)), scorer
        self.views: dict[int, OnDevice] = {}

    def score(self, scene: Scene) -> Float[Tensor, "k v"]:
        """Scores of these images' views."""
        if scene.n_views not in self.views:
            rows = self.rows.value.cpu()
            views = rows[:, None] * scene.n_views + torch.arange(scene.n_views)
            self.views[scene.n_views] = OnDevice(views.flatten())
        views = self.views[scene.n_views].like(scene.image)
        chosen = scene.select(self.rows.like(scene.image), views, self.scorer.layers)
        return self.scorer.score(chosen).expand(-1, scene.n_views)


def structure(objective: Objective) -> object:
    """What two objectives must share to be evaluated together: kinds and layers, not numbers."""
    if isinstance(objective, Sum | Product):
        return type(objective), tuple(structure(t) for t in objective.terms)
    if isinstance(objective, Scaled):
        return Scaled, structure(objective.objective)
    if isinstance(objective, Constant):
        return Constant
    return type(objective), grouping_key(objective)


@singledispatch
def grouping_key(objective: Objective) -> object:
    """What a kind of objective must share beside its type; by default everything."""
    return objective


def compile_alike(objectives: Sequence[Objective], net: NetworkLike) -> Scorer:
    """A scorer for objectives of one structure."""
    return compile_kind(objectives[0], objectives, net)


@singledispatch
def compile_kind(first: Objective, objectives: Sequence[Objective], net: NetworkLike) -> Scorer:
    """Compile objectives of one structure; a new kind registers its own.

    Raises:
        ArgumentError: for a kind that nobody registered.
    """
    raise ArgumentError(f"{type(first).__name__} is no objective that can be evaluated; register it with compile_kind")


@compile_kind.register
def _(first: Constant, objectives: Sequence[Constant], net: NetworkLike) -> Scorer:
    values = OnDevice(torch.tensor([o.value for o in objectives])[:, None])
    return Scorer(frozenset(), lambda scene: values.like(scene.image))


@compile_kind.register
def _(first: Scaled, objectives: Sequence[Scaled], net: NetworkLike) -> Scorer:
    inner = compile_alike([o.objective for o in objectives], net)
    weights = torch.tensor([o.weight for o in objectives])[:, None]
    placed = OnDevice(weights)
    return Scorer(inner.layers, lambda scene: inner.score(scene) * placed.like(scene.image))


@compile_kind.register
def _(first: Sum, objectives: Sequence[Sum], net: NetworkLike) -> Scorer:
    parts = _compile_terms([o.terms for o in objectives], net)
    return Scorer(_layers(parts), lambda scene: torch.stack(_views(parts, scene)).sum(0))


@compile_kind.register
def _(first: Product, objectives: Sequence[Product], net: NetworkLike) -> Scorer:
    parts = _compile_terms([o.terms for o in objectives], net)
    return Scorer(_layers(parts), lambda scene: torch.stack(_views(parts, scene)).prod(0))


def _compile_terms(rows: Sequence[tuple[Objective, ...]], net: NetworkLike) -> list[Scorer]:
    return [compile_alike(column, net) for column in zip(*rows, strict=True)]


def _layers(parts: Sequence[Scorer]) -> frozenset[str]:
    return frozenset[str]().union(*(p.layers for p in parts))


def _views(parts: Sequence[Scorer], scene: Scene) -> list[Tensor]:
    return [p.score(scene).expand(-1, scene.n_views) for p in parts]


class OnDevice:
    """A constant tensor that moves to the device and type of what it is used with, once."""

    def __init__(self, value: Tensor) -> None:
        self.value = value

    def like(self, other: Tensor) -> Tensor:
        """The constant beside ``other``; whole numbers keep their type."""
        dtype = other.dtype if self.value.is_floating_point() else self.value.dtype
        if self.value.device != other.device or self.value.dtype != dtype:
            self.value = self.value.to(other.device, dtype)
        return self.value
