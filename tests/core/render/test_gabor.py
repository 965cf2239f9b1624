"""A neuron whose best image is known: rendering recovers it."""

from __future__ import annotations

import pytest
import torch
from networks import gabor, gabor_net

import phosphene as ph
from phosphene import optimizers


@pytest.mark.parametrize(
    ("parameterization", "optimizer", "steps"),
    [
        (ph.Pixels(16, 16, channels=1), optimizers.Adam(lr=0.02), 60),
        (ph.Pixels(16, 16, channels=1), optimizers.NormalizedAscent(lr=0.05, norm="l2"), 60),
        (ph.Pixels(16, 16, channels=1), optimizers.LBFGS(), 20),
        (ph.Fourier(16, 16, channels=1), optimizers.Adam(lr=0.02), 80),
        (ph.Fourier(16, 16, channels=1, range="clip"), optimizers.Adam(lr=0.02), 80),
    ],
    ids=["pixels-adam", "pixels-ascent", "pixels-lbfgs", "fourier-adam", "fourier-clip"],
)
def test_the_optimum_of_a_gabor_neuron_is_recovered(parameterization, optimizer, steps):
    result = ph.render(
        gabor_net(),
        ph.Channel("", 0),
        parameterization,
        transforms=(),
        views=1,
        optimizer=optimizer,
        steps=steps,
        progress=False,
    )
    found = result.images[0, 0].double().flatten()
    correlation = torch.corrcoef(torch.stack([found, gabor().flatten()]))[0, 1].item()
    assert correlation > 0.95
    assert result.final_scores[0] > 0.95


def test_the_negative_of_a_gabor_neuron_is_its_inverse():
    result = ph.render(gabor_net(), -ph.Channel("", 0), ph.Pixels(16, 16, channels=1), transforms=(), views=1, steps=60, progress=False,
                       optimizer=optimizers.Adam(lr=0.02))  # fmt: skip
    assert torch.corrcoef(torch.stack([result.images[0, 0].double().flatten(), gabor().flatten()]))[0, 1] < -0.95
