"""How alike an activation and a direction are."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

#: Lucid's floor of the cosine, and the guard of its denominators (lucid/optvis/objectives_util.py).
COSINE_FLOOR = 0.1
EPSILON = 1e-4


def dot_cossim(
    x: Float[Tensor, "*#batch c"], y: Float[Tensor, "*#batch c"], power: float | Tensor
) -> Float[Tensor, "*batch"]:
    """Lucid's ``dot · max(0.1, cosine)^power`` over the last axis; ``power`` 0 is the dot product.

    >>> x, y = torch.tensor([3.0, 4.0]), torch.tensor([1.0, 0.0])
    >>> [round(dot_cossim(x, y, p).item(), 5) for p in (0, 1, 2)]
    [3.0, 1.79978, 1.07974]
    """
    dot = (x * y).sum(-1)
    cosine = dot / (EPSILON + torch.linalg.vector_norm(x, dim=-1)) / (EPSILON + torch.linalg.vector_norm(y, dim=-1))
    return dot * cosine.clamp(min=COSINE_FLOOR) ** power
