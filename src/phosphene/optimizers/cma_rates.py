"""Weights and learning rates of CMA-ES: functions of the dimension and of the number of scores alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

from phosphene.optimizers.ranking import log_weights


@dataclass(frozen=True)
class Rates:
    """Constants of one update.

    Attributes:
        weights: of the ranks, best first: the first ``n_parents`` are positive and sum to 1; the others are negative
            and count for the covariance alone, or are 0.
        n_parents: mu, whose mean becomes the next mean.
        mu_eff: variance-effective number of parents.
        c_sigma: rate of the step size's path.
        d_sigma: damping of the step size.
        c_c: rate of the covariance's path.
        c_1: rate of the rank-one update.
        c_mu: rate of the rank-mu update.
    """

    weights: tuple[float, ...]
    n_parents: int
    mu_eff: float
    c_sigma: float
    d_sigma: float
    c_c: float = 0.0
    c_1: float = 0.0
    c_mu: float = 0.0


def expected_norm(dim: float) -> float:
    """Expected length of a vector of ``dim`` standard normal numbers, to O(dim^-2.5)."""
    return math.sqrt(dim) * (1 - 1 / (4 * dim) + 1 / (21 * dim**2))


def quick_rates(dim: int, n: int) -> Rates:
    """Rates with the step size's path of CholeskyCMAES, short enough for the tens of generations that a neuron gives.

    Source:
        Suttorp, Hansen and Igel (2009); Wang and Ponce (2022): c_c = 4 / (N + 4), c_sigma = √mu_eff / (√mu_eff + √N),
        c_1 = 2 / (N + √2)², d_sigma = 1 + c_sigma + 2 max(0, √((mu_eff - 1) / (N + 1)) - 1).
    """
    parents, mu_eff = _parents(log_weights(n))
    c_sigma = math.sqrt(mu_eff) / (math.sqrt(mu_eff) + math.sqrt(dim))
    weights = parents + (0.0,) * (n - len(parents))
    c_1 = 2 / (dim + math.sqrt(2)) ** 2
    return Rates(weights, len(parents), mu_eff, c_sigma, _damping(dim, mu_eff, c_sigma), 4 / (dim + 4), c_1)


def textbook_rates(dim: int, n: int, speed: float = 1.0) -> Rates:
    """Rates of CMA-ES with rank-one and rank-mu updates, the worse half counting negatively.

    Args:
        dim: N.
        n: scores of the generation.
        speed: factor of the covariance's rates; (N + 2) / 3 where only its diagonal is learned.

    Source:
        Hansen, "The CMA Evolution Strategy: A Tutorial" (2016), table 1; Ros and Hansen (2008) for the factor. From
        pycma 4 that c_sigma is 1/2 at most, by which large populations see over more hills, and that less than six
        scores learn a slower rank-one update.
    """
    raw = log_weights(n)
    parents, mu_eff = _parents(raw)
    c_sigma = min(0.5, (mu_eff + 2) / (dim + mu_eff + 5))
    c_c = (4 + mu_eff / dim) / (dim + 4 + 2 * mu_eff / dim)
    c_1 = min(1.0, speed * 2 / ((dim + 1.3) ** 2 + mu_eff) * min(1.0, n / 6))
    spread = 2 * (0.25 + mu_eff + 1 / mu_eff - 2) / ((dim + 2) ** 2 + mu_eff)
    c_mu = min(1 - c_1, speed * spread)
    losers = _losers([w for w in raw if w < 0], mu_eff, (c_1, c_mu), dim)
    weights = parents + (0.0,) * (n - len(parents) - len(losers)) + losers
    return Rates(weights, len(parents), mu_eff, c_sigma, _damping(dim, mu_eff, c_sigma), c_c, c_1, c_mu)


def _parents(raw: list[float]) -> tuple[tuple[float, ...], float]:
    """Normalised positive weights, and how many equal ones would vary as much."""
    positive = [w for w in raw if w > 0]
    total = sum(positive)
    weights = tuple(w / total for w in positive)
    return weights, 1 / sum(w * w for w in weights)


def _losers(raw: list[float], mu_eff: float, rates: tuple[float, float], dim: int) -> tuple[float, ...]:
    """Negative weights, small enough that the covariance stays positive definite (the tutorial's equations 50–53)."""
    c_1, c_mu = rates
    if not raw or c_mu == 0:
        return (0.0,) * len(raw)
    total = sum(raw)
    effective = total * total / sum(w * w for w in raw)
    limits = (1 + c_1 / c_mu, 1 + 2 * effective / (mu_eff + 2), (1 - c_1 - c_mu) / (dim * c_mu))
    return tuple(min(limits) * w / -total for w in raw)


def _damping(dim: int, mu_eff: float, c_sigma: float) -> float:
    return 1 + c_sigma + 2 * max(0.0, math.sqrt((mu_eff - 1) / (dim + 1)) - 1)
