"""Facts of units: what is written comes back, a part of it is read alone, and damage is found."""

from __future__ import annotations

import contextlib
import random
import uuid
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from made_up_atlases import filled

from phosphene.errors import ParameterError, StorageError
from phosphene.store.atlas import Answers, FactExample, LayerAnswers, Link, UnitFacts, open_atlas
from phosphene.store.atlas import fact_columns as columns_module
from phosphene.store.atlas import facts as facts_module
from phosphene.store.atlas.damage import DamagedFileError

_ANSWERS = Answers(3, 1.0, 0.5, -1.0, 3.0, 0.75, (0.5, 0.9), (0.0, 2.0), (-1.0, 1.0, 3.0), (0.5, 0.5))


def _facts(unit: int) -> UnitFacts:
    if unit % 3 == 0:
        return UnitFacts("blocks.0", unit)
    examples = (
        FactExample("top", 0, 3.5, "cat ü.jpg", (0, 1, 8, 7), bytes([unit]) * 50),
        FactExample("zero", 0, 0.0, "dog.jpg", (0, 0, 8, 8), None),
    )
    links = (Link("blocks.0", (unit + 1) % 10, 0.5), Link("stem", 0, -0.25))
    return UnitFacts("blocks.0", unit, "a </b> cat", _ANSWERS, examples, links, links[:1], (), links)


@pytest.fixture(params=["local", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path, monkeypatch):
    monkeypatch.setattr(facts_module, "_GROUP", 4)
    return filled(tmp_path if request.param == "local" else f"memory://{uuid.uuid4().hex}", [])


def test_facts_come_back_as_they_were_written(folder):
    assert not folder.has_facts("blocks.0")
    assert list(folder.facts("blocks.0")) == []
    assert folder.unit_facts("blocks.0", 0) is None
    expected = [_facts(unit) for unit in (*range(9), 20)]
    folder.write_facts("blocks.0", iter(expected))
    read = open_atlas(folder.uri)
    assert read.has_facts("blocks.0")
    assert not read.has_facts("Blocks.0")
    assert list(read.facts("blocks.0")) == expected
    assert [read.unit_facts("blocks.0", one.unit) for one in expected] == expected
    assert read.unit_facts("blocks.0", 12) is None
    assert list(read.facts("blocks.0", start=3, stop=6)) == expected[3:6]
    assert list(read.facts("blocks.0", start=9)) == expected[9:]
    assert read.verify().is_whole


def test_facts_are_read_without_their_pictures(folder):
    folder.write_facts("blocks.0", [_facts(unit) for unit in range(9)])
    expected = [
        replace(one, examples=tuple(replace(e, image=None) for e in one.examples)) for one in map(_facts, range(9))
    ]
    assert list(folder.facts("blocks.0", images=False)) == expected


_MORE = replace(_ANSWERS, n=7, max=5.0, fractions=(0.1, 0.5, 0.9), quantiles=(-0.5, 0.0, 4.0))


def _uneven(units: range) -> list[UnitFacts]:
    """Facts of which some have no answers, and some more quantiles than others."""
    return [replace(one, answers=_MORE) if one.unit % 5 == 1 else one for one in map(_facts, units)]


def test_facts_as_columns_say_what_the_rows_say(folder, monkeypatch):
    monkeypatch.setattr(columns_module, "_AT_ONCE", 2)
    assert len(folder.answers("blocks.0").unit) == len(folder.top_examples("blocks.0").unit) == 0
    assert folder.labels("blocks.0") == {}
    facts = _uneven(range(23))
    folder.write_facts("blocks.0", facts)
    known = [(one.unit, one.answers) for one in facts if one.answers is not None]
    found = folder.answers("blocks.0")
    assert found.unit.tolist() == [unit for unit, _ in known]
    for name in ("n", "mean", "std", "min", "max", "above_zero"):
        assert getattr(found, name).tolist() == [getattr(answers, name) for _, answers in known]
    for value in (-2.0, -1.0, -0.7, 0.0, 1.3, 2.0, 2.9, 3.0, 4.5, 5.0, 6.0):
        values = np.full(len(known), value)
        assert found.percentiles(values).tolist() == [answers.percentile(value) for _, answers in known]
        assert found.multiples(values).tolist() == [answers.multiple(value) for _, answers in known]
    tops = folder.top_examples("blocks.0")
    rows = [(one.unit, e.key, e.value) for one in facts for e in one.examples if e.kind == "top"]
    names = [tops.keys[i] for i in tops.key]
    assert list(zip(tops.unit.tolist(), names, tops.value.tolist(), strict=True)) == rows
    assert tops.keys == ("cat ü.jpg",)
    assert folder.labels("blocks.0") == {one.unit: one.label for one in facts if one.label}


def test_what_is_no_multiple_is_none():
    answers = LayerAnswers(*(np.array([value]) for value in (0, 3, 0.0, 1.0, -1.0, 0.0, 0.0)), *[np.empty((1, 0))] * 2)
    assert np.isnan(answers.multiples(np.array([2.0]))).all()


def test_a_damaged_stretch_of_facts_is_left_out_of_the_columns(tmp_path, monkeypatch):
    monkeypatch.setattr(facts_module, "_GROUP", 4)
    folder = filled(tmp_path, [])
    folder.write_facts("blocks.0", _uneven(range(23)))
    path = tmp_path / "facts" / "blocks.0.parquet"
    whole, all_units = path.read_bytes(), folder.answers("blocks.0").unit.tolist()
    piece = pq.read_metadata(path).row_group(2).column(4)  # what the units of a group are answered
    assert piece.path_in_schema == "answers.mean"
    at = piece.data_page_offset + piece.total_compressed_size - 3
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :])
    with pytest.raises(DamagedFileError, match=r"facts/blocks.0.parquet is damaged"):
        folder.answers("blocks.0")
    told: list[StorageError] = []
    left = folder.answers("blocks.0", on_damage=told.append).unit.tolist()
    assert left == [unit for unit in all_units if unit not in range(8, 12)]
    assert len(told) == 1
    path.write_bytes(b"PAR1 not at all PAR1")
    assert len(folder.answers("blocks.0", on_damage=told.append).unit) == 0
    assert len(told) == 2
    with pytest.raises(DamagedFileError, match="is damaged"):
        folder.labels("blocks.0")


