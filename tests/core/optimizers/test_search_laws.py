"""Laws that every search keeps, whatever its rules."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from members import SEARCHES, name_of
from safetensors.torch import load_file, save_file
from searching import DOUBLE, generation, hidden, restored, run, same_state, sphere

from phosphene import optimizers as o
from phosphene.errors import ParameterError

DIM = 12
every = pytest.mark.parametrize("spec", SEARCHES, ids=name_of)


def bumpy(codes):
    """Scores that differ, some of them twice."""
    return (codes.sum(1) * 3).round() + (codes[:, 0] > 0)


@every
def test_asking_again_gives_the_same_candidates(spec):
    search = run(spec.search(DIM, seed=3), sphere, 2)
    first, again = search.ask(), search.ask()
    assert first.ids == again.ids
    assert torch.equal(first.codes, again.codes)


@every
def test_asking_in_pieces_gives_the_codes_of_one_piece(spec):
    whole = run(spec.search(DIM, seed=3), sphere, 2).ask()
    search = run(spec.search(DIM, seed=3), sphere, 2)
    pieces = [search.ask(1), search.ask(2), search.ask(len(whole) - 3)]
    assert tuple(i for piece in pieces for i in piece.ids) == whole.ids
    assert torch.equal(torch.cat([piece.codes for piece in pieces]), whole.codes)


@every
def test_the_same_seed_gives_the_same_bits_and_another_one_other_codes(spec):
    runs = [run(spec.search(DIM, seed=seed), sphere, 4).ask().codes for seed in (1, 1, 2)]
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])


@every
def test_permuted_split_and_repeated_tells_are_equal(spec):
    states = []
    for way in ("whole", "permuted", "split", "repeated"):
        search = spec.search(DIM, seed=5)
        for _ in range(4):
            asked = search.ask()
            ids, scores = list(asked.ids), bumpy(asked.codes).tolist()
            order = torch.randperm(len(ids), generator=torch.Generator().manual_seed(9)).tolist()
            rows = [(ids[i], scores[i]) for i in (range(len(ids)) if way == "whole" else order)]
            size = len(rows) if way in ("whole", "permuted") else 3
            portions = [rows[at : at + size] for at in range(0, len(rows), size)]
            # A message that comes twice, at once or late, even after its generation is over.
            late = [*(p for portion in portions for p in (portion, portion)), portions[0]]
            for part in late if way == "repeated" else portions:
                search.tell([i for i, _ in part], [s for _, s in part])
        states.append(search.state_dict())
    assert all(same_state(states[0], state) for state in states[1:])


@every
def test_a_pending_generation_is_restored_with_its_scores_and_extra_candidates(spec):
    search = run(spec.search(DIM, seed=2), sphere, 3)
    asked, extra = search.ask(), search.ask(2)
    search.tell([asked.ids[4], asked.ids[1]], [0.5, math.nan])
    other = restored(spec, search)
    assert other.ask().ids == search.ask().ids
    assert torch.equal(other.ask().codes, search.ask().codes)
    assert torch.equal(other.ask().codes[-2:], extra.codes)
    assert same_state(other.state_dict(), search.state_dict())
    for each in (search, other):
        generation(each, sphere)
        generation(each, sphere)
    assert same_state(other.state_dict(), search.state_dict())


CONTINUE = """
import json, sys, torch
from safetensors.torch import load_file, save_file
from phosphene.optimizers import Optimizer
for job in json.load(sys.stdin):
    spec = Optimizer.from_json(job["spec"])
    search = spec.search(job["dim"], seed=77)
    search.load_state_dict({**job["plain"], **load_file(job["tensors"])})
    for _ in range(10):
        asked = search.ask()
        search.tell(asked.ids, -asked.codes.square().sum(1))
    save_file({"codes": search.ask().codes, "mean": search.recommend()}, job["out"])
