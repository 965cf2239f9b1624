"""Optimizers against torch.optim's classes and literal formulas, on concave quadratics whose top is known."""

from __future__ import annotations

import math

import pytest
import torch
from jaxtyping import TypeCheckError
from members import OPTIMIZERS, name_of

from phosphene import optimizers as o
from phosphene.errors import ArgumentError, ParameterError
from phosphene.functional.random import Streams
from phosphene.optimizers.base import clip_by_norm, image_norm

SHAPE = (3, 2, 4)


def start(seed=0, shape=SHAPE):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


TOP = start(1)
WEIGHTS = start(2).abs() + 0.1


def score(x):
    return -(WEIGHTS * (x - TOP).square()).flatten(1).sum(1)


def climb(optimizer, n_steps, *, rows=slice(None), top=TOP, weights=WEIGHTS, first=None):
    """The parameters after each step."""
    x = (start() if first is None else first)[rows].clone().requires_grad_()
    streams = Streams(("a", "b", "c")[rows], 0, torch.device("cpu"))
    stepper, trajectory, scores = optimizer.start([x], streams.fork("optimizer")), [], []

    def evaluate():
        values = -(weights[rows] * (x - top[rows]).square()).flatten(1).sum(1)
        if optimizer.needs_gradient:
            (x.grad,) = torch.autograd.grad(values.sum(), x)
        return values.detach()

    for _ in range(n_steps):
        scores.append(stepper.step(evaluate))
        trajectory.append(x.detach().clone())
    return torch.stack(trajectory), torch.stack(scores)


ORACLES = [
    (o.SGD(lr=0.05), lambda p: torch.optim.SGD(p, lr=0.05)),
    (o.SGD(lr=0.05, weight_decay=0.1), lambda p: torch.optim.SGD(p, lr=0.05, weight_decay=0.1)),
    (o.momentum(0.02, 0.8), lambda p: torch.optim.SGD(p, lr=0.02, momentum=0.8)),
    (o.nesterov(0.02, 0.7), lambda p: torch.optim.SGD(p, lr=0.02, momentum=0.7, nesterov=True)),
    (o.Adam(), lambda p: torch.optim.Adam(p, lr=0.05)),
    (o.Adam(lr=0.2, beta1=0.5, beta2=0.9, eps=1e-3), lambda p: torch.optim.Adam(p, lr=0.2, betas=(0.5, 0.9), eps=1e-3)),
    (o.Adam(lr=0.1, weight_decay=0.2), lambda p: torch.optim.Adam(p, lr=0.1, weight_decay=0.2)),
    (o.NAdam(weight_decay=0.2), lambda p: torch.optim.NAdam(p, lr=0.05, weight_decay=0.2)),
    (o.AdamW(lr=0.1, weight_decay=0.2), lambda p: torch.optim.AdamW(p, lr=0.1, weight_decay=0.2)),
    (o.NAdam(lr=0.1), lambda p: torch.optim.NAdam(p, lr=0.1)),
    (o.AdaGrad(lr=0.3), lambda p: torch.optim.Adagrad(p, lr=0.3)),
    (o.AdaDelta(rho=0.8, eps=1e-4), lambda p: torch.optim.Adadelta(p, lr=1.0, rho=0.8, eps=1e-4)),
    (o.RMSprop(lr=0.01, alpha=0.9), lambda p: torch.optim.RMSprop(p, lr=0.01, alpha=0.9)),
    (
        o.RMSprop(lr=0.01, momentum=0.5, eps=1e-4),
        lambda p: torch.optim.RMSprop(p, lr=0.01, alpha=0.99, momentum=0.5, eps=1e-4),
    ),
]


def test_every_optimizer_of_torch_has_its_oracle():
    climbing = {type(optimizer) for optimizer in OPTIMIZERS if optimizer.needs_gradient}
    own = climbing - {o.NormalizedAscent, o.LBFGS}
    assert {type(optimizer) for optimizer, _ in ORACLES} == own


