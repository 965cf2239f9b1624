"""Lucent's ``util``."""

from __future__ import annotations

import torch


def set_seed(seed: int) -> None:
    """Seed torch's own generators, from which start images, and the seed of each ``render_vis``, are drawn.

    Nothing here draws from numpy or from ``random``, so these are left alone.
    """
    torch.manual_seed(seed)
