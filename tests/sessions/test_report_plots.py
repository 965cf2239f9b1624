"""Curves as SVG, tables as CSV, and the findings behind them: golden texts and independent figures."""

from __future__ import annotations

import itertools
import math
import re
import statistics
from xml.etree import ElementTree

import pytest

import phosphene as ph
from phosphene.optimizers import RandomSearch
from phosphene.sessions import GenerationRow, History, Thread, TrialRow
from phosphene.sessions.findings import evolved, last_over, pairings, references, spread
from phosphene.sessions.plots import COLORS, HEIGHT, WIDTH, Curve, line_chart, ticks
from phosphene.sessions.report_page import number, plus_minus, table
from phosphene.sessions.tables import generations_csv, ratio, sem, trials_csv
from phosphene.spaces import as_space

NAN = math.nan


def trial(stimulus: str, response: tuple[float, ...], **how: object) -> TrialRow:
    thread, _, candidate = stimulus.partition("_")
    values = {
        "line": 7,
        "at": "2026-01-02T03:04:05.678+00:00",
        "generation": 3,
        "stimulus": stimulus,
        "thread": thread,
        "candidate": candidate,
        "is_reference": False,
        "position": 1,
        "trial": 1,
        "response": response,
        "score": response[0],
        "is_late": False,
    }
    return TrialRow(**{**values, **how})  # type: ignore[arg-type]


def generation(number: int, thread: str, mean: float, **how: object) -> GenerationRow:
    values = {
        "generation": number,
        "thread": thread,
        "n_shown": 40,
        "n_scored": 36,
        "n_lost": 4,
        "mean": mean,
        "sd": 3.0,
        "best": 9.0,
        "best_stimulus": f"{thread}_g0000c001",
        "n_references": 4,
        "reference_mean": 2.0,
        "reference_sd": 1.0,
        "figures": {"sigma": 2.5},
        "is_over": True,
    }
    return GenerationRow(**{**values, **how})  # type: ignore[arg-type]


def test_trials_are_a_row_each() -> None:
    rows = [
        trial("a_g0003c017", (1.5, NAN)),
        trial("a_g0003c018", (NAN,), trial=2, position=None, is_late=True),
        trial("reference_x", (0.1, 2.0), thread="", candidate="x", is_reference=True, score=NAN),
    ]
    assert trials_csv(rows, "pilot").splitlines() == [
        "session,thread,generation,candidate,stimulus,is_reference,position,trial,response_0,response_1,score,is_late,time",
        "pilot,a,3,g0003c017,a_g0003c017,0,1,1,1.5,,1.5,0,2026-01-02T03:04:05.678+00:00",
        "pilot,a,3,g0003c018,a_g0003c018,0,,2,,,,1,2026-01-02T03:04:05.678+00:00",
        "pilot,,3,x,reference_x,1,1,1,0.1,2.0,,0,2026-01-02T03:04:05.678+00:00",
    ]


def test_generations_are_a_row_each() -> None:
    rows = [
        generation(0, "a", 5.0),
        generation(0, "b", NAN, figures={}, n_scored=0, n_references=0, reference_mean=NAN),
    ]
    assert generations_csv(rows, "pilot").splitlines() == [
        "session,thread,generation,is_over,n_shown,n_scored,n_lost,mean,sem,best,best_stimulus,n_references,"
        "reference_mean,reference_sem,ratio,sigma",
        "pilot,a,0,1,40,36,4,5.0,0.5,9.0,a_g0000c001,4,2.0,0.5,2.5,2.5",
        "pilot,b,0,1,40,0,4,,,9.0,b_g0000c001,0,,,,",
    ]


def test_texts_with_commas_and_formulas_stay_texts() -> None:
    row = trials_csv([trial("a_g0003c017", (1.0,))], '=1+1,"x"').splitlines()[1]
    assert row.startswith('"\'=1+1,""x""",a,3')


def test_the_ratio_needs_references_that_respond() -> None:
    assert ratio(generation(0, "a", 5.0)) == 2.5
    assert math.isnan(ratio(generation(0, "a", 5.0, reference_mean=0.0)))
    assert math.isnan(ratio(generation(0, "a", 5.0, reference_mean=-1.0)))
    assert math.isnan(sem(1.0, 1))


