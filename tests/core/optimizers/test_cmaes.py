"""CMA-ES against literal updates in NumPy, and what it must not care for."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from jaxtyping import TypeCheckError
from searching import DOUBLE, hidden, restored, run, same_state, sphere

from phosphene import optimizers as o
from phosphene.errors import ParameterError
from phosphene.optimizers.cholesky import DENSE_UP_TO, EVERY, MEMORY, Cholesky
from phosphene.optimizers.cma_rates import expected_norm, quick_rates, textbook_rates
from phosphene.optimizers.cma_shapes import Full
from phosphene.optimizers.norms import turned

COVS = ("iso", "diag", "cholesky", "full")


def ridge(codes):
    return -(codes.square() * torch.arange(1, codes.shape[1] + 1, dtype=codes.dtype)).sum(1) + codes[:, 0]


class Literal:
    """One update after another by the formulas of Hansen's tutorial (full, diag) and of Wang and Ponce (others)."""

    def __init__(self, cov, n, lam, sigma):
        self.cov, self.n, self.lam, self.sigma = cov, n, lam, sigma
        self.m, self.ps, self.pc, self.C, self.A = np.zeros(n), np.zeros(n), np.zeros(n), np.eye(n), np.eye(n)
        self.t = self.waited = 0

    def constants(self):
        n, lam = self.n, self.lam
        raw = [math.log((lam + 1) / 2) - math.log(i) for i in range(1, lam + 1)]
        plus, minus = [w for w in raw if w > 0], [w for w in raw if w < 0]
        w = [x / sum(plus) for x in plus]
        mueff = 1 / sum(x**2 for x in w)
        self.w, self.mueff = w, mueff
        quick = self.cov in ("iso", "cholesky")
        self.cs = (
            math.sqrt(mueff) / (math.sqrt(mueff) + math.sqrt(n)) if quick else min(0.5, (mueff + 2) / (n + mueff + 5))
        )
        self.damps = 1 + self.cs + 2 * max(0, math.sqrt((mueff - 1) / (n + 1)) - 1)
        self.cc = 4 / (4 + n) if quick else (4 + mueff / n) / (n + 4 + 2 * mueff / n)
        speed = (n + 2) / 3 if self.cov == "diag" else 1
        self.c1 = 2 / (n + math.sqrt(2)) ** 2 if quick else min(1, speed * 2 / ((n + 1.3) ** 2 + mueff))
        self.cmu = min(1 - self.c1, speed * 2 * (0.25 + mueff - 2 + 1 / mueff) / ((n + 2) ** 2 + mueff))
        eff = sum(minus) ** 2 / sum(x**2 for x in minus)
        alpha = min(1 + self.c1 / self.cmu, 1 + 2 * eff / (mueff + 2), (1 - self.c1 - self.cmu) / (n * self.cmu))
        self.all = w + [0.0] * (lam - len(plus) - len(minus)) + [alpha * x / sum(map(abs, minus)) for x in minus]

    def update(self, draws):
        """Draws z of all candidates that have a score, best first."""
        self.lam = len(draws)
        self.constants()
        n, mu, A = self.n, len(self.w), self.A
        zw = sum(w * z for w, z in zip(self.w, draws, strict=False))
        yw = A @ zw
        self.m = self.m + self.sigma * yw
        self.t += 1
        self.ps = (1 - self.cs) * self.ps + math.sqrt(self.cs * (2 - self.cs) * self.mueff) * zw
        chi = math.sqrt(n) * (1 - 1 / (4 * n) + 1 / (21 * n * n))
        long = np.linalg.norm(self.ps) / math.sqrt(1 - (1 - self.cs) ** (2 * self.t)) / chi
        h = 1.0 if long < 1.4 + 2 / (n + 1) or self.cov == "cholesky" else 0.0
        self.pc = (1 - self.cc) * self.pc + h * math.sqrt(self.cc * (2 - self.cc) * self.mueff) * yw
        self.sigma *= math.exp(self.cs / self.damps * (np.linalg.norm(self.ps) / chi - 1))
        assert mu == self.lam // 2
        if self.cov == "cholesky" and self.t % 10 == 0:
            v = np.linalg.solve(A, self.pc)
            a = math.sqrt(1 - self.c1)
            self.A = a * A + a / (v @ v) * (math.sqrt(1 + self.c1 / (1 - self.c1) * (v @ v)) - 1) * np.outer(self.pc, v)
        if self.cov in ("full", "diag"):
            self.adapt(draws, h)

    def adapt(self, draws, h):
        lost = (1 - h) * self.c1 * self.cc * (2 - self.cc)
        C = (1 + lost - self.c1 - self.cmu * sum(self.all)) * self.C + self.c1 * np.outer(self.pc, self.pc)
        for w, z in zip(self.all, draws, strict=True):
            C = C + self.cmu * (w if w >= 0 else w * self.n / (z @ z)) * np.outer(self.A @ z, self.A @ z)
        if self.cov == "diag":
            self.C = np.diag(np.diag(C))
            self.A = np.sqrt(self.C)
            return
        self.C, self.waited = C, self.waited + 1
        if self.waited * self.n * (self.c1 + self.cmu) >= 0.5:
            values, axes = np.linalg.eigh(C)
            self.A, self.waited = axes @ np.diag(np.sqrt(values)) @ axes.T, 0


