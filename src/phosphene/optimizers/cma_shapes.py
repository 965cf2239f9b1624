"""Shapes of CMA-ES's distribution: what standard normal draws are stretched by, and how that is learned."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene._component import check
from phosphene.optimizers.cma_rates import Rates, quick_rates, textbook_rates
from phosphene.optimizers.states import State, tensor_of, whole_of

#: The most numbers of a code whose full covariance is learned: 200 MB in float64, and as much again for its root.
MAX_DENSE = 5000
#: An axis is never shorter than that share of the longest, in variance.
_LEAST_VARIANCE = 1e-14


def check_dense(dim: int, instead: str) -> None:
    """Refuse a covariance that would fill the memory: it is dim², and is taken apart in dim³.

    Raises:
        ParameterError: there are more than :data:`MAX_DENSE` dimensions.
    """
    check(dim <= MAX_DENSE, "dim", dim, f"{MAX_DENSE} or less for the full covariance of dim² numbers; take {instead}")


class Shape(abc.ABC):
    """The covariance of a search, as a factor A: a step is sigma · A z with z standard normal."""

    def __init__(self, dim: int, dtype: torch.dtype) -> None:
        self.dim, self.dtype = dim, dtype

    def rates(self, n: int) -> Rates:
        """Constants of an update from n scores."""
        return quick_rates(self.dim, n)

    @abc.abstractmethod
    def stretch(self, draw: Float[Tensor, " dim"]) -> Float[Tensor, " dim"]:
        """A z."""

    def transposed(self, direction: Float[Tensor, " dim"]) -> Float[Tensor, " dim"]:
        """Aᵀ d, which is A d where A is symmetric."""
        return self.stretch(direction)

    @abc.abstractmethod
    def learn(self, draws: Float[Tensor, "n dim"], rates: Rates, *, stalled: bool) -> None:
        """Take a generation's draws z, best first.

        Args:
            draws: of every rank that has a weight.
            rates: constants of the update.
            stalled: the step size is growing so fast that the path must wait for it (h_sigma = 0).
        """

    @abc.abstractmethod
    def state(self) -> State:
        """What :meth:`learn` changes."""

    @abc.abstractmethod
    def load(self, state: Mapping[str, Any]) -> None:
        """Take over what :meth:`state` gave."""


class Iso(Shape):
    """The identity: nothing but the step size is learned."""

    def stretch(self, draw: Float[Tensor, " dim"]) -> Float[Tensor, " dim"]:
        return draw

    def learn(self, draws: Float[Tensor, "n dim"], rates: Rates, *, stalled: bool) -> None:
        pass

    def state(self) -> State:
        return {}

    def load(self, state: Mapping[str, Any]) -> None:
        pass


class Diagonal(Shape):
    """A variance for each number of the code (separable CMA-ES: Ros and Hansen, 2008)."""

    def __init__(self, dim: int, dtype: torch.dtype) -> None:
        super().__init__(dim, dtype)
        self.path = torch.zeros(dim, dtype=dtype)
        self.variances = torch.ones(dim, dtype=dtype)

    def rates(self, n: int) -> Rates:
        return textbook_rates(self.dim, n, (self.dim + 2) / 3)

    def stretch(self, draw: Float[Tensor, " dim"]) -> Float[Tensor, " dim"]:
        return self.variances.sqrt() * draw

    def learn(self, draws: Float[Tensor, "n dim"], rates: Rates, *, stalled: bool) -> None:
        axes = self.variances.sqrt()
        self.path = longer_path(self.path, axes * mean_draw(draws, rates), rates, stalled=stalled)
        weights, kept = covariance_weights(draws, rates, stalled=stalled)
        news = axes.square() * (weights @ draws.square())
        grown = kept * self.variances + rates.c_1 * self.path.square() + rates.c_mu * news
        self.variances = grown.clamp(min=_LEAST_VARIANCE * float(grown.max()))

    def state(self) -> State:
        return {"shape_path": self.path, "variances": self.variances}

    def load(self, state: Mapping[str, Any]) -> None:
        self.path = tensor_of(state, "shape_path", (self.dim,), self.dtype)
        self.variances = tensor_of(state, "variances", (self.dim,), self.dtype)
        _require_positive(self.variances, "variances")


class Full(Shape):
    """The whole covariance C, of which A is the symmetric root; it is taken apart only now and then, as C changes
    little in one generation.
    """

    def __init__(self, dim: int, dtype: torch.dtype) -> None:
        super().__init__(dim, dtype)
        self.path = torch.zeros(dim, dtype=dtype)
        self.covariance, self.root = torch.eye(dim, dtype=dtype), torch.eye(dim, dtype=dtype)
        self.waited = 0

    def rates(self, n: int) -> Rates:
        return textbook_rates(self.dim, n)

    def stretch(self, draw: Float[Tensor, " dim"]) -> Float[Tensor, " dim"]:
        return self.root @ draw

    def learn(self, draws: Float[Tensor, "n dim"], rates: Rates, *, stalled: bool) -> None:
        self.path = longer_path(self.path, self.root @ mean_draw(draws, rates), rates, stalled=stalled)
        weights, kept = covariance_weights(draws, rates, stalled=stalled)
        steps = draws @ self.root
        rank_mu = steps.T @ (weights[:, None] * steps)
        rank_one = torch.outer(self.path, self.path)
        self.covariance = kept * self.covariance + rates.c_1 * rank_one + rates.c_mu * rank_mu
        self.waited += 1
        if self.waited * self.dim * (rates.c_1 + rates.c_mu) >= 0.5:
            self.covariance, self.root = _with_root(self.covariance)
            self.waited = 0

    def state(self) -> State:
        return {
            "shape_path": self.path,
            "covariance": self.covariance,
            "root": self.root,
            "waited": self.waited,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        square = (self.dim, self.dim)
        self.path = tensor_of(state, "shape_path", (self.dim,), self.dtype)
        self.covariance = tensor_of(state, "covariance", square, self.dtype)
        self.root = tensor_of(state, "root", square, self.dtype)
        self.waited = whole_of(state, "waited")
        _require_positive(self.covariance.diagonal(), "covariance's diagonal")


def _require_positive(values: Tensor, name: str) -> None:
    if not bool((values > 0).all()):
        raise ValueError(f"{name} has values that are not above 0")


def mean_draw(draws: Float[Tensor, "n dim"], rates: Rates) -> Float[Tensor, " dim"]:
    """The parents' weighted mean."""
    weights = torch.tensor(rates.weights[: rates.n_parents], dtype=draws.dtype)
    return weights @ draws[: rates.n_parents]


