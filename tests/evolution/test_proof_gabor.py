"""A simple cell is found from noisy spike counts: 75 generations of 40 trials."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import phosphene as ph
from phosphene.parameterizations.generators import CustomGenerator
from phosphene.projections import FixContrast
from phosphene.scorers import FunctionScorer, Poisson, Scorer
from phosphene.spaces import Projected, as_space

SIZE, COARSE, CONTRAST = 16, 7, 0.1


def gabor() -> np.ndarray:
    """Wavelength 8 pixels, envelope of 2.7 pixels, mean 0 and length 1."""
    y, x = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    wave = np.cos(2 * np.pi * (x * np.cos(0.6) + y * np.sin(0.6)) / 8 + 0.5)
    found = wave * np.exp(-(x**2 + y**2) / (2 * (SIZE / 6) ** 2))
    found -= found.mean()
    return found / np.linalg.norm(found)


FILTER = gabor()
#: The response to the filter itself at the contrast of the stimuli.
TOP = CONTRAST * SIZE


def neuron(images: np.ndarray) -> np.ndarray:
    """A rectified linear simple cell."""
    return np.maximum(0, ((images[..., 0] - 0.5) * FILTER).sum((1, 2)))


def aperture(codes: torch.Tensor) -> torch.Tensor:
    """Coarse patterns (n, 49), enlarged smoothly, behind a Gaussian window with a deviation of 4 pixels; (n, 1, h, w)
    in [-1, 1].
    """
    fine = F.interpolate(codes.view(-1, 1, COARSE, COARSE), (SIZE, SIZE), mode="bicubic", align_corners=False)
    at = torch.arange(SIZE, dtype=codes.dtype) - (SIZE - 1) / 2
    shown = fine * torch.exp(-(at[:, None] ** 2 + at**2) / (2 * 4.0**2))
    return shown / shown.abs().amax((1, 2, 3), keepdim=True).clamp(min=1e-8)


def stimuli() -> Projected:
    patterns = CustomGenerator(aperture, (COARSE * COARSE,), value_range=(-1, 1), image_shape=(1, SIZE, SIZE))
    return Projected(as_space(patterns), (FixContrast(0.5, CONTRAST),))


def correlation(result: ph.Result) -> float:
    return float(np.corrcoef(result.to_numpy()[0].ravel(), FILTER.ravel())[0, 1])


def evolved(noise: Poisson | None, seed: int = 0):
    scorer = Scorer(FunctionScorer(neuron), noise=noise)
    return ph.evolve(scorer, stimuli(), generations=75, population=40, seed=seed, progress=False)


@pytest.mark.parametrize("seed", range(3))
def test_a_gabor_neuron_with_poisson_noise_is_found_from_three_thousand_trials(seed):
    # Twenty spikes for the best stimulus of all: a trial of half a second of a cell that fires at 40 Hz.
    result = evolved(Poisson(seed=seed, scale=20 / TOP), seed)
    assert result.trajectory.scores.numel() == 3000
    assert correlation(result) > 0.9


def test_without_noise_it_is_found_almost_exactly():
    result = evolved(None)
    assert correlation(result) > 0.99
    assert float(neuron(result.to_numpy())[0]) > 0.99 * TOP


def test_under_noise_the_recommended_picture_is_better_than_the_luckiest_one_and_its_score_is_no_luck():
    spikes = 5
    results = [evolved(Poisson(seed=seed, scale=spikes / TOP), seed) for seed in range(3)]
    recommended = np.mean([correlation(result) for result in results])
    luckiest = np.mean([correlation(result.best_observed) for result in results])
    assert recommended > luckiest + 0.03
    # More spikes than any picture can draw on average: the winner's curse.
    assert all(result.best_score > 1.5 * TOP for result in results)