@pytest.mark.parametrize(
    ("optimizer", "oracle"), ORACLES, ids=lambda v: name_of(v) if isinstance(v, o.Optimizer) else ""
)
def test_the_trajectory_is_that_of_torchs_class_on_the_negated_score(optimizer, oracle):
    found, scores = climb(optimizer, 12)
    x = start().requires_grad_()
    inner = oracle([x])
    for step in range(12):
        inner.zero_grad()
        value = score(x)
        (-value.sum()).backward()
        torch.testing.assert_close(scores[step], value.detach(), rtol=1e-12, atol=1e-12)
        inner.step()
        torch.testing.assert_close(found[step], x.detach(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=name_of)
def test_every_optimizer_climbs(optimizer):
    first = climb(optimizer, 30)[1]
    assert (first[-1] > first[0]).all()


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=name_of)
def test_no_row_influences_another(optimizer):
    together = climb(optimizer, 8)[0]
    for row in range(3):
        alone = climb(optimizer, 8, rows=slice(row, row + 1))[0]
        torch.testing.assert_close(together[:, row : row + 1], alone, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=name_of)
def test_a_start_is_fresh_and_the_value_keeps_no_state(optimizer):
    assert torch.equal(climb(optimizer, 4)[0], climb(optimizer, 4)[0])


NORMS = {
    "mean_abs": lambda g: sum(abs(v) for v in g) / len(g),
    "sd": lambda g: math.sqrt(sum((v - sum(g) / len(g)) ** 2 for v in g) / len(g)),
    "rms": lambda g: math.sqrt(sum(v * v for v in g) / len(g)),
    "l2": lambda g: math.sqrt(sum(v * v for v in g)),
}


