"""Gram matrices of activations: which channels go together, wherever that is."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor


def gram(activations: Float[Tensor, "*batch c p"]) -> Float[Tensor, "*batch c c"]:
    """``A Aᵀ / p``: the mean product of every two channels over p positions (Gatys et al. 2016, Lucid's norm).

    >>> import torch
    >>> gram(torch.tensor([[1.0, 3.0], [2.0, 0.0]])).tolist()
    [[5.0, 1.0], [1.0, 2.0]]
    """
    return activations @ activations.transpose(-1, -2) / activations.shape[-1]
