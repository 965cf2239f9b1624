"""Responses find their stimuli, in whatever order and manner they are written."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from response_files import WRITERS, write_csv

from phosphene.errors import ParameterError
from phosphene.exchange import Matched, Responses, match, read_responses

NAMES = ("gen0001_c000", "gen0001_c001", "ref_cat", "ref_dog")

VALUE = st.one_of(st.just(math.nan), st.floats(-1e6, 1e6), st.integers(0, 40).map(float))


def _is_refused(trials) -> bool:
    """Whether no trial has a response and a name is unknown; that such a file is refused has a test of its own."""
    return any(name not in NAMES for name, _ in trials) and np.isnan([*trials.values()]).all()


TRIALS = st.dictionaries(
    st.tuples(st.sampled_from([*NAMES, "stranger", "other"]), st.integers(0, 5)), st.tuples(VALUE, VALUE), min_size=1
).filter(lambda trials: any(name in NAMES for name, _ in trials) and not _is_refused(trials))


def responses(rows: list[tuple[str, int | None, tuple[float, ...]]]) -> Responses:
    names, trials, values = zip(*rows, strict=True)
    return Responses("f.csv", names, trials, np.array(values, dtype=float), tuple(range(2, len(rows) + 2)))


def said(matched: Matched) -> str:
    """All that does not depend on where a row stands; as text, in which NaN equals NaN."""
    trials = {name: [(t.stimulus, t.number, t.values) for t in found] for name, found in matched.trials.items()}
    return repr((trials, matched.missing, matched.unknown))


@settings(max_examples=200, deadline=None)
@given(trials=TRIALS, data=st.data())
def test_order_and_repetition_of_rows_do_not_matter(trials, data):
    rows = [(name, number, values) for (name, number), values in trials.items()]
    again = data.draw(st.lists(st.sampled_from(rows), max_size=6))
    shuffled = data.draw(st.permutations([*rows, *again]))
    expected, found = match(responses(rows), NAMES), match(responses(shuffled), NAMES)
    assert said(found) == said(expected)
    assert found.n_duplicates == sum(name in NAMES for name, *_ in again)
    assert expected.n_duplicates == 0


@settings(max_examples=100, deadline=None)
@given(trials=TRIALS, data=st.data())
def test_without_numbers_equal_rows_are_trials_of_their_own_in_any_order(trials, data):
    rows = [(name, None, values) for (name, _), values in trials.items()]
    rows += data.draw(st.lists(st.sampled_from(rows), max_size=4))
    expected = match(responses(rows), NAMES)
    assert said(match(responses(data.draw(st.permutations(rows))), NAMES)) == said(expected)
    assert sum(map(len, expected.trials.values())) == sum(name in NAMES for name, *_ in rows)


@settings(max_examples=100, deadline=None)
@given(trials=TRIALS, data=st.data())
def test_split_into_files_the_trials_are_the_same_taken_together(trials, data):
    rows = [(name, number, values) for (name, number), values in trials.items() if name in NAMES]
    part = data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows)))
    whole = match(responses(rows), NAMES)
    pieces = [[row for row, first in zip(rows, part, strict=True) if first is chosen] for chosen in (True, False)]
    parts = [match(responses(piece), NAMES) for piece in pieces if piece]
    for name in NAMES:
        together = sorted((trial.number, repr(trial.values)) for piece in parts for trial in piece.trials[name])
        assert together == sorted((trial.number, repr(trial.values)) for trial in whole.trials[name])
    assert set(whole.missing) == set.intersection(*(set(piece.missing) for piece in parts))


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
def test_every_format_gives_the_same_match(tmp_path, write):
    names = ["c1", "c0", "c1", "c0", "xx", "c1"]
    values = np.array([[1.0, 2.0], [3.0, np.nan], [5.0, 6.0], [7.0, 8.0], [0.0, 0.0], [1.0, 2.0]])
    found = match(read_responses(write(tmp_path, names, values, [1, 1, 2, 2, 1, 1])), ["c0", "c1", "c2"])
    trials = {
        "c0": [("c0", 1, (3.0, math.nan)), ("c0", 2, (7.0, 8.0))],
        "c1": [("c1", 1, (1.0, 2.0)), ("c1", 2, (5.0, 6.0))],
        "c2": [],
    }
    assert said(found) == repr((trials, ("c2",), ("xx",)))
    assert found.n_duplicates == 1


@pytest.mark.parametrize(
    "written",
    [
        "ref_cat",
        "REF_CAT",
        "ref_cat.png",
        "Ref_Cat.PNG",
        r"C:\stim\gen_0001\ref_cat.png",
        "/data/x/ref_cat.bmp",
        "ref_cat.jpeg",
    ],
)
def test_loosely_case_folder_and_suffix_do_not_count(tmp_path, written):
    found = match(read_responses(write_csv(tmp_path, [written], np.ones((1, 1)))), NAMES)
    assert len(found.trials["ref_cat"]) == 1
    assert found.unknown == ()
    assert found.missing == ("gen0001_c000", "gen0001_c001", "ref_dog")


@pytest.mark.parametrize("written", ["ref_cat", "ref_cat.png"])
def test_strictly_a_name_or_its_file_is_taken(tmp_path, written):
    found = match(read_responses(write_csv(tmp_path, [written], np.ones((1, 1)))), NAMES, strict=True)
    assert len(found.trials["ref_cat"]) == 1


@pytest.mark.parametrize("written", ["REF_CAT", "x/ref_cat.png", "ref_cat.bmp"])
def test_strictly_nothing_else_is_taken(tmp_path, written):
    path = write_csv(tmp_path, ["ref_dog", written], np.ones((2, 1)))
    with pytest.raises(
        ParameterError, match=r"responses\.csv, row 3: there is no stimulus .*; expected a stimulus of this block"
    ):
        match(read_responses(path), NAMES, strict=True)


def test_names_that_cannot_be_told_apart_are_refused():
    with pytest.raises(ParameterError, match="'a' and 'A'; expected names that differ in more than case and suffix"):
        match(responses([("a", 1, (1.0,))]), ["a", "A"])


def test_a_trial_knows_its_row(tmp_path):
    found = match(read_responses(write_csv(tmp_path, ["b", "a"], np.ones((2, 1)))), ["a", "b"])
    assert (found.trials["a"][0].row, found.trials["b"][0].row) == (3, 2)
    assert found.source == str(tmp_path / "responses.csv")
