"""Asking and telling: what counts, what is ignored, what the searches learn."""

from __future__ import annotations

import json
import math
import random
import threading
import time

import numpy as np
import pytest
import rigs
import torch

from phosphene.errors import ArgumentError, ParameterError, StorageError
from phosphene.functional.random import stream_seed
from phosphene.optimizers import CMAES, RandomSearch
from phosphene.sessions import Receipt, Session, Thread, Trial

NAN = math.nan


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "session"


@pytest.fixture
def opened(directory):
    """Opens a session of a plan, which is closed at the end."""
    sessions = []

    def start(plan=None, references=(), where=directory):
        Session.create(where, plan or rigs.plan(), references)
        context = Session.open(where)
        session = context.__enter__()
        sessions.append(context)
        return session

    yield start
    for context in sessions:
        context.__exit__(None, None, None)


def one(**how) -> rigs.Plan:
    """A plan of one thread that goes by all channels."""
    return rigs.plan(Thread("a", rigs.SPACE, CMAES(population=4), seed=3), **how)


def scores(session, generation=0):
    """Score by stimulus, as the history tells them."""
    rows = [row for row in session.history().trials if row.generation == generation and not row.is_late]
    return {row.stimulus: row.score for row in rows}


def test_asking_again_gives_the_same_and_writes_nothing(opened, directory):
    session = opened(references=rigs.references(2))
    first = session.ask()
    size = (directory / "journal.jsonl").stat().st_size
    again = session.ask()
    assert [(s.stimulus, s.position, s.trial) for s in again] == [(s.stimulus, s.position, s.trial) for s in first]
    assert all(torch.equal(a.image, b.image) for a, b in zip(first, again, strict=True))
    assert (directory / "journal.jsonl").stat().st_size == size


def test_a_block_shows_every_candidate_of_every_thread_and_every_reference_image_once_for_each_repeat(opened):
    session = opened(rigs.plan(repeats=3), rigs.references(2))
    shown = session.ask()
    names = {f"{thread}_g0000c{i:03d}" for thread in "ab" for i in range(4)} | {
        "reference_g0000_01",
        "reference_g0000_02",
    }
    assert sorted((s.stimulus, s.trial) for s in shown) == sorted(
        (name, trial) for name in names for trial in (1, 2, 3)
    )
    assert [s.position for s in shown] == list(range(1, 31))
    assert {s.stimulus for s in shown[:10]} == names  # every stimulus once before any again
    assert {(s.thread, s.is_reference) for s in shown} == {("a", False), ("b", False), ("", True)}
    assert [s.stimulus for s in shown if s.thread == "a"] != sorted(s.stimulus for s in shown if s.thread == "a")


def test_an_image_is_its_code_decoded_and_the_codes_are_on_the_disk(opened):
    session = opened(references=rigs.references(1))
    decoder = rigs.SPACE.open(torch.device("cpu"))
    codes = session.ask() and session.codes(0)
    for showing in session.ask():
        if showing.is_reference:
            assert torch.equal(showing.image, torch.full((3, 4, 4), round(255 / 2) / 255))
        else:
            code = codes[showing.thread][int(showing.candidate[-3:])]
            assert torch.equal(showing.image, decoder(code[None])[0])


def test_each_thread_searches_by_a_seed_of_its_own(opened):
    session = opened(rigs.plan(*(Thread(name, rigs.SPACE, CMAES(population=4), seed=3) for name in "ab")))
    session.ask()
    codes = session.codes(0)
    assert not torch.equal(codes["a"], codes["b"])
    for name in "ab":
        search = CMAES(population=4).search(48, seed=stream_seed(3, name))
        assert torch.equal(search.ask().codes.float(), codes[name])


def test_a_search_starts_from_the_origin_that_its_thread_has(opened):
    thread = Thread("a", rigs.SPACE, CMAES(population=4), origin=torch.full((48,), 2.0))
    session = opened(rigs.plan(thread))
    session.ask()
    assert abs(session.codes(0)["a"].mean() - 2) < 0.5