def test_answers_with_more_quantiles_than_fractions_are_refused(folder):
    folder.write_facts("blocks.0", [replace(_facts(1), answers=replace(_ANSWERS, fractions=(0.5,)))])
    with pytest.raises(DamagedFileError, match="a unit has more quantiles than fractions, or fewer"):
        folder.answers("blocks.0")


def test_facts_written_again_replace_the_old_ones(folder):
    folder.write_facts("blocks.0", [_facts(1), _facts(2)])
    folder.write_facts("blocks.0", [])
    assert folder.has_facts("blocks.0")
    assert list(folder.facts("blocks.0")) == []


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([_facts(2), _facts(1)], "facts of 'blocks.0' unit 1 came; expected units of 'blocks.0' above 2, each once"),
        ([_facts(2), _facts(2)], "unit 2 came"),
        ([UnitFacts("other", 0)], "facts of 'other' unit 0 came; expected units of 'blocks.0'"),
        ([UnitFacts("blocks.0", 2**40)], "facts do not fit the columns"),
        ([UnitFacts("blocks.0", 0, label=3)], "facts do not fit the columns"),
    ],
)
def test_facts_that_do_not_fit_are_refused_and_leave_what_was_there(folder, rows, message):
    folder.write_facts("blocks.0", [_facts(1)])
    with pytest.raises(ParameterError, match=message):
        folder.write_facts("blocks.0", rows)
    assert list(folder.facts("blocks.0")) == [_facts(1)]
    assert folder.verify().strays == ()


@pytest.mark.parametrize("seed", range(3))
def test_no_harm_to_the_bytes_of_facts_makes_wrong_ones(tmp_path, monkeypatch, seed):
    monkeypatch.setattr(facts_module, "_GROUP", 4)
    folder = filled(tmp_path, [])
    expected = [_facts(unit) for unit in range(6)]
    folder.write_facts("blocks.0", expected)
    path = tmp_path / "facts" / "blocks.0.parquet"
    whole, rng, n_refused = path.read_bytes(), random.Random(seed), 0
    for i in range(60):
        at = rng.randrange(len(whole))
        harmed = (
            whole[:at] if i % 6 == 0 else whole[:at] + bytes([whole[at] ^ rng.choice((1, 16, 255))]) + whole[at + 1 :]
        )
        path.write_bytes(harmed)
        with contextlib.suppress(DamagedFileError):
            n_refused += 1
            assert list(folder.facts("blocks.0")) == expected
            assert [folder.unit_facts("blocks.0", unit) for unit in (0, 5)] == [expected[0], expected[5]]
            n_refused -= 1
    assert n_refused > 15


def test_damaged_facts_are_named_and_mended_away(tmp_path):
    folder = filled(tmp_path)
    folder.write_facts("blocks.0", [_facts(1)])
    path = tmp_path / "facts" / "blocks.0.parquet"
    path.write_bytes(path.read_bytes()[:-5])
    report = folder.verify()
    assert [one.path for one in report.damaged] == ["facts/blocks.0.parquet"]
    assert report.n_pictures == 32
    folder.mend(report)
    assert not folder.has_facts("blocks.0")
    assert folder.verify().is_whole


def test_a_percentile_counts_the_photographs_that_drive_a_unit_less():
    answers = Answers(5, 1.0, 1.0, 0.0, 4.0, 0.8, (0.25, 0.5, 0.75), (1.0, 2.0, 3.0), (0.0, 4.0), (1.0,))
    assert [answers.percentile(value) for value in (-1, 0, 0.5, 1, 2.5, 4, 5)] == [0, 0, 12.5, 25, 62.5, 100, 100]
    assert answers.multiple(2) == 0.5
    assert replace(answers, max=0.0).multiple(2) is None


def test_the_percentile_of_a_unit_that_always_answers_alike_is_all_or_nothing():
    answers = Answers(5, 1.0, 0.0, 1.0, 1.0, 1.0, (0.5,), (1.0,), (1.0, 1.0), (1.0,))
    assert [answers.percentile(value) for value in (0.5, 1.0, 1.5)] == [0.0, 0.0, 100.0]
