"""What the tests of searches share: functions with a known top, and ways to run a search."""

from __future__ import annotations

import torch

DOUBLE = torch.float64


def sphere(x):
    return -x.square().sum(1)


def ellipsoid(x, condition=1e6):
    return -(x.square() @ torch.logspace(0, 6 if condition == 1e6 else 2, x.shape[1], dtype=x.dtype))


def rosenbrock(x):
    return -(100 * (x[:, 1:] - x[:, :-1].square()).square() + (1 - x[:, :-1]).square()).sum(1)


def rastrigin(x):
    return -(10 * x.shape[1] + (x.square() - 10 * torch.cos(2 * torch.pi * x)).sum(1))


def hidden(dim, seed=0):
    """Cosine with a hidden direction: a unit that does not care for the norm."""
    target = torch.randn(dim, generator=torch.Generator().manual_seed(1000 + seed), dtype=DOUBLE)
    target /= target.norm()
    return lambda x: (x @ target) / x.norm(dim=1).clamp(min=1e-30)


def generation(search, score):
    """One generation; its codes and scores."""
    asked = search.ask()
    scores = score(asked.codes)
    search.tell(asked.ids, scores)
    return asked.codes, scores


def run(search, score, n):
    for _ in range(n):
        generation(search, score)
    return search


def evaluations(search, score, target, most):
    """Evaluations until the score passes -target; None beyond ``most``."""
    n = 0
    while n < most:
        codes, scores = generation(search, score)
        n += len(codes)
        if scores.max() > -target:
            return n
    return None


def best_of(search, score, n_evaluations):
    """The highest score without noise, and the mean norm of the last generation's codes."""
    best, n = float("-inf"), 0
    while n < n_evaluations:
        codes, scores = generation(search, score)
        best, n = max(best, float(scores.max())), n + len(codes)
    return best, float(codes.norm(dim=1).mean())


def same_state(a, b):
    """Whether two states are equal bit for bit."""
    if a.keys() != b.keys():
        return False
    for name, value in a.items():
        tensor = isinstance(value, torch.Tensor)
        # NaN, which stands for lost, equals nothing.
        equal = torch.equal(value.nan_to_num(-7e7), b[name].nan_to_num(-7e7)) if tensor else value == b[name]
        if not equal:
            return False
    return True


def restored(spec, search):
    """A fresh search that took over another's state."""
    fresh = spec.search(search.dim, seed=99, dtype=search.dtype)
    fresh.load_state_dict(search.state_dict())
    return fresh