def longer_path(
    path: Float[Tensor, " dim"], step: Float[Tensor, " dim"], rates: Rates, *, stalled: bool = False
) -> Float[Tensor, " dim"]:
    """The covariance's path with one more step of the mean, in units of the step size."""
    gain = 0.0 if stalled else (rates.c_c * (2 - rates.c_c) * rates.mu_eff) ** 0.5
    return (1 - rates.c_c) * path + gain * step


def covariance_weights(
    draws: Float[Tensor, "n dim"], rates: Rates, *, stalled: bool
) -> tuple[Float[Tensor, " n"], float]:
    """The ranks' weights in the rank-mu update, those of the worse half for steps of the usual length; and the share of
    the old covariance that is kept.
    """
    weights = torch.tensor(rates.weights[: len(draws)], dtype=draws.dtype)
    usual = draws.shape[1] / draws.square().sum(1).clamp(min=1e-30)
    lost = rates.c_1 * rates.c_c * (2 - rates.c_c) if stalled else 0.0
    kept = 1 + lost - rates.c_1 - rates.c_mu * sum(rates.weights)
    return torch.where(weights < 0, weights * usual, weights), kept


def _with_root(matrix: Float[Tensor, "dim dim"]) -> tuple[Float[Tensor, "dim dim"], Float[Tensor, "dim dim"]]:
    """A covariance made symmetric, and its symmetric root."""
    even = (matrix + matrix.T) / 2
    variances, axes = torch.linalg.eigh(even)
    variances = variances.clamp(min=_LEAST_VARIANCE * float(variances[-1]))
    return even, (axes * variances.sqrt()) @ axes.T