"""


def test_ten_generations_saved_and_ten_more_in_a_new_process_are_twenty_bit_for_bit(tmp_path):
    jobs = []
    for number, spec in enumerate(SEARCHES):
        state = run(spec.search(DIM, seed=4), sphere, 10).state_dict()
        tensors = {k: v.contiguous() for k, v in state.items() if isinstance(v, torch.Tensor)}
        save_file(tensors, tmp_path / f"{number}.safetensors")
        plain = {k: v for k, v in state.items() if k not in tensors}
        files = {"tensors": str(tmp_path / f"{number}.safetensors"), "out": str(tmp_path / f"{number}.out")}
        jobs.append({"spec": spec.to_json(), "dim": DIM, "plain": plain, **files})
    subprocess.run([sys.executable, "-c", CONTINUE], input=json.dumps(jobs), text=True, check=True, timeout=120)
    for number, spec in enumerate(SEARCHES):
        whole, out = run(spec.search(DIM, seed=4), sphere, 20), load_file(tmp_path / f"{number}.out")
        assert torch.equal(out["codes"], whole.ask().codes), spec
        assert torch.equal(out["mean"], whole.recommend()), spec


@every
def test_three_of_ten_scores_missing_still_climb(spec):
    search, generator = spec.search(DIM, seed=1), torch.Generator().manual_seed(8)
    means = []
    for _ in range(40):
        asked = search.ask()
        scores = hidden(DIM)(asked.codes)
        means.append(float(scores.mean()))
        lost = torch.rand(len(scores), generator=generator) < 0.3
        search.tell(asked.ids, scores.masked_fill(lost, math.nan))
    if isinstance(spec, o.RandomSearch):
        assert float(hidden(DIM)(search.recommend()[None])[0]) > 0.55
    else:
        assert sum(means[-5:]) / 5 > sum(means[:5]) / 5 + 0.2


@every
def test_a_generation_of_which_nothing_came_back_is_passed_over(spec):
    search = run(spec.search(DIM, seed=1), sphere, 3)
    before, mean = search.ask(), search.recommend()
    told = search.tell(before.ids, [math.nan] * len(before))
    assert told == o.Told(len(before), 0, True)
    after = search.ask()
    assert torch.equal(search.recommend(), mean) or isinstance(spec, o.Genetic)
    assert torch.equal(after.codes, before.codes) == isinstance(spec, o.Genetic)
    run(search, sphere, 2)
    assert bool(search.ask().codes.isfinite().all())


@every
def test_a_generation_with_a_single_score_or_equal_ones_does_no_harm(spec):
    search = spec.search(DIM, seed=1)
    asked = search.ask()
    search.tell(asked.ids, [1.0] + [math.nan] * (len(asked) - 1))
    run(search, lambda codes: torch.zeros(len(codes), dtype=DOUBLE), 3)
    assert bool(search.ask().codes.isfinite().all())
    assert same_state(search.state_dict(), restored(spec, search).state_dict())


@every
def test_no_global_random_numbers_are_touched(spec):
    torch.manual_seed(0)
    np.random.seed(0)
    torch_before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()
    search = run(spec.search(DIM, seed=1), sphere, 3)
    restored(spec, search).ask()
    assert torch.equal(torch.get_rng_state(), torch_before)
    assert (np.random.get_state()[1] == numpy_before).all()


@every
def test_two_searches_in_one_process_do_not_know_of_each_other(spec):
    alone = run(spec.search(DIM, seed=1), sphere, 4)
    one, two = spec.search(DIM, seed=1), spec.search(DIM, seed=2)
    for _ in range(4):
        generation(one, sphere)
        generation(two, sphere)
    assert same_state(one.state_dict(), alone.state_dict())


@every
def test_the_best_observed_is_the_highest_score_of_all_and_the_first_of_equal_ones(spec):
    search, rows = spec.search(DIM, seed=6), []
    for _ in range(6):
        asked = search.ask()
        scores = bumpy(asked.codes)
        rows += zip(scores.tolist(), asked.ids, asked.codes, strict=True)
        search.tell(asked.ids[::-1], scores.flip(0))
    best = max(rows, key=lambda row: row[0])
    assert (search.best_observed.score, search.best_observed.id) == best[:2]
    assert torch.equal(search.best_observed.code, best[2])
    assert search.best_observed.n_reps == 1


@every
def test_the_document_of_an_optimizer_gives_it_back(spec):
    again = o.Optimizer.from_json(json.loads(json.dumps(spec.to_json())))
    assert again == spec
    assert not again.needs_gradient


@every
def test_a_search_starts_at_its_origin(spec):
    origin = torch.full((DIM,), 4.0, dtype=DOUBLE)
    search = spec.search(DIM, seed=1, origin=origin)
    assert float(search.recommend() @ origin / search.recommend().norm() / origin.norm()) > 0.999
    several = spec.search(DIM, seed=1, origin=torch.stack([origin - 1, origin + 1]))
    assert float(several.recommend() @ origin / several.recommend().norm() / origin.norm()) > 0.99


@every
@pytest.mark.parametrize("dim", [1, 2, 3])
def test_few_dimensions_are_no_special_case(spec, dim):
    if dim == 1 and isinstance(spec, o.PyCMA):
        with pytest.raises(ParameterError, match="dim is 1; expected 2 or more, as pycma"):
            spec.search(1)
        return
    codes = run(spec.search(dim, seed=1), sphere, 6).ask().codes
    assert codes.shape == (spec.population, dim)
    assert bool(codes.isfinite().all())


@every
def test_float32_is_kept_throughout(spec):
    search = run(spec.search(DIM, seed=1, dtype=torch.float32), sphere, 3)
    assert search.ask().codes.dtype == search.recommend().dtype == torch.float32
    assert same_state(search.state_dict(), restored(spec, search).state_dict())
    with pytest.raises(ParameterError, match=r"state\['dtype'\] is 'float32'; expected 'float64'"):
        spec.search(DIM).load_state_dict(search.state_dict())


#: What is above 0 in every state.
POSITIVE = ("variances", "covariance", "scale", "radius", "sigma")


def spoilt(state):
    """States with one entry damaged, and what the entry is called."""
    for name, value in state.items():
        if name in ("spec", "dim", "population", "dtype"):
            continue
        if name in POSITIVE:
            yield name, state | {name: value * 0}
            yield name, state | {name: value * -1.0}
        if name == "generation":
            yield name, state | {name: 10**9}
        yield name, {k: v for k, v in state.items() if k != name}
        yield name, state | {name: "x"}
        if isinstance(value, torch.Tensor):
            yield name, state | {name: value.flatten()[:-1][None, None] if value.numel() else torch.ones(3, 1)}
            if value.numel() and value.is_floating_point():
                yield name, state | {name: torch.full_like(value, math.inf)}
        elif isinstance(value, int):
            yield name, state | {name: -1 if name != "seed" else 1.5}
        elif isinstance(value, list):
            yield name, state | {name: [*value, -1]}


@every
def test_a_damaged_state_is_refused_and_the_search_stays_as_it_was(spec):
    search, other = run(spec.search(DIM, seed=1), sphere, 12), run(spec.search(DIM, seed=2), sphere, 1)
    asked = search.ask()
    search.tell(asked.ids[:2], [1.0, 2.0])
    before, n = other.state_dict(), 0
    for name, state in spoilt(search.state_dict()):
        if name == "best_id" and name not in state:
            continue
        with pytest.raises(ParameterError, match=r"^state is damaged: |^state\["):
            other.load_state_dict(state)
        assert same_state(other.state_dict(), before), name
        n += 1
    assert n > 15


@every
def test_the_state_of_another_search_is_refused(spec):
    state = spec.search(DIM).state_dict()
    for name, value in (("dim", DIM + 1), ("population", 99)):
        with pytest.raises(ParameterError, match=rf"state\['{name}'\] is {value!r}"):
            spec.search(DIM).load_state_dict(state | {name: value})
    other = o.RandomSearch(population=6, sd=7.0).search(DIM).state_dict()
    with pytest.raises(ParameterError, match=r"state\['spec'\] is of another optimizer: .*(kind|sd) .* instead of "):
        spec.search(DIM).load_state_dict(other)


@every
def test_settings_that_differ_are_named_and_the_search_stays_as_it_was(spec):
    search = run(spec.search(DIM, seed=1), sphere, 2)
    before = search.state_dict()
    settings = json.loads(before["spec"]) | {"share": 0.5}
    with pytest.raises(ParameterError, match=r"another optimizer: share 0\.5 instead of 1\.0; load it with"):
        search.load_state_dict(before | {"spec": json.dumps(settings)})
    for text in ("{", "[]", 7, None):
        with pytest.raises(ParameterError, match=r"state\['spec'\] is of another optimizer: .*kind null instead of"):
            search.load_state_dict(before | {"spec": text})
    assert same_state(search.state_dict(), before)


@every
def test_a_state_and_the_best_observed_are_copies(spec):
    search, twin = (run(spec.search(DIM, seed=1), sphere, 3) for _ in range(2))
    before, asked = twin.state_dict(), twin.ask().codes
    for value in search.state_dict().values():
        if isinstance(value, torch.Tensor):
            value.zero_()
        elif isinstance(value, list):
            value.append(0)
    search.best_observed.code.zero_()
    assert same_state(search.state_dict(), before)
    assert torch.equal(search.ask().codes, asked)
    assert torch.equal(run(search, sphere, 1).recommend(), run(twin, sphere, 1).recommend())


BIG = (
    o.RandomSearch(),
    o.CMAES(),
    o.CMAES(cov="diag"),
    o.CMAES(cov="cholesky"),
    o.SphereCMA(),
    o.Genetic(),
    o.wang_ponce_genetic(),
    o.PyCMA(diagonal=True),
)


@pytest.mark.parametrize("spec", BIG, ids=name_of)
def test_the_state_of_4096_numbers_is_below_a_megabyte_and_takes_nothing_apart(spec, monkeypatch):
    def forbidden(*args, **kwargs):
        raise AssertionError("O(n³)")

    for name in ("eigh", "eig", "svd", "cholesky", "qr", "inv", "solve", "eigvalsh"):
        monkeypatch.setattr(torch.linalg, name, forbidden)
    search = run(spec.search(4096, seed=1), hidden(4096), 12)
    state = search.state_dict()
    size = sum(
        v.numel() * v.element_size() if isinstance(v, torch.Tensor) else len(json.dumps(v)) for v in state.values()
    )
    assert size < 1e6
    assert search.population == (40 if spec.population is None else spec.population)
    assert same_state(restored(spec, search).state_dict(), state)