@pytest.mark.parametrize("norm", [*NORMS, "sign"])
def test_normalised_ascent_is_the_literal_formula(norm):
    found = climb(o.NormalizedAscent(lr=0.1, norm=norm), 5)[0]
    x = start()
    for step in range(5):
        for row in range(3):
            gradient = (-2 * WEIGHTS[row] * (x[row] - TOP[row])).flatten().tolist()
            by = None if norm == "sign" else NORMS[norm](gradient) + 1e-8
            moves = [math.copysign(1, g) if by is None else g / by for g in gradient]
            x[row] += 0.1 * torch.tensor(moves, dtype=torch.float64).view(SHAPE[1:])
        torch.testing.assert_close(found[step], x, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("norm", [*NORMS, "sign"])
def test_normalised_ascent_does_not_care_for_the_scale_of_the_score(norm):
    optimizer = o.NormalizedAscent(lr=0.1, norm=norm, eps=0.0)
    torch.testing.assert_close(
        climb(optimizer, 5)[0], climb(optimizer, 5, weights=WEIGHTS * 1000)[0], rtol=1e-9, atol=1e-9
    )


def ellipsoids(n=4, d=6, condition=100.0):
    """Rotated concave quadratics -½ (x - t)ᵀ A (x - t), each with axes of its own."""
    generator = torch.Generator().manual_seed(3)
    axes = torch.linalg.qr(torch.randn(n, d, d, generator=generator, dtype=torch.float64)).Q
    curvatures = torch.logspace(0, math.log10(condition), d, dtype=torch.float64)
    return axes @ torch.diag(curvatures) @ axes.mT, torch.randn(n, d, generator=generator, dtype=torch.float64)


def climb_ellipsoids(optimizer, n_steps, rows=slice(None)):
    matrices, tops = (v[rows] for v in ellipsoids())
    x = torch.zeros_like(tops).requires_grad_()
    stepper, n_evaluations = optimizer.start([x]), 0

    def evaluate():
        nonlocal n_evaluations
        n_evaluations += 1
        values = -0.5 * torch.einsum("ni,nij,nj->n", x - tops, matrices, x - tops)
        (x.grad,) = torch.autograd.grad(values.sum(), x)
        return values.detach()

    for _ in range(n_steps):
        stepper.step(evaluate)
    return x.detach(), tops, n_evaluations


def test_lbfgs_reaches_the_top_of_rotated_ellipsoids_within_a_budget():
    x, tops, n_evaluations = climb_ellipsoids(o.LBFGS(), 40)
    assert (x - tops).norm(dim=1).max() < 1e-4
    assert n_evaluations <= 160


def test_lbfgs_needs_far_fewer_steps_than_steepest_ascent():
    newton = climb_ellipsoids(o.LBFGS(), 25)
    steepest = climb_ellipsoids(o.SGD(lr=0.019), 100)
    assert (newton[0] - newton[1]).norm() < 0.1 * (steepest[0] - steepest[1]).norm()


@pytest.mark.parametrize("row", range(4))
def test_lbfgs_takes_every_image_on_its_own(row):
    together = climb_ellipsoids(o.LBFGS(), 12)[0]
    alone = climb_ellipsoids(o.LBFGS(), 12, rows=slice(row, row + 1))[0]
    torch.testing.assert_close(together[row : row + 1], alone, rtol=1e-8, atol=1e-8)


def test_lbfgs_never_loses_score_and_forgets_beyond_its_history():
    scores = climb(o.LBFGS(history=2), 20)[1]
    assert (scores.diff(dim=0) >= -1e-12).all()
    x = start().requires_grad_()
    stepper = o.LBFGS(history=2).start([x])

    def evaluate():
        value = score(x)
        (x.grad,) = torch.autograd.grad(value.sum(), x)
        return value.detach()

    for _ in range(5):
        stepper.step(evaluate)
    assert len(stepper.pairs) == 2


def test_lbfgs_keeps_to_its_evaluations():
    assert climb_ellipsoids(o.LBFGS(max_evaluations=3), 10)[2] <= 30


@pytest.mark.parametrize("several", [False, True])
def test_clipping_bounds_each_images_gradient_and_leaves_small_ones(several):
    gradients = [torch.tensor([[3.0, 4.0], [0.03, 0.04]]), torch.tensor([[12.0], [0.0]])]
    parameters = [torch.zeros_like(g).requires_grad_() for g in gradients[: 1 + several]]
    for parameter, gradient in zip(parameters, gradients, strict=False):
        parameter.grad = gradient.clone()
    clip_by_norm(parameters, 1.0)
    length = 13.0 if several else 5.0
    torch.testing.assert_close(parameters[0].grad, torch.tensor([[3 / length, 4 / length], [0.03, 0.04]]))
    torch.testing.assert_close(image_norm([p.grad for p in parameters]), torch.tensor([1.0, 0.05]))


def test_a_clipped_step_is_as_long_as_the_limit_for_every_image():
    found = climb(o.SGD(lr=1.0, clip_norm=0.01), 1)[0]
    torch.testing.assert_close((found[0] - start()).flatten(1).norm(dim=1), torch.full((3,), 0.01, dtype=torch.float64))


@pytest.mark.parametrize(
    ("schedule", "values"),
    [
        (o.Constant(), [1, 1, 1, 1, 1]),
        (o.Cosine(4), [1, 0.5 + 0.5 * math.cos(math.pi / 4), 0.5, 0.5 - 0.5 * math.cos(math.pi / 4), 0, 0]),
        (o.Cosine(2, final=0.2), [1, 0.6, 0.2, 0.2]),
        (o.Linear(4), [1, 0.75, 0.5, 0.25, 0, 0]),
        (o.Linear(2, initial=0.0, final=3.0), [0, 1.5, 3, 3]),
        (o.Exponential(0.5), [1, 0.5, 0.25, 0.125]),
        (o.Steps(2, decay=0.1), [1, 1, 0.1, 0.1, 0.01]),
    ],
)
def test_schedules_have_the_values_of_their_formula(schedule, values):
    assert [schedule.factor(step) for step in range(len(values))] == pytest.approx(values)


@pytest.mark.parametrize("schedule", [o.Cosine(5), o.Linear(3, 0.2, 2.0), o.Exponential(0.7), o.Steps(2, 0.5)])
def test_a_schedule_multiplies_the_learning_rate_of_its_step(schedule):
    found = climb(o.SGD(lr=0.1, schedule=schedule), 6)[0]
    x = start()
    for step in range(6):
        x = x + 0.1 * schedule.factor(step) * (-2 * WEIGHTS * (x - TOP))
        torch.testing.assert_close(found[step], x)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: o.SGD(lr=0.0), "lr is 0.0; expected a number above 0"),
        (lambda: o.Adam(lr=float("inf")), "lr is inf"),
        (lambda: o.Adam(lr=float("nan")), "lr is nan"),
        (lambda: o.Adam(clip_norm=0.0), "clip_norm is 0.0; expected a number above 0, or None"),
        (lambda: o.SGD(momentum=1.0), r"momentum is 1.0; expected a number in \[0, 1\)"),
        (lambda: o.SGD(weight_decay=-1.0), "weight_decay is -1.0; expected a number from 0"),
        (lambda: o.SGD(nesterov=True), "momentum is 0.0; expected above 0 with nesterov=True"),
        (lambda: o.Adam(beta1=1.0), "beta1 is 1.0"),
        (lambda: o.Adam(beta2=-0.1), "beta2 is -0.1"),
        (lambda: o.Adam(eps=0.0), "eps is 0.0; expected a number above 0"),
        (lambda: o.Adam(eps=float("inf")), "eps is inf"),
        (lambda: o.AdamW(weight_decay=-0.1), "weight_decay is -0.1"),
        (lambda: o.AdaDelta(rho=1.0), "rho is 1.0"),
        (lambda: o.AdaDelta(eps=0.0), "eps is 0.0"),
        (lambda: o.RMSprop(alpha=1.0), "alpha is 1.0"),
        (lambda: o.RMSprop(momentum=1.0), "momentum is 1.0"),
        (lambda: o.RMSprop(eps=-1.0), "eps is -1.0"),
        (lambda: o.NormalizedAscent(norm="max"), "norm is 'max'; expected one of|parameter 'norm'"),
        (lambda: o.NormalizedAscent(eps=-1.0), "eps is -1.0; expected a number from 0"),
        (lambda: o.LBFGS(lr=0.0), "lr is 0.0"),
        (lambda: o.LBFGS(history=0), "history is 0; expected a whole number from 1 to 1000"),
        (lambda: o.LBFGS(max_evaluations=1), "max_evaluations is 1; expected a whole number from 2 to 100"),
        (lambda: o.LBFGS(first_step=0.0), "first_step is 0.0; expected a number above 0"),
        (lambda: o.LBFGS(first_step=float("inf")), "first_step is inf"),
        (lambda: o.Cosine(0), "steps is 0; expected a whole number above 0"),
        (lambda: o.Cosine(3, final=2.0), r"final is 2.0; expected a factor in \[0, 1\]"),
        (lambda: o.Linear(0), "steps is 0"),
        (lambda: o.Linear(3, initial=-1.0), r"initial, final is \(-1.0, 0.0\); expected factors from 0"),
        (lambda: o.Exponential(0.0), "decay is 0.0; expected a factor above 0, at most 2"),
        (lambda: o.Steps(0), "every is 0; expected a whole number above 0"),
        (lambda: o.Steps(2, decay=0.0), "decay is 0.0; expected a factor above 0, at most 1"),
    ],
)
def test_a_parameter_out_of_range_is_refused(build, message):
    with pytest.raises((ParameterError, ArgumentError, TypeCheckError), match=message):
        build()