@pytest.mark.parametrize("n", [5, 20])
@pytest.mark.parametrize("cov", COVS)
def test_updates_are_the_literal_ones_with_scores_missing_too(cov, n):
    search = o.CMAES(population=9, cov=cov, sigma0=0.7).search(n, seed=2)
    literal = Literal(cov, n, 9, 0.7)
    for g in range(45):
        asked = search.ask()
        draws = np.stack([search.normal(i).numpy() for i in range(9)])
        shown = literal.m + literal.sigma * draws @ literal.A.T
        np.testing.assert_allclose(asked.codes.numpy(), shown, rtol=1e-8, atol=1e-9)
        scores = ridge(asked.codes).numpy()
        scores[: g % 3] = math.nan
        order = [i for i in np.argsort(-scores, kind="stable") if not math.isnan(scores[i])]
        search.tell(asked.ids, scores)
        literal.update(draws[order])
    assert search.figures()["sigma"] == pytest.approx(literal.sigma, rel=1e-9)
    np.testing.assert_allclose(search.recommend().numpy(), literal.m, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("cov", COVS)
@pytest.mark.parametrize(
    "distort", [torch.exp, lambda s: s**3 + 7, lambda s: torch.atan(s)], ids=["exp", "cube", "atan"]
)
def test_only_the_order_of_the_scores_counts_bit_for_bit(cov, distort):
    spec, unit = o.CMAES(cov=cov, population=8), hidden(30)
    plain = run(spec.search(30, seed=1), unit, 30)
    bent = run(spec.search(30, seed=1), lambda codes: distort(unit(codes)), 30)
    assert torch.equal(plain.ask().codes, bent.ask().codes)
    assert torch.equal(plain.recommend(), bent.recommend())


@pytest.mark.parametrize("cov", COVS)
def test_where_the_origin_lies_does_not_matter(cov):
    spec, shift = o.CMAES(cov=cov, population=8, sigma0=0.5), torch.linspace(-3, 5, 6, dtype=DOUBLE)
    here = run(spec.search(6, seed=1), lambda x: ridge(x), 25)
    there = run(spec.search(6, seed=1, origin=shift), lambda x: ridge(x - shift), 25)
    torch.testing.assert_close(there.recommend() - shift, here.recommend(), rtol=1e-6, atol=1e-6)


def test_equal_scores_are_ranked_by_number():
    spec = o.CMAES(cov="full", population=8)
    flat = run(spec.search(5, seed=1), lambda x: torch.zeros(len(x), dtype=DOUBLE), 5)
    falling = run(spec.search(5, seed=1), lambda x: -torch.arange(len(x), dtype=DOUBLE), 5)
    assert same_state(flat.state_dict() | {"best": 0}, falling.state_dict() | {"best": 0})


@pytest.mark.parametrize(("n", "lam"), [(10, 10), (40, 15), (4096, 40)])
def test_weights_sum_to_one_and_rates_are_sane(n, lam):
    for rates in (quick_rates(n, lam), textbook_rates(n, lam), textbook_rates(n, lam, (n + 2) / 3)):
        assert sum(w for w in rates.weights if w > 0) == pytest.approx(1)
        assert len(rates.weights) == lam
        assert list(rates.weights) == sorted(rates.weights, reverse=True)
        assert 1 < rates.mu_eff < lam / 2
        assert 0 < rates.c_1 + rates.c_mu <= 1
    assert quick_rates(4096, 40).c_1 == pytest.approx(1.19e-7, rel=0.01)


@pytest.mark.parametrize("n", [1, 2, 10, 200])
def test_the_expected_norm_is_that_of_the_chi_distribution(n):
    exact = math.sqrt(2) * math.exp(math.lgamma((n + 1) / 2) - math.lgamma(n / 2))
    assert expected_norm(n) == pytest.approx(exact, rel=0.01 if n == 1 else 1e-3)


def test_a_product_of_rank_one_factors_is_the_dense_factor():
    n, generator = DENSE_UP_TO + 4, torch.Generator().manual_seed(3)
    slim, rates = Cholesky(n, DOUBLE), quick_rates(n, 6)
    dense = Cholesky(n, DOUBLE)
    dense.factor = dense.inverse = torch.eye(n, dtype=DOUBLE)
    for _ in range(4 * EVERY):
        draws = torch.randn(6, n, generator=generator, dtype=DOUBLE) + 3
        slim.learn(draws, rates, stalled=False)
        dense.learn(draws, rates, stalled=False)
    z = torch.randn(n, generator=generator, dtype=DOUBLE)
    torch.testing.assert_close(slim.stretch(z), dense.stretch(z), rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(slim.unstretched(slim.stretch(z)), z, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(dense.unstretched(dense.stretch(z)), z, rtol=1e-9, atol=1e-9)
    assert not torch.allclose(slim.stretch(z), z, rtol=1e-3)
    assert slim.vectors.shape == (4, n)


def test_negative_gains_and_a_scale_of_0_are_refused():
    n = DENSE_UP_TO + 1
    search = run(o.CMAES(cov="cholesky", population=6).search(n, seed=1), sphere, EVERY)
    state = search.state_dict()
    assert len(state["gains"]) == 1
    for name, value in (("gains", -state["gains"]), ("scale", 0.0)):
        with pytest.raises(ParameterError, match=f"state is damaged: ValueError: {name} "):
            search.load_state_dict(state | {name: value})
    assert same_state(search.state_dict(), state)


def test_a_product_forgets_its_oldest_factors():
    shape, rates = Cholesky(DENSE_UP_TO + 1, DOUBLE), quick_rates(DENSE_UP_TO + 1, 6)
    draws = torch.ones(6, DENSE_UP_TO + 1, dtype=DOUBLE)
    for _ in range((MEMORY + 3) * EVERY):
        shape.learn(draws, rates, stalled=False)
    assert len(shape.vectors) == len(shape.gains) == MEMORY
    assert bool(shape.stretch(draws[0]).isfinite().all())


def test_the_full_covariance_is_taken_apart_only_now_and_then(monkeypatch):
    calls, eigh = [], torch.linalg.eigh
    monkeypatch.setattr(torch.linalg, "eigh", lambda m: calls.append(1) or eigh(m))
    run(o.CMAES(cov="full").search(100, seed=1), sphere, 60)
    assert 3 <= len(calls) <= 20


def test_a_population_so_large_that_the_worse_half_has_no_weight_is_learned_from():
    assert textbook_rates(5, 200).weights[-1] == 0
    assert float(run(o.CMAES(cov="full", population=200).search(5, seed=1), sphere, 30).best_observed.score) > -1e-3


def test_the_full_covariance_stays_positive_definite():
    search = run(o.CMAES(cov="full", population=40).search(4, seed=1), ridge, 200)
    assert isinstance(search.shape, Full)
    assert float(torch.linalg.eigvalsh(search.shape.covariance)[0]) > 0
    assert bool(search.ask().codes.isfinite().all())


@pytest.mark.parametrize("cov", COVS)
def test_a_unit_that_likes_ever_longer_codes_is_held_by_the_norm(cov):
    for norm, least in ((o.Capped(20.0), 15.0), (o.OnSphere(20.0), 20 - 1e-9)):
        search = run(o.CMAES(cov=cov, norm=norm, sigma0=1.0).search(16, seed=1), lambda x: x.sum(1), 300)
        codes = search.ask().codes
        assert float(codes.norm(dim=1).max()) <= 20 + 1e-9
        assert least <= float(search.recommend().norm()) <= 20 + 1e-9
        assert float(search.recommend().sum() / 80) > 0.95
        assert search.figures()["norm"] == pytest.approx(float(search.recommend().norm()))


@pytest.mark.parametrize("cov", COVS)
def test_a_free_search_of_such_a_unit_runs_away_but_stays_finite(cov):
    search = run(o.CMAES(cov=cov, norm=o.Free()).search(3, seed=1), lambda x: x.sum(1), 400)
    assert float(search.recommend().norm()) > 1e6
    assert bool(search.ask().codes.isfinite().all())
    assert same_state(restored(search.spec, search).state_dict(), search.state_dict())


def test_defaults_follow_the_dimension():
    spec = o.CMAES()
    assert [spec.cov_for(n) for n in (2, 200, 201, 4096)] == ["full", "full", "iso", "iso"]
    assert spec.norm_for(torch.zeros(100)) == o.Capped(15.0)
    assert spec.norm_for(torch.zeros(4096)) == o.Capped(96.0)
    assert spec.norm_for(torch.full((100,), 3.0)) == o.Capped(45.0)
    assert o.CMAES(sigma0=3.0).norm_for(torch.zeros(4096)) == o.Capped(288.0)
    assert o.CMAES(sigma0=3.0).norm_for(torch.full((100,), 9.0)) == o.Capped(135.0)
    assert o.CMAES(sigma0=0.1).norm_for(torch.zeros(100)) == o.Capped(15.0)
    assert o.CMAES(norm=o.Free()).norm_for(torch.zeros(4096)) == o.Free()
    assert (spec.unbounded().norm, o.CMAES(norm=o.Capped(2.0)).unbounded().norm) == (o.Free(), o.Capped(2.0))


def test_a_search_that_is_loaded_keeps_the_ball_of_where_it_started():
    spec = o.CMAES(population=6)
    search = spec.search(4, origin=torch.full((4,), 9.0))
    again = spec.search(4)
    again.load_state_dict(search.state_dict())
    assert torch.equal(again.ask().codes, search.ask().codes)
    assert again.norm == o.Capped(27.0)


def test_figures_tell_the_angle_of_a_step():
    search = o.CMAES(sigma0=2.0, cov="iso").search(25, origin=torch.full((25,), 2.0))
    assert search.figures() == pytest.approx({"sigma": 2.0, "norm": 10.0, "angular_step_deg": 45.0})


def test_a_state_of_another_covariance_is_refused():
    state = o.CMAES(cov="iso", population=8).search(4).state_dict()
    with pytest.raises(ParameterError, match=r"of another optimizer: cov \"iso\" instead of \"full\"; load it with"):
        o.CMAES(cov="full", population=8).search(4).load_state_dict(state)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: o.CMAES(cov="half"), "cov is 'half'; expected one of 'auto', 'iso'|parameter 'cov'"),
        (lambda: o.CMAES(sigma0=0.0), "sigma0 is 0.0; expected a number above 0"),
        (lambda: o.CMAES(sigma0=math.inf), "sigma0 is inf"),
        (lambda: o.CMAES(cov="full").search(5001), "dim is 5001; expected 5000 or less .* take cov='iso'"),
        (lambda: o.Capped(0.0), "radius is 0.0; expected a number above 0"),
        (lambda: o.OnSphere(math.inf), "radius is inf"),
    ],
)
def test_parameters_out_of_range_are_refused(build, message):
    with pytest.raises((ParameterError, TypeCheckError), match=message):
        build()


