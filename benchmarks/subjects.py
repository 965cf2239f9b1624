"""What is rendered for the comparisons: twenty clear classes and thirty channels, fixed by rules beforehand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

CLASSES = {
    "goldfish": 1,
    "macaw": 88,
    "flamingo": 130,
    "king penguin": 145,
    "zebra": 340,
    "monarch": 323,
    "ladybug": 301,
    "giant panda": 388,
    "leopard": 288,
    "strawberry": 949,
    "espresso": 967,
    "pizza": 963,
    "daisy": 985,
    "volcano": 980,
    "soccer ball": 805,
    "school bus": 779,
    "mosque": 668,
    "lemon": 951,
    "dalmatian": 251,
    "geyser": 974,
}
"""A distinct thing with a distinct look, known to everyone, whose photograph EfficientNet-Lite0 classifies right."""

EXPLORATION_CLASSES = {
    "peacock": 84,
    "hummingbird": 94,
    "lorikeet": 90,
    "killer whale": 148,
    "orangutan": 365,
    "king crab": 121,
    "grand piano": 579,
    "broccoli": 937,
    "pineapple": 953,
    "traffic light": 920,
}
"""Those that recipes are chosen by (`explore.py`); none of them is among `CLASSES`."""

LAYERS = ("blocks.3", "blocks.5", "blocks.8", "blocks.11", "blocks.14")
N_CHANNELS_PER_LAYER = 6
CHANNEL_SEED = 2
EXPLORATION_SEED = 1
"""Draws other channels than `CHANNEL_SEED`, for `explore.py`."""


def pick_channels(
    best: dict[str, Tensor], seed: int = CHANNEL_SEED, count: int = N_CHANNELS_PER_LAYER
) -> dict[str, tuple[int, ...]]:
    """`count` channels of each layer, drawn at random with `seed` from those that some photograph activates above 0.

    `best` is each layer's greatest mean activation over the photographs, (c,) per layer.
    """
    generator = torch.Generator().manual_seed(seed)
    picked: dict[str, tuple[int, ...]] = {}
    for layer in LAYERS:
        alive = torch.nonzero(best[layer] > 0).flatten()
        order = torch.randperm(len(alive), generator=generator)
        picked[layer] = tuple(sorted(alive[order[:count]].tolist()))
    return picked
