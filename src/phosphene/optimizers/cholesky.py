"""The Cholesky factor of CMA-ES that is updated instead of decomposed, as Wang and Ponce used it with neurons."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.optimizers.cma_rates import Rates
from phosphene.optimizers.cma_shapes import Shape, longer_path, mean_draw
from phosphene.optimizers.states import State, positive_of, tensor_of, whole_of

#: Generations from one update of the factor to the next.
EVERY = 10
#: Up to that dimension the factor and its inverse are matrices; above, products.
DENSE_UP_TO = 256
#: Updates that a product remembers: 640 generations. Each weighs c_1 = 2 / (N + √2)², less than 3e-5.
MEMORY = 64


class Cholesky(Shape):
    """A factor A with C = A Aᵀ, changed by rank-one updates along the mean's path p alone.

    A ← √(1 - c_1) · A (I + b v vᵀ) with v = A⁻¹ p and b = (√(1 + c_1 |v|² / (1 - c_1)) - 1) / |v|²
    (Suttorp, Hansen and Igel, 2009); no matrix is ever taken apart, and above 256 dimensions none is held: the vectors
    v of the latest 64 updates stand for them.
    """

    def __init__(self, dim: int, dtype: torch.dtype) -> None:
        super().__init__(dim, dtype)
        self.path, self.waited, self.scale = torch.zeros(dim, dtype=dtype), 0, 1.0
        self.factor = torch.eye(dim if dim <= DENSE_UP_TO else 0, dtype=dtype)
        self.inverse = self.factor
        self.vectors, self.gains = torch.zeros(0, dim, dtype=dtype), torch.zeros(0, dtype=dtype)

    def stretch(self, draw: Float[Tensor, " dim"]) -> Float[Tensor, " dim"]:
        for vector, gain in zip(reversed(self.vectors), reversed(self.gains), strict=True):
            draw = draw + gain * (vector @ draw) * vector
        return self.scale * (self.factor @ draw if len(self.factor) else draw)

    def transposed(self, direction: Float[Tensor, " dim"]) -> Float[Tensor, " dim"]:
        direction = self.scale * (self.factor.T @ direction if len(self.factor) else direction)
        for vector, gain in zip(self.vectors, self.gains, strict=True):
            direction = direction + gain * (vector @ direction) * vector
        return direction

    def unstretched(self, step: Float[Tensor, " dim"]) -> Float[Tensor, " dim"]:
        """A⁻¹ y."""
        draw = (self.inverse @ step if len(self.factor) else step) / self.scale
        for vector, gain in zip(self.vectors, self.gains, strict=True):
            draw = draw - gain / (1 + gain * vector.square().sum()) * (vector @ draw) * vector
        return draw

    def learn(self, draws: Float[Tensor, "n dim"], rates: Rates, *, stalled: bool) -> None:
        self.path = longer_path(self.path, self.stretch(mean_draw(draws, rates)), rates)
        self.waited += 1
        if self.waited == EVERY:
            self.waited = 0
            self._update(self.unstretched(self.path), rates.c_1)

    def _update(self, vector: Float[Tensor, " dim"], c_1: float) -> None:
        length = max(float(vector.square().sum()), 1e-30)
        gain = (math.sqrt(1 + length * c_1 / (1 - c_1)) - 1) / length
        self.scale *= math.sqrt(1 - c_1)
        if len(self.factor):
            self.factor = self.factor + gain * torch.outer(self.factor @ vector, vector)
            back = gain / (1 + gain * length)
            self.inverse = self.inverse - back * torch.outer(vector, vector @ self.inverse)
        else:
            self.vectors = torch.cat([self.vectors, vector[None]])[-MEMORY:]
            self.gains = torch.cat([self.gains, self.gains.new_tensor([gain])])[-MEMORY:]

    def state(self) -> State:
        return {
            "shape_path": self.path,
            "waited": self.waited,
            "scale": self.scale,
            "factor": self.factor,
            "inverse": self.inverse,
            "vectors": self.vectors,
            "gains": self.gains,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        square = (self.dim, self.dim) if self.dim <= DENSE_UP_TO else (0, 0)
        self.path = tensor_of(state, "shape_path", (self.dim,), self.dtype)
        self.waited, self.scale = whole_of(state, "waited", EVERY - 1), positive_of(state, "scale")
        self.factor = tensor_of(state, "factor", square, self.dtype)
        self.inverse = tensor_of(state, "inverse", square, self.dtype)
        self.vectors = tensor_of(state, "vectors", (-1, self.dim), self.dtype)
        self.gains = tensor_of(state, "gains", (len(self.vectors),), self.dtype)
        if bool((self.gains < 0).any()):
            raise ValueError("gains has negative values")