def test_the_searches_learn_what_an_oracle_computes_from_the_trials(opened):
    """Several channels, repeats, reference images: against a search that is told means by hand."""
    session = opened(rigs.plan(repeats=2), rigs.references(1))
    oracle = CMAES(population=4).search(48, seed=stream_seed(3, "a"))
    for _ in range(3):
        trials = rigs.answered(session.ask())
        asked = oracle.ask()
        means = []
        for id_ in asked.ids:
            values = [sum(t.response) / 2 for t in trials if t.stimulus == f"a_{id_}"]
            assert len(values) == 2
            means.append(sum(values) / 2)
        oracle.tell(asked.ids, means, [2] * 4)
        session.tell(trials)
    assert torch.allclose(session._searches.by_thread["a"].recommend(), oracle.recommend(), rtol=0, atol=1e-12)


def test_a_thread_goes_by_its_own_channels(opened):
    channels = {"none": None, "one": 2, "two": (0, 2)}
    threads = (Thread(n, rigs.SPACE, RandomSearch(population=2), channels=c) for n, c in channels.items())
    session = opened(rigs.plan(*threads))
    session.tell([Trial(s.stimulus, (1.0, 2.0, 6.0), s.trial) for s in session.ask()])
    assert {row.thread: row.mean for row in session.history().generations} == {"none": 3.0, "one": 6.0, "two": 3.5}


def test_portions_permutations_and_doubles_of_trials_come_to_the_same_bits(opened, tmp_path):
    ends = []
    for seed in range(4):
        session = opened(rigs.plan(repeats=2), rigs.references(1), tmp_path / str(seed))
        draw = random.Random(seed)
        for _ in range(3):
            trials = rigs.answered(session.ask(), lost=0.2)
            if seed:
                trials = trials + draw.sample(trials, 5)
                draw.shuffle(trials)
            while trials:
                n = draw.randint(1, 6) if seed else len(trials)
                session.tell(trials[:n])
                trials = trials[n:]
        assert session.n_finished == 3
        ends.append(rigs.bits(session))
    assert all(end == ends[0] for end in ends)


def test_a_trial_that_is_told_again_is_ignored_even_with_another_response(opened):
    session = opened(one())
    first = session.ask()[0].stimulus
    assert session.tell([Trial(first, (1.0,), 1)]) == Receipt(1, 0)
    receipt = session.tell([Trial(first, (5.0,), 1), Trial(first, (1.0,), 1), Trial(first, (math.nan,), 1)])
    sentence = f"trial 1 of {first} is on record as (1); (5) is left out"
    assert receipt == Receipt(0, 3, n_conflicting=1, conflict=sentence)
    assert scores(session) == {first: 1.0}


@pytest.mark.parametrize("is_over", [False, True])
def test_a_trial_that_was_lost_may_be_found_later(opened, is_over):
    session = opened(one(repeats=2))
    first, *others = session.ask()
    session.tell([Trial(first.stimulus, (NAN,), first.trial)])
    if is_over:
        session.tell([Trial(s.stimulus, (1.0,), s.trial) for s in others])
        assert session.n_finished == 1
    receipt = session.tell([Trial(first.stimulus, (5.0,), first.trial)])
    assert receipt == (Receipt(0, 0, 1) if is_over else Receipt(1, 0))
    assert session.tell([Trial(first.stimulus, (NAN,), first.trial)]) == Receipt(0, 1)
    row = session.history().trials[-1]
    assert (row.stimulus, row.trial, row.response, row.is_late) == (first.stimulus, first.trial, (5.0,), is_over)
    status = session.status()
    assert (status.n_lost, status.n_late) == (0, int(is_over))
    assert Session.read(session.directory).status() == status


def test_a_trial_without_number_takes_the_next_free_one(opened):
    session = opened(one(repeats=4))
    first = session.ask()[0].stimulus
    session.tell([Trial(first, (1.0,), 2)])
    session.tell([Trial(first, (2.0,)), Trial(first, (3.0,))])
    assert [(row.trial, row.response) for row in session.history().trials] == [(2, (1.0,)), (1, (2.0,)), (3, (3.0,))]


def test_more_trials_than_were_asked_for_are_averaged(opened):
    session = opened(one())
    first, *others = session.ask()
    session.tell([Trial(first.stimulus, (1.0,)), Trial(first.stimulus, (2.0,)), Trial(first.stimulus, (6.0,))])
    session.tell([Trial(s.stimulus, (0.0,)) for s in others])
    best = session.best()
    assert (best.score, best.n_reps, f"a_{best.candidate}") == (3.0, 3, first.stimulus)
    assert torch.equal(best.image, first.image)


