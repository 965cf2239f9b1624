"""A linear neuron and a small space: what evolution must find is known."""

from __future__ import annotations

import numpy as np
import pytest

import phosphene as ph


class Linear:
    """The dot product of an image's deviation from grey with a filter; counts what it is shown."""

    def __init__(self, shape=(6, 8, 1), seed=0):
        self.filter = np.random.default_rng(seed).normal(size=shape)
        self.n_images = 0

    def __call__(self, images):
        self.n_images += len(images)
        return ((images - 0.5) * self.filter).sum((1, 2, 3))


@pytest.fixture
def neuron():
    return Linear()


@pytest.fixture
def space():
    return ph.spaces.ImageSpace(ph.Pixels(6, 8, channels=1, sd=1.0))
