"""What population searches share: who was best, and how much each counts."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

#: Fewer scores than that say nothing about better and worse.
MIN_SCORED = 2


def best_first(scores: Float[Tensor, " n"]) -> Int[Tensor, " scored"]:
    """Numbers of the candidates that have a score, the best first; of equal ones, the one that was asked for first."""
    scored = scores.isfinite().nonzero().flatten()
    return scored[torch.sort(scores[scored], descending=True, stable=True).indices]


def log_weights(n: int) -> list[float]:
    """Weights ln((n + 1) / 2) - ln(i) of ranks i = 1…n: positive for the better half, not normalised.

    Source:
        Hansen, "The CMA Evolution Strategy: A Tutorial" (2016), equation 49.

    >>> [round(w, 2) for w in log_weights(4)]
    [0.92, 0.22, -0.18, -0.47]
    """
    return [math.log((n + 1) / 2) - math.log(i) for i in range(1, n + 1)]


def parents_weights(n: int) -> Float[Tensor, " mu"]:
    """Positive log weights of the better half of n candidates, summing to 1, float64."""
    weights = torch.tensor(log_weights(n)[: max(1, n // 2)], dtype=torch.float64).clamp(min=1e-12)
    return weights / weights.sum()