def test_trials_of_a_generation_that_is_over_are_on_record_but_nobody_learns_from_them(opened):
    session = opened(one())
    asked = session.ask()
    session.tell(rigs.answered(asked))
    before = rigs.bits(session)
    receipt = session.tell([Trial(asked[0].stimulus, (9.0, 9.0), 7)])
    assert (receipt.n_new, receipt.n_late) == (0, 1)
    assert rigs.bits(session) == before
    row = session.history().trials[-1]
    assert (row.is_late, row.trial, row.response, row.position) == (True, 7, (9.0, 9.0), None)
    assert session.status().n_late == 1
    assert session.tell([Trial(asked[0].stimulus, (9.0, 9.0), 7)]).n_ignored == 1


def test_lost_trials_count_as_trials_where_the_plan_says_lost(opened):
    session = opened(one(repeats=2))
    asked = session.ask()
    lost = asked[0].stimulus
    trials = [Trial(s.stimulus, (NAN,) if s.stimulus == lost or s.trial == 2 else (1.0, 3.0), s.trial) for s in asked]
    assert session.tell(trials).updated == ("a",)
    row = session.history().generations[0]
    assert (row.n_shown, row.n_scored, row.n_lost, row.mean) == (4, 3, 1, 2.0)
    assert session.status().n_lost == 5


def test_a_trial_of_which_one_of_a_threads_channels_was_lost_is_lost_for_that_thread(opened):
    threads = (
        Thread("a", rigs.SPACE, RandomSearch(population=2), channels=0),
        Thread("b", rigs.SPACE, RandomSearch(population=2), channels=(0, 1)),
    )
    session = opened(rigs.plan(*threads))
    session.tell([Trial(s.stimulus, (1.0, NAN), s.trial) for s in session.ask()])
    rows = {row.thread: row for row in session.history().generations}
    assert (rows["a"].n_scored, rows["a"].mean, rows["b"].n_scored, rows["b"].n_lost) == (2, 1.0, 0, 2)


def test_lost_trials_are_shown_again_where_the_plan_says_so_until_the_attempts_are_over(opened):
    session = opened(one(repeats=2, missing="again", attempts=3), rigs.references(1))
    asked = session.ask()
    bad = asked[0].stimulus
    session.tell([Trial(s.stimulus, (NAN,) if s.stimulus == bad else (1.0,), s.trial) for s in asked])
    assert session.n_finished == 0
    for trials in ((3, 4), (5, 6)):
        again = session.ask()
        assert [(s.stimulus, s.trial, s.n_missing) for s in again] == [(bad, t, 2) for t in trials]
        assert torch.equal(again[0].image, asked[0].image)
        session.tell([Trial(s.stimulus, (NAN,), s.trial) for s in again])
    assert session.n_finished == 1
    assert session.history().generations[0].n_lost == (1 if bad.startswith("a_") else 0)


def test_shown_again_only_what_is_missing_is_shown_and_a_response_ends_it(opened):
    session = opened(one(repeats=3, missing="again"))
    asked = session.ask()
    bad = asked[0].stimulus
    session.tell([Trial(s.stimulus, (NAN,) if (s.stimulus, s.trial) == (bad, 2) else (1.0,), s.trial) for s in asked])
    (again,) = session.ask()
    assert (again.stimulus, again.trial, again.n_missing, again.position) == (bad, 4, 1, 1)
    assert session.status().round == 1
    assert session.tell([Trial(bad, (1.0,), 4)]).updated == ("a",)
    row = session.history().generations[0]
    assert (row.n_scored, row.mean) == (4, 1.0)


def test_a_generation_is_over_when_the_optimizers_share_is_in(opened):
    plan = rigs.plan(
        Thread("a", rigs.SPACE, CMAES(population=10, share=0.75)), Thread("b", rigs.SPACE, RandomSearch(population=4))
    )
    session = opened(plan, rigs.references(4))
    asked = session.ask()
    of = {name: [s for s in asked if s.thread == name] for name in ("a", "b", "")}
    assert session.tell(rigs.answered([*of["a"][:8], *of[""]])).updated == ()
    assert session.tell(rigs.answered(of["b"][:3])).updated == ()
    assert session.tell(rigs.answered(of["b"][3:])).updated == ("a", "b")
    rows = session.history().generations
    assert [(row.thread, row.n_scored, row.n_lost) for row in rows] == [("a", 8, 0), ("b", 4, 0)]