def test_images_are_ranked_by_the_mean_of_the_trials_that_counted() -> None:
    thread = Thread("a", as_space(ph.Fourier(8, 8, sd=1.0)), RandomSearch(population=2), channels=1)
    rows = (
        trial("a_g0000c000", (0.0, 2.0)),
        trial("a_g0000c000", (0.0, 5.0), trial=2),
        trial("a_g0000c000", (0.0, 99.0), trial=3, is_late=True),
        trial("a_g0000c001", (0.0, 4.0)),
        trial("a_g0000c002", (NAN,)),
        trial("b_g0000c000", (0.0, 50.0)),
        trial("reference_g0000_x", (0.0, 1.0), thread="", candidate="x", is_reference=True),
        trial("reference_g0001_x", (0.0, 2.0), thread="", candidate="x", is_reference=True, generation=1),
    )
    history = History(rows, ())
    found = evolved(history, thread)
    assert [(one.stimulus, one.mean, one.n) for one in found] == [("a_g0000c001", 4.0, 1), ("a_g0000c000", 3.5, 2)]
    assert math.isnan(found[0].sem)
    assert found[1].sem == pytest.approx(statistics.stdev([2.0, 5.0]) / math.sqrt(2), rel=1e-15)
    (reference,) = references(history, thread)
    assert (reference.candidate, reference.mean, reference.n) == ("x", 1.5, 2)


def test_pairs_share_the_generations_in_which_both_have_scores() -> None:
    a, b = (1.0, 4.0, NAN, 7.0, 9.0), (2.0, 1.0, 5.0, 3.0, 0.0)
    over = (True, True, True, True, False)
    rows = [generation(g, n, v[g], is_over=over[g]) for g in range(5) for n, v in (("a", a), ("b", b), ("c", b))]
    pairs = pairings(rows)
    assert [(pair.first, pair.second) for pair in pairs] == list(itertools.combinations("abc", 2))
    differences = [-1.0, 3.0, 4.0]
    assert (pairs[0].n, pairs[0].n_won, pairs[0].difference, pairs[0].last) == (3, 2, 2.0, 4.0)
    assert pairs[0].sem == pytest.approx(statistics.stdev(differences) / math.sqrt(3), rel=1e-15)
    assert (pairs[2].n_won, pairs[2].difference, pairs[2].sem) == (0, 0.0, 0.0)


def test_the_last_generation_is_one_that_is_over_and_scored() -> None:
    rows = [generation(0, "a", 1.0), generation(1, "a", NAN), generation(2, "a", 3.0, is_over=False)]
    assert last_over(rows) == rows[0]
    assert last_over(rows[1:]) is None


@pytest.mark.parametrize("n", [2, 3, 9, 10, 11, 75, 1000])
def test_frames_are_spread_from_the_first_to_the_last(n: int) -> None:
    found = spread(range(n), 10)
    assert len(found) == len(set(found)) == min(n, 10)
    assert (found[0], found[-1]) == (0, n - 1)
    gaps = [b - a for a, b in itertools.pairwise(found)]
    assert max(gaps) - min(gaps) <= 1


@pytest.mark.parametrize(
    ("low", "high"), [(0, 1), (-3, 7.5), (1e-9, 3e-9), (1e6, 1.00001e6), (-1e300, 1e300), (0.0, 49.0)]
)
def test_ticks_are_round_within_the_range_and_neither_few_nor_many(low: float, high: float) -> None:
    found = ticks(low, high)
    step = found[1] - found[0]
    leading = step / 10 ** math.floor(math.log10(step) + 1e-9)
    assert any(leading == pytest.approx(nice, rel=1e-6) for nice in (1, 2, 2.5, 5, 10))
    assert 3 <= len(found) <= 7
    assert all(low - 1e-6 * step <= value <= high + 1e-6 * step for value in found)


def drawn(*curves: Curve) -> ElementTree.Element:
    figure = line_chart(curves, title="t & <t>", x_label="generation", y_label="score")
    return ElementTree.fromstring(figure)  # well-formed, or this raises


def points(text: str | None) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in (text or "").split())]