def bounded(beyond, spoilt):
    """A score whose top lies at 1; where the first number passes ``beyond``, score or gradient is no number."""
    x = torch.full((2, 3), 0.1, dtype=torch.float64, requires_grad=True)

    def evaluate():
        scores = -(x - 1).square().sum(1)
        (x.grad,) = torch.autograd.grad(scores.sum(), x)
        out = (x[:, 0] > beyond) & torch.tensor([True, False])
        if spoilt == "gradient":
            x.grad = torch.where(out[:, None], torch.full_like(x, math.nan), x.grad)
            return scores.detach()
        return torch.where(out, torch.tensor(float(spoilt), dtype=torch.float64), scores.detach())

    return x, evaluate


@pytest.mark.parametrize("spoilt", ["nan", "-inf", "inf", "gradient"])
def test_lbfgs_turns_back_from_a_trial_where_nothing_is_finite_and_goes_on(spoilt):
    """The first trial goes too far for the first row only; half as far is fine."""
    x, evaluate = bounded(1.2, spoilt)
    free, at_will = bounded(math.inf, "nan")
    optimizer = o.LBFGS(first_step=20.0, max_evaluations=12)
    stepper, other = optimizer.start([x]), optimizer.start([free])
    scores = []
    for _ in range(6):
        scores.append(stepper.step(evaluate))
        other.step(at_will)
        assert (x[0, 0] <= 1.2).all()
    assert torch.isfinite(x).all()
    assert torch.isfinite(torch.stack(scores)).all()
    assert scores[-1][0] > scores[0][0]
    torch.testing.assert_close(x[0], torch.ones(3, dtype=torch.float64), rtol=0, atol=0.05)
    torch.testing.assert_close(x[1], free[1], rtol=0, atol=1e-9)  # company does not matter


def test_lbfgs_without_a_finite_trial_stays_and_tries_shorter_steps_next_time():
    x, evaluate = bounded(0.1, "nan")
    before = x.detach().clone()
    stepper = o.LBFGS(max_evaluations=3).start([x])
    stepper.step(evaluate)
    assert torch.equal(x[0], before[0])
    assert not torch.equal(x[1], before[1])