def test_advance_ends_a_generation_with_what_is_in(opened):
    session = opened(one(), rigs.references(1))
    asked = [s for s in session.ask() if not s.is_reference]
    session.tell(rigs.answered(asked[:2]))
    assert session.advance() == ("a",)
    assert session.status().generation == 1
    assert {s.candidate[:5] for s in session.ask() if s.thread} == {"g0001"}
    row = session.history().generations[0]
    assert (row.n_shown, row.n_scored, row.n_lost, row.is_over) == (4, 2, 0, True)
    assert Session.read(session.directory).status().generation == 1


def test_advance_without_any_score_draws_candidates_anew(opened):
    session = opened(one())
    before = [s.image for s in sorted(session.ask(), key=lambda s: s.stimulus)]
    session.advance()
    after = [s.image for s in sorted(session.ask(), key=lambda s: s.stimulus)]
    assert not any(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_advance_before_anything_was_asked_for_is_refused(opened):
    with pytest.raises(ParameterError, match="not begun"):
        opened().advance()


def test_reference_images_take_turns(opened):
    session = opened(one(references_per_block=2), rigs.references(3))
    shown = []
    for _ in range(3):
        asked = session.ask()
        shown.append(sorted(s.stimulus.split("_")[-1] for s in asked if s.is_reference))
        session.tell(rigs.answered(asked))
    assert shown == [["01", "02"], ["01", "03"], ["02", "03"]]


def test_reference_images_have_means_of_their_own_by_each_threads_channels(opened):
    session = opened(references=rigs.references(2))
    for value in (1.0, 5.0):
        trials = [Trial(s.stimulus, (0.0, value if s.is_reference else 2.0), s.trial) for s in session.ask()]
        session.tell(trials)
    rows = session.history().generations
    assert [(r.generation, r.thread, r.reference_mean, r.n_references) for r in rows] == [
        (0, "a", 0.5, 2),
        (0, "b", 1.0, 2),
        (1, "a", 2.5, 2),
        (1, "b", 5.0, 2),
    ]
    status = session.status()
    assert [t.references for t in status.threads] == [(0.5, 2.5), (1.0, 5.0)]
    assert [t.evolved for t in status.threads] == [(1.0, 1.0), (2.0, 2.0)]


def test_history_and_status_agree_with_numpy(opened):
    session = opened(one(repeats=2))
    rigs.finish(session, 2)
    trials = session.history().trials
    for row in session.history().generations:
        means = {}
        for t in trials:
            if t.generation == row.generation:
                means.setdefault(t.stimulus, []).append(np.mean(t.response))
        values = {name: np.mean(v) for name, v in means.items()}
        assert row.mean == pytest.approx(np.mean(list(values.values())))
        assert row.sd == pytest.approx(np.std(list(values.values()), ddof=1))
        assert row.best == pytest.approx(max(values.values()))
        assert row.best_stimulus == max(values, key=values.get)
        assert row.figures["sigma"] > 0
    assert len(trials) == 16
    assert sorted(t.position for t in trials if t.generation == 1) == list(range(1, 9))


def test_status_is_plain_json(opened):
    session = opened()
    for _ in range(2):
        session.tell(rigs.answered(session.ask()))
        found = json.loads(json.dumps(session.status().to_json(), allow_nan=False))
        assert found["generation"] == session.n_finished
    session.tell(rigs.answered(session.ask()[:3]))
    found = session.status().to_json()
    assert found["n_waiting"] == 5
    assert found["n_trials"] == 19
    assert sum(t["n_scored"] for t in found["threads"]) == 3
    assert sum(t["n_waiting"] for t in found["threads"]) == 5


def test_before_any_trial_there_is_no_best_but_something_recommended(opened):
    session = opened()
    assert session.best() is None
    assert session.recommended("b").image.shape == (3, 4, 4)
    assert session.status().threads[0].best_score is None


def test_recommended_of_an_earlier_generation_is_what_it_was(opened):
    session = opened(one())
    codes = []
    for _ in range(3):
        session.tell(rigs.answered(session.ask()))
        codes.append(session.recommended().code)
    for generation, code in enumerate(codes):
        assert torch.equal(session.recommended("a", generation).code, code)
    with pytest.raises(ParameterError, match="generation is 3; expected one that is over"):
        session.recommended("a", 3)
    session.layout.state("a", 2).unlink()
    with pytest.raises(StorageError, match="no such file"):
        session.recommended("a", 1)


def test_codes_of_a_generation_that_has_not_begun_cannot_be_read(opened):
    session = opened()
    with pytest.raises(StorageError, match="no such file"):
        session.codes(0)
    session.ask()
    session.codes(0)
    other = opened(
        rigs.plan(Thread("x", rigs.SPACE, RandomSearch(population=2))), where=session.directory.with_name("other")
    )
    other.ask()
    other.layout.codes(0).replace(session.layout.codes(0))
    with pytest.raises(StorageError, match="does not hold the codes of this session's threads"):
        session.codes(0)


@pytest.mark.parametrize("door", ["best", "recommended"])
def test_a_thread_that_is_not_there_is_named(opened, door):
    with pytest.raises(ParameterError, match="thread is 'z'; expected one of"):
        getattr(opened(), door)("z")


@pytest.mark.parametrize(
    ("trial", "error", "match"),
    [
        (lambda name: Trial("a_g0009c000", (1.0, 1.0)), ParameterError, "expected one that was shown in this session"),
        (lambda name: Trial(name, (1.0,)), ParameterError, "is 1; expected 2 channels, as all trials before"),
        (lambda name: Trial(name, (1.0, 2.0, 3.0)), ParameterError, "is 3; expected 2 channels"),
        (lambda name: {"stimulus": name}, ArgumentError, "a trial is a dict; expected a Trial"),
    ],
)
def test_a_tell_with_one_bad_trial_counts_nothing(opened, directory, trial, error, match):
    session = opened()
    asked = session.ask()
    session.tell(rigs.answered(asked[:1]))
    size = (directory / "journal.jsonl").stat().st_size
    with pytest.raises(error, match=match):
        session.tell([*rigs.answered(asked[1:]), trial(asked[1].stimulus)])
    assert (directory / "journal.jsonl").stat().st_size == size
    assert session.status().n_trials == 1
    assert session.tell(rigs.answered(asked)).n_new == len(asked) - 1


def test_a_response_must_have_the_channels_that_threads_go_by(opened):
    session = opened()
    with pytest.raises(ParameterError, match="is 1; expected at least 2, as a thread goes by channel 1"):
        session.tell([Trial(session.ask()[0].stimulus, (1.0,))])


def test_telling_before_asking_is_refused(opened):
    with pytest.raises(ParameterError, match="nothing was asked for yet"):
        opened().tell([Trial("a_g0000c000", (1.0, 2.0))])


def guarded(work, errors):
    """The work, for a thread; what it raises goes to a list."""

    def run():
        try:
            work()
        except BaseException as error:
            errors.append(error)

    return run


def test_several_threads_of_a_process_may_ask_tell_and_look(opened):
    session = opened(rigs.plan(population=16), rigs.references(2))
    errors = []

    def rig(seed):
        draw = random.Random(seed)
        while session.n_finished < 4:
            waiting = list(session.ask())
            session.tell(rigs.answered(draw.sample(waiting, min(3, len(waiting)))))

    def look():
        while session.n_finished < 4:
            session.status()
            session.history()
            session.best()

    works = [guarded(lambda seed=seed: rig(seed), errors) for seed in range(3)] + [guarded(look, errors)]
    running = [threading.Thread(target=work) for work in works]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(60)
    assert not errors
    counted = [trial[:2] for trial in rigs.told(session.directory)]
    assert len(counted) == len(set(counted))
    whole = opened(rigs.plan(population=16), rigs.references(2), session.directory.with_name("whole"))
    rigs.finish(whole, 4)
    assert not any(row.is_late for row in session.history().trials)
    for name in "ab":  # one of them may have gone a step too far
        assert torch.equal(session.recommended(name, 3).code, whole.recommended(name).code)


def test_ask_and_tell_of_forty_candidates_take_well_under_50_ms(opened):
    session = opened(rigs.plan(Thread("a", rigs.SPACE, CMAES(population=40))), rigs.references(5))
    times = []
    for _ in range(12):
        began = time.process_time()
        asked = session.ask()
        session.tell([Trial(s.stimulus, (1.0,), s.trial) for s in asked])
        times.append(time.process_time() - began)
    assert sorted(times)[len(times) // 2] < 0.05
