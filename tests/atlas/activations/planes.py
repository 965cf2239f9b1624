"""What the tests of activation atlases share: a layout that needs no library, and quick icons."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from phosphene.atlas.activations import Icons

QUICK = Icons(size=12, steps=2, attempts=1, whiten=True, least=2, quality=None)


@dataclass(frozen=True)
class FirstTwo:
    """Places are the first two numbers of each vector."""

    def places(self, vectors: np.ndarray, seed: int) -> np.ndarray:
        return vectors[:, :2].astype(np.float64)

    def __str__(self) -> str:
        return "the first two numbers"