def test_norms_project_each_code_on_its_own():
    codes = torch.tensor([[3.0, 4.0], [0.3, 0.4], [0.0, 0.0]], dtype=DOUBLE)
    assert torch.equal(o.Free().project(codes), codes)
    torch.testing.assert_close(o.Capped(2.5).project(codes), codes * torch.tensor([[0.5], [1.0], [1.0]], dtype=DOUBLE))
    torch.testing.assert_close(
        o.OnSphere(2.5).project(codes), codes * torch.tensor([[0.5], [5.0], [1.0]], dtype=DOUBLE)
    )
    assert torch.equal(o.Capped(2.5).project(codes)[0], o.Capped(2.5).project(codes[0]))


def test_one_generation_learns_from_what_was_drawn_not_from_what_was_shown():
    free, capped = (o.CMAES(cov="iso", norm=norm, population=8).search(9, seed=1) for norm in (o.Free(), o.Capped(0.5)))
    for search in (free, capped):
        asked = search.ask()
        search.tell(asked.ids, range(8))
    assert free.figures()["sigma"] == capped.figures()["sigma"]
    torch.testing.assert_close(o.Capped(0.5).project(free.recommend()), capped.recommend())


def test_a_vector_is_turned_by_the_rotation_of_one_direction_to_another():
    generator = torch.Generator().manual_seed(1)
    start, goal, vector = torch.randn(3, 5, generator=generator, dtype=DOUBLE)
    start, goal = start / start.norm(), goal / goal.norm()
    # The rotation in the plane of both: exp of the angle times its generator.
    side = goal - (goal @ start) * start
    plane = torch.outer(side / side.norm(), start) - torch.outer(start, side / side.norm())
    rotation = torch.linalg.matrix_exp(torch.acos(start @ goal) * plane)
    torch.testing.assert_close(turned(vector, start, goal), rotation @ vector)
    torch.testing.assert_close(turned(start, start, goal), goal)
    assert torch.equal(turned(vector, start, -start), vector)


def noise_sigmas(norm, n_seeds):
    """Step sizes after 200 generations of scores that tell nothing."""
    found = []
    for seed in range(n_seeds):
        search, noise = o.CMAES(17, cov="iso", norm=norm).search(100, seed=seed), torch.Generator().manual_seed(seed)
        run(search, lambda x, noise=noise: torch.randn(len(x), generator=noise), 200)
        found.append(search.figures()["sigma"])
    return found


@pytest.mark.slow
def test_scores_that_are_mere_noise_leave_the_step_size_at_a_border_as_it_is_without():
    free, ball, sphere_ = (noise_sigmas(norm, 24) for norm in (o.Free(), None, o.OnSphere(10.0)))
    assert np.median(ball) > 0.8 * np.median(free)
    assert np.median(sphere_) > 0.75 * np.median(free)
