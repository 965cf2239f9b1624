"""Figures that are known: evaluations to a target as pycma needs them, and what Wang and Ponce's optimizers reach.

Medians of pycma 4.5 over 11 seeds; a hidden direction of 4,096 numbers after 3,000 scores; scores that are mere noise.
"""

from __future__ import annotations

import math
import statistics

import pytest
import torch
from searching import DOUBLE, best_of, ellipsoid, evaluations, generation, hidden, rastrigin, rosenbrock, sphere

from phosphene import optimizers as o

#: Function, dimension, every number of the origin, population, pycma's median.
PROBLEMS = {
    "sphere 10": (sphere, 10, 1.0, 10, 1490),
    "sphere 40": (sphere, 40, 1.0, 15, 5280),
    "ellipsoid 10": (ellipsoid, 10, 1.0, 10, 4110),
    "ellipsoid 20": (ellipsoid, 20, 1.0, 12, 13188),
    "Rosenbrock 10": (rosenbrock, 10, 0.0, 10, 5300),
}


def needed(cov, name, seed, most):
    score, dim, start, population, _ = PROBLEMS[name]
    spec, origin = (
        o.CMAES(cov=cov, sigma0=0.5, norm=o.Free(), population=population),
        torch.full((dim,), start, dtype=DOUBLE),
    )
    return evaluations(spec.search(dim, seed=seed, origin=origin), score, 1e-9, most)


def median_is_pycmas(name, n_seeds):
    expected = PROBLEMS[name][-1]
    found = [needed("full", name, seed, 4 * expected) for seed in range(n_seeds)]
    reached = [n for n in found if n is not None]
    # One of pycma's eleven runs on Rosenbrock's function ends in its local optimum, too.
    assert len(reached) >= n_seeds - (2 if "Rosenbrock" in name else 0)
    assert statistics.median(reached) == pytest.approx(expected, rel=0.25)


@pytest.mark.parametrize("name", list(PROBLEMS))
def test_the_full_covariance_needs_as_many_evaluations_as_pycma(name):
    median_is_pycmas(name, 1 if name == "ellipsoid 20" else 3)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(PROBLEMS))
def test_the_full_covariance_needs_as_many_evaluations_as_pycma_over_eleven_seeds(name):
    median_is_pycmas(name, 11)


@pytest.mark.parametrize(("dim", "population", "expected"), [(10, 10, 1470), (40, 15, 4980), (100, 40, 16560)])
def test_the_step_size_alone_climbs_a_sphere_as_fast(dim, population, expected):
    spec, origin = o.CMAES(cov="iso", sigma0=0.5, norm=o.Free(), population=population), torch.ones(dim, dtype=DOUBLE)
    found = evaluations(spec.search(dim, seed=0, origin=origin), sphere, 1e-9, 3 * expected)
    assert found == pytest.approx(expected, rel=0.25)


def test_the_step_size_alone_fails_on_the_ellipsoid():
    assert needed("iso", "ellipsoid 10", 0, 16000) is None


@pytest.mark.slow
def test_the_step_size_alone_fails_on_the_ellipsoid_for_80000_evaluations():
    assert needed("iso", "ellipsoid 10", 0, 80000) is None


@pytest.mark.slow
@pytest.mark.parametrize(("population", "share", "expected"), [(20, 0.0, None), (100, 0.58, 6550), (200, 0.8, 9600)])
def test_a_large_population_finds_rastrigins_top(population, share, expected):
    # Shares of 60 seeds; pycma finds it from .65 and .90 of its 60, in 6400 and 9400 evaluations.
    spec = o.CMAES(cov="full", sigma0=2.0, norm=o.Free(), population=population)
    origin, n_seeds = torch.full((5,), 3.0, dtype=DOUBLE), 11
    found = [evaluations(spec.search(5, seed=seed, origin=origin), rastrigin, 1e-8, 20000) for seed in range(n_seeds)]
    reached = [n for n in found if n is not None]
    # Two standard deviations of a count of eleven.
    spread = 2 * math.sqrt(n_seeds * max(share * (1 - share), 0.08))
    assert len(reached) == pytest.approx(share * n_seeds, abs=spread)
    assert expected is None or statistics.median(reached) == pytest.approx(expected, rel=0.25)


#: Highest cosine with a hidden direction, and the mean norm of the last codes. The other implementation's .36 of XDream's
#: rules was measured with 40 candidates, as all of these: that is ``Genetic()``, whose norm is lower (196 for 270). With
#: XDream's own 20 candidates there are 150 generations in 3,000 scores instead of 75, and .39; with 40 it has .358. What
#: else differs, the cut of wild scores and that none is conserved, makes .01 each.
COSINES = {
    "iso": (o.CMAES(sigma0=3.0, norm=o.Free()), 0.50, 447),
    "cholesky": (o.CMAES(cov="cholesky", sigma0=3.0, norm=o.Free()), 0.50, 448),
    "sphere": (o.SphereCMA(radius=300.0), 0.513, 300),
    "GA of Wang and Ponce": (o.wang_ponce_genetic(), 0.24, 175),
    "GA by default": (o.Genetic(), 0.36, 196),
    "GA of XDream": (o.xdream_genetic(), 0.39, 284),
    "by default": (o.CMAES(), 0.50, 93),
    "by default from 3": (o.CMAES(sigma0=3.0), 0.50, 280),
}


@pytest.mark.parametrize("name", list(COSINES))
def test_a_hidden_direction_of_4096_numbers_is_found_as_well_as_is_known(name):
    spec, cosine, norm = COSINES[name]
    found = best_of(spec.search(4096, seed=0), hidden(4096), 3000)
    assert found[0] == pytest.approx(cosine, abs=0.03)
    assert found[1] == pytest.approx(norm, rel=0.05)


@pytest.mark.slow
def test_cma_finds_1_8_times_the_cosine_of_the_published_genetic_setting():
    means = {}
    for name, (spec, cosine, _) in COSINES.items():
        means[name] = statistics.mean(best_of(spec.search(4096, seed=s), hidden(4096, s), 3000)[0] for s in range(4))
        assert means[name] == pytest.approx(cosine, abs=0.03)
    for name in ("iso", "by default", "by default from 3"):
        assert means[name] > 1.8 * means["GA of Wang and Ponce"]
    assert abs(means["iso"] - means["cholesky"]) < 0.03


@pytest.mark.parametrize("sigma0", [1.0, 3.0])
def test_the_default_ball_does_not_take_cma_below_1_8_times_the_published_genetic_setting(sigma0):
    search, unit = o.CMAES(sigma0=sigma0).search(4096, seed=1), hidden(4096, 1)
    best, _ = best_of(search, unit, 3000)
    assert best > 1.8 * 0.24
    assert float(unit(search.recommend()[None])[0]) == pytest.approx(0.53, abs=0.03)


def test_scores_that_are_mere_noise_let_the_norm_grow_and_the_step_size_shrink_as_is_known():
    norms, sigmas = [], []
    for seed in range(4):
        search, noise = o.CMAES(sigma0=3.0, norm=o.Free()).search(4096, seed=seed), torch.Generator().manual_seed(seed)
        for _ in range(75):
            codes, _ = generation(search, lambda x, noise=noise: torch.randn(len(x), generator=noise))
        norms.append(float(codes.norm(dim=1).mean()))
        sigmas.append(search.figures()["sigma"])
    assert 412 < statistics.mean(norms) < 426
    assert 2.29 < statistics.mean(sigmas) < 2.35