def test_a_curve_lies_where_its_values_are() -> None:
    values = (1.0, 3.0, 2.0, 5.0)
    figure = drawn(Curve("a", (0.0, 1.0, 2.0, 3.0), values, (0.5,) * 4))
    (line,) = figure.findall(".//polyline")
    found = points(line.get("points"))
    # Equal steps to the right, and heights that are an affine map of the values, upside down.
    steps = [b[0] - a[0] for a, b in itertools.pairwise(found)]
    assert steps == pytest.approx([steps[0]] * 3, abs=0.11)
    slope = (found[3][1] - found[0][1]) / (values[3] - values[0])
    assert slope < 0
    assert [y for _, y in found] == pytest.approx([found[0][1] + slope * (v - 1) for v in values], abs=0.11)
    (band,) = figure.findall(".//polygon")
    edges = points(band.get("points"))
    assert [x for x, _ in edges[:4]] == [x for x, _ in found]
    assert [y for _, y in edges[:4]] == pytest.approx([y + slope * 0.5 for _, y in found], abs=0.11)
    assert [y for _, y in edges[:3:-1]] == pytest.approx([y - slope * 0.5 for _, y in found], abs=0.11)
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in [*found, *edges])


def test_a_tick_stands_at_the_height_of_its_value() -> None:
    figure = drawn(Curve("a", (0.0, 10.0), (0.0, 10.0)))
    found = points(figure.find(".//polyline").get("points"))  # type: ignore[union-attr]
    labels = {t.text: float(t.get("y", "0")) - 4 for t in figure.iter("text") if t.get("text-anchor") == "end"}
    assert labels["0"] == pytest.approx(found[0][1], abs=0.11)
    assert labels["10"] == pytest.approx(found[1][1], abs=0.11)
    places = {
        t.text: float(t.get("x", "0"))
        for t in figure.iter("text")
        if t.get("class") is None and t.get("text-anchor") == "middle"
    }
    assert places["10"] == pytest.approx(found[1][0], abs=0.11)


def test_missing_values_are_gaps_and_a_value_alone_is_a_dot() -> None:
    figure = drawn(
        Curve("a", tuple(map(float, range(6))), (1.0, 2.0, NAN, 3.0, NAN, NAN), (0.1, 0.1, NAN, 0.2, NAN, NAN))
    )
    assert [len(points(line.get("points"))) for line in figure.findall(".//polyline")] == [2, 1]
    assert len(figure.findall(".//circle")) == 1


def test_curves_of_one_value_or_one_generation_are_drawn() -> None:
    for curve in (Curve("a", (0.0,), (0.0,)), Curve("a", (0.0, 1.0), (5.0, 5.0)), Curve("a", (3.0,), (-1e9,), (2.0,))):
        for x, y in points(drawn(curve).find(".//polyline").get("points")):  # type: ignore[union-attr]
            assert 0 <= x <= WIDTH
            assert 0 <= y <= HEIGHT


def test_texts_in_a_chart_are_escaped_and_colors_repeat() -> None:
    curves = [Curve(f"<{i}>&", (0.0, 1.0), (0.0, float(i))) for i in range(2)]
    figure = drawn(
        *curves, Curve("many", (0.0, 1.0), (0.0, 1.0), color=len(COLORS)), Curve("grey", (0.0,), (1.0,), color=None)
    )
    assert [item.findall("svg")[0].tail for item in figure.iter("li")] == ["<0>&", "<1>&", "many", "grey"]
    assert curves[0].paint == Curve("x", (), (), color=len(COLORS)).paint
    assert figure.find("svg").get("aria-label") == "t & <t>"  # type: ignore[union-attr]


def test_no_values_are_a_sentence() -> None:
    assert "Nothing to draw yet" in line_chart([Curve("a", (0.0,), (NAN,))], title="", x_label="", y_label="")


def test_tables_escape_and_sort_by_the_exact_value() -> None:
    found = table(("<a>", "b"), [("x<y&'", 1 / 3), (None, NAN)], sortable=True)
    assert "<a>" not in found
    assert "x&lt;y&amp;" in found
    assert f'data-value="{1 / 3!r}">0.3333<' in found
    assert found.count("–") == 2
    assert re.search(r'data-value="">–', found)


def test_numbers_are_told_to_four_digits() -> None:
    assert [number(v) for v in (1234567.0, 0.00012345, 0.0, math.inf, None)] == [
        "1.235e+06",
        "0.0001234",
        "0",
        "–",
        "–",
    ]
    assert plus_minus(NAN, NAN) == "–"
