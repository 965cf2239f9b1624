"""The report of a session: its numbers against the journal, its HTML against a parser, and the page in a browser."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import shutil
import statistics
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch

import phosphene as ph
from phosphene.errors import StorageError, TrustError, WeightsError
from phosphene.optimizers import CMAES, RandomSearch
from phosphene.parameterizations import DCGAN, UpconvGAN
from phosphene.sessions import Plan, Session, Thread, Trial
from phosphene.sessions.report import described, write_report
from phosphene.spaces import as_space

VOID = {"meta", "img", "br", "line", "circle", "polyline", "polygon"}
SECTIONS = (
    "Scores",
    "Film strip",
    "Evolved against reference images",
    "What was found",
    "Settings and versions",
    "Trials",
)


class Page(HTMLParser):
    """The page as a parser sees it: tags that close as they open, and the texts of headings and cells."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, dict[str, str | None]]] = []
        self.headings: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
        elif tag in ("h1", "h2", "h3"):
            self.headings.append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if "td" in self.open or "th" in self.open:
            self.tables[-1][-1][-1] += data
        elif self.open and self.open[-1] in ("h1", "h2", "h3"):
            self.headings[-1] += data

    def table(self, *columns: str) -> list[dict[str, str]]:
        """The rows of the first table that begins with these columns."""
        found = next(rows for rows in self.tables if tuple(rows[0][: len(columns)]) == columns)
        return [dict(zip(found[0], row, strict=True)) for row in found[1:]]


def response(image: torch.Tensor) -> tuple[float, float]:
    """Two channels: red at the left, blue at the right."""
    half = image.shape[2] // 2
    return float(image[0, :, :half].mean()) * 10, float(image[-1, :, half:].mean()) * 10


def make(
    directory: Path, threads: tuple[Thread, ...], *, generations: int = 3, extra: int = 0, repeats: int = 2
) -> Path:
    """A session of so many generations that are over, and so many trials of the next; every eleventh trial is lost."""
    references = [torch.full((3, 8, 8), level) for level in (0.2, 0.9)]
    Session.create(directory, Plan(threads, repeats=repeats), references)
    n = 0

    def trials(session: Session) -> list[Trial]:
        nonlocal n
        found = []
        for one in session.ask():
            n += 1
            lost = n % 11 == 0
            found.append(Trial(one.stimulus, (math.nan,) if lost else response(one.image), one.trial))
        return found

    with Session.open(directory) as session:
        while session.status().generation < generations:
            session.tell(trials(session))
        if extra:
            session.tell(trials(session)[:extra])
    return directory


def thread(name: str, channels: int | None = 0, **how: object) -> Thread:
    return Thread(name, as_space(ph.Fourier(8, 8, sd=1.0)), CMAES(population=6, cov="iso"), channels=channels, **how)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    other = Thread("random", as_space(ph.Fourier(8, 8, sd=1.0)), RandomSearch(population=4), channels=1)
    return make(tmp_path_factory.mktemp("report") / "pilot", (thread("cma"), other), extra=7)


@pytest.fixture(scope="module")
def page(finished: Path) -> Page:
    written, _, _ = write_report(finished)
    assert written == finished / "report.html"
    return Page(written.read_text(encoding="utf-8"))


def journal(directory: Path) -> list[dict[str, object]]:
    """The journal as anybody reads it: a JSON object a line."""
    return [json.loads(line) for line in (directory / "journal.jsonl").read_text().splitlines()]


def scores(directory: Path, channel: int) -> dict[str, list[float]]:
    """The scores of each stimulus by one channel, from the journal's lines alone."""
    found: dict[str, list[float]] = {}
    for line in journal(directory):
        if line["event"] == "trial":
            values = line["response"]
            assert isinstance(values, list)
            if values[-1] is not None:
                found.setdefault(str(line["stimulus"]), []).append(values[channel])
    return found


def means_of(directory: Path, channel: int, pattern: str) -> list[float]:
    return [statistics.mean(v) for name, v in scores(directory, channel).items() if re.fullmatch(pattern, name)]


def test_the_page_is_well_formed_and_has_every_section_of_a_comparison(page: Page) -> None:
    wanted = [*SECTIONS[:3], "Threads compared", *SECTIONS[3:]]
    assert [h for h in page.headings if h in wanted] == wanted
    assert page.headings[0] == "Session pilot"
    anchors = {attributes["id"] for tag, attributes in page.attributes if tag == "section"}
    links = {str(attributes["href"])[1:] for tag, attributes in page.attributes if tag == "a"}
    assert links == anchors


def test_nothing_comes_from_anywhere_else(finished: Path, page: Page) -> None:
    text = write_report(finished)[0].read_text(encoding="utf-8")
    assert not re.search(r"https?:|url\(|@import", text)
    for tag, attributes in page.attributes:
        assert tag not in ("link", "iframe", "object", "base")
        assert not (tag == "script" and "src" in attributes)
        assert tag != "img" or str(attributes["src"]).startswith("data:image/png;base64,")
        assert not any(name.startswith("on") for name in attributes)


def test_the_generations_are_those_of_the_journal(finished: Path, page: Page) -> None:
    rows = page.table("generation", "thread")
    assert [(row["generation"], row["thread"]) for row in rows[:2]] == [("0", "cma"), ("0", "random")]
    for row in rows:
        channel = 0 if row["thread"] == "cma" else 1
        generation = int(row["generation"])
        ours = means_of(finished, channel, rf"{row['thread']}_g{generation:04d}c\d+")
        theirs = means_of(finished, channel, rf"reference_g{generation:04d}_\d+")
        assert row["mean ± sem"] == shown(ours)
        assert row["reference ± sem"] == shown(theirs)
        assert row["scored"] == str(len(ours))
        assert row["best"] == f"{max(ours):.4g}"
        assert row["ratio"] == f"{statistics.mean(ours) / statistics.mean(theirs):.4g}"
    assert [row["over"] for row in rows] == ["yes"] * 6 + ["not yet"] * 2


def shown(values: list[float]) -> str:
    mean = f"{statistics.mean(values):.4g}"
    return mean if len(values) < 2 else f"{mean} ± {statistics.stdev(values) / math.sqrt(len(values)):.2g}"


def test_threads_are_compared_generation_by_generation(finished: Path, page: Page) -> None:
    differences = []
    for generation in range(3):
        cma = means_of(finished, 0, rf"cma_g{generation:04d}c\d+")
        random = means_of(finished, 1, rf"random_g{generation:04d}c\d+")
        differences.append(statistics.mean(cma) - statistics.mean(random))
    (row,) = page.table("first", "second")
    assert (row["first"], row["second"], row["generations"]) == ("cma", "random", "3")
    assert row["first ahead in"] == str(sum(d > 0 for d in differences))
    assert row["mean difference ± sem"] == shown(differences)
    assert row["difference in the last"] == f"{differences[-1]:.4g}"
    assert any("different channels" in text for text in page.texts)


def test_the_strongest_images_come_first_with_the_means_of_their_trials(finished: Path, page: Page) -> None:
    found = scores(finished, 0)
    best = max((name for name in found if name.startswith("cma_")), key=lambda name: statistics.mean(found[name]))
    heading = [i for i, text in enumerate(page.texts) if text == "Evolved against reference images"][
        1
    ]  # after the link
    place = page.texts.index(best, heading)
    trials = f"{len(found[best])} trial{'s' if len(found[best]) > 1 else ''}"
    assert page.texts[place + 1] == f"{shown(found[best])} ({trials})"
    # Reference images are pooled over generations: the bright one is the stronger.
    pooled = [v for name, values in found.items() if re.fullmatch(r"reference_g\d+_02", name) for v in values]
    place = page.texts.index("02", heading)
    assert page.texts[place + 1] == f"{shown(pooled)} ({len(pooled)} trials)"


def test_every_generation_that_is_over_has_a_frame(page: Page) -> None:
    start = page.texts.index("cma: recommended after the generation")
    assert [t for t in page.texts[start : start + 12] if t.startswith("generation ")][:3] == [
        "generation 0",
        "generation 1",
        "generation 2",
    ]
    images = sum(tag == "img" for tag, _ in page.attributes)
    assert images == 2 * (3 + 3) + (6 + 2) + (6 + 2) + 2 * 2


def test_it_says_which_image_to_trust_under_noise(page: Page) -> None:
    assert any("Under noise trust the recommended image" in text for text in page.texts)


def test_every_trial_has_a_row(finished: Path, page: Page) -> None:
    told = [line for line in journal(finished) if line["event"] == "trial"]
    rows = page.table("stimulus", "thread")
    assert [(row["stimulus"], row["trial"]) for row in rows] == [(t["stimulus"], str(t["trial"])) for t in told]
    assert rows[10]["response"] in ("–", "nan")
    assert {row["thread"] for row in rows} == {"cma", "random", "reference"}


def test_the_settings_and_versions_are_told(page: Page) -> None:
    (first, second) = page.table("thread", "optimizer")
    assert first["optimizer"] == "CMAES(population=6, cov='iso')"
    assert first["space"] == "ImageSpace(parameterization=Fourier(height=8, width=8, sd=1.0))"
    assert (first["image"], first["numbers of a code"], second["population"]) == ("3 × 8 × 8", "240", "4")
    settings = {row["setting"]: row["value"] for row in page.table("setting", "value")}
    assert settings["trials of each stimulus"] == "2"
    assert settings["version of torch"] == torch.__version__
    assert settings["version of phosphene"] == ph.__version__


def test_the_tables_are_tidy(finished: Path) -> None:
    _, trials, generations = write_report(finished)
    rows = list(csv.DictReader(io.StringIO(trials.read_text(encoding="utf-8"))))
    told = [line for line in journal(finished) if line["event"] == "trial"]
    assert list(rows[0]) == [
        *("session", "thread", "generation", "candidate", "stimulus", "is_reference", "position", "trial"),
        *("response_0", "response_1", "score", "is_late", "time"),
    ]
    for row, line in zip(rows, told, strict=True):
        values = line["response"]
        assert isinstance(values, list)
        assert (row["session"], row["stimulus"], row["trial"]) == ("pilot", line["stimulus"], str(line["trial"]))
        assert row["time"] == line["at"]
        if values[0] is None:
            assert (row["response_0"], row["response_1"], row["score"]) == ("", "", "")
        else:
            assert [float(row["response_0"]), float(row["response_1"])] == values
        if row["is_reference"] == "0" and values[0] is not None:
            assert float(row["score"]) == values[0 if row["thread"] == "cma" else 1]
    by_generation = list(csv.DictReader(io.StringIO(generations.read_text(encoding="utf-8"))))
    assert [(r["thread"], r["generation"], r["is_over"]) for r in by_generation[-2:]] == [
        ("cma", "3", "0"),
        ("random", "3", "0"),
    ]
    ours = means_of(finished, 0, r"cma_g0001c\d+")
    assert float(by_generation[2]["mean"]) == pytest.approx(statistics.mean(ours), rel=1e-12)
    assert float(by_generation[2]["sem"]) == pytest.approx(statistics.stdev(ours) / math.sqrt(len(ours)), rel=1e-12)


def test_a_page_of_another_name_has_tables_of_that_name(finished: Path, tmp_path: Path) -> None:
    paths = write_report(finished, tmp_path / "a" / "monday.html")
    assert [path.name for path in paths] == ["monday.html", "monday-trials.csv", "monday-generations.csv"]
    assert "monday-trials.csv" in paths[0].read_text(encoding="utf-8")


def test_a_session_without_any_trial_has_a_report(tmp_path: Path) -> None:
    Session.create(tmp_path / "new", Plan((thread("a"),)))
    page = Page(write_report(tmp_path / "new")[0].read_text(encoding="utf-8"))
    assert [h for h in page.headings if h in SECTIONS] == list(SECTIONS)
    assert {"Nothing to draw yet.", "No generation is over yet.", "No trial is on record yet."} <= set(page.texts)
    assert (tmp_path / "new" / "trials.csv").read_text().count("\n") == 1


def test_a_session_is_reported_while_it_runs_and_nothing_of_it_changes(tmp_path: Path) -> None:
    directory = make(tmp_path / "s", (thread("a"),), generations=1)

    def state() -> dict[str, bytes]:
        kept = (p for p in directory.rglob("*") if p.is_file() and p.suffix not in (".html", ".csv", ".pid"))
        return {str(p): p.read_bytes() for p in kept}

    with Session.open(directory) as session:
        session.tell([Trial(one.stimulus, (1.0, 2.0), one.trial) for one in session.ask()[:3]])
        before = state()
        page = Page(write_report(directory)[0].read_text(encoding="utf-8"))
        assert len(page.table("stimulus", "thread")) == 16 + 3
        assert state() == before
        session.tell([Trial(one.stimulus, (1.0, 2.0), one.trial) for one in session.ask()])
    with Session.open(directory) as session:
        assert session.status().generation == 2


def test_a_torn_last_line_is_left_out_and_left_alone(tmp_path: Path) -> None:
    directory = make(tmp_path / "s", (thread("a"),), generations=1)
    whole = (directory / "journal.jsonl").read_bytes()
    (directory / "journal.jsonl").write_bytes(whole + b'{"n":')
    page = Page(write_report(directory)[0].read_text(encoding="utf-8"))
    assert len(page.table("stimulus", "thread")) == 16
    assert (directory / "journal.jsonl").read_bytes() == whole + b'{"n":'


def test_the_newest_frame_does_not_wait_for_its_state_and_others_are_left_out(tmp_path: Path) -> None:
    directory = make(tmp_path / "s", (thread("a"),), generations=3)
    for generation in (1, 3):
        (directory / "state" / f"a-{generation:04d}.safetensors").unlink()
    page = Page(write_report(directory)[0].read_text(encoding="utf-8"))
    start, end = (page.texts.index(f"a: {what} the generation") for what in ("recommended after", "best of"))
    frames = [text for text in page.texts[start:end] if text.startswith("generation ")]
    assert frames == ["generation 1", "generation 2"]


def test_text_that_looks_like_html_is_text(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>&'\""
    directory = tmp_path / "<b>x<b>&"
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    ph.store.write_png(pictures / "a.png", (torch.rand(8, 8, 3).numpy() * 255).astype("uint8"))
    (pictures / "a.png").rename(pictures / f"{evil.replace('/', '')}.png")
    Session.create(directory, Plan((thread("a"),)), pictures)
    with Session.open(directory) as session:
        session.tell([Trial(one.stimulus, response(one.image), one.trial) for one in session.ask()])
    text = write_report(directory)[0].read_text(encoding="utf-8")
    assert "<b>x" not in text
    assert text.count("<script") == 1
    assert Page(text).headings[0] == "Session <b>x<b>&"


def test_numbers_are_told_where_pictures_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = make(tmp_path / "s", (thread("a"),), generations=1)

    def gone(*_: object) -> None:
        raise WeightsError("weights 'x.pt' are not a file; give the path")

    monkeypatch.setattr(Session, "decode", gone)
    monkeypatch.setattr("phosphene.sessions.snapshot.Snapshot.decode", gone)
    page = Page(write_report(directory)[0].read_text(encoding="utf-8"))
    assert sum("These pictures cannot be made here: weights" in text for text in page.texts) == 3
    assert len(page.table("stimulus", "thread")) == 16


def test_a_stimulus_that_no_search_has_asked_for_has_no_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = make(tmp_path / "s", (thread("a"),), generations=1)
    monkeypatch.setattr("phosphene.sessions.report_pictures.parse_id", lambda _: None)
    page = Page(write_report(directory)[0].read_text(encoding="utf-8"))
    assert any(re.search("names no candidate of thread a; expected a_g0000c000", text) for text in page.texts)


def test_many_trials_are_cut_on_the_page_and_complete_in_the_table(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("phosphene.sessions.report.N_TRIALS", 5)
    path, trials, _ = write_report(finished, tmp_path / "short.html")
    page = Page(path.read_text(encoding="utf-8"))
    n = trials.read_text().count("\n") - 1
    assert len(page.table("stimulus", "thread")) == 5
    assert any(text.startswith(f"The newest 5 of {n} trials") for text in page.texts)


def test_what_is_no_session_has_no_report(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="holds no session"):
        write_report(tmp_path)


def test_a_plan_that_would_download_needs_trust(tmp_path: Path) -> None:
    space = as_space(UpconvGAN("https://example.invalid/a.pt", "0" * 64))
    Session.create(tmp_path / "s", Plan((Thread("a", space, RandomSearch(population=2)),)))
    with pytest.raises(TrustError, match="download"):
        write_report(tmp_path / "s")
    assert write_report(tmp_path / "s", trust=True)[0].is_file()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (CMAES(), "CMAES()"),
        (thread("a", origin=torch.zeros(2, 240)).origin, "array 2 × 240"),
        (DCGAN(), "DCGAN()"),
        ((0, 2), "(0, 2)"),
    ],
)
def test_components_are_described_by_what_differs_from_the_defaults(value: object, text: str) -> None:
    assert described(value) == text


CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")


@pytest.mark.skipif(CHROMIUM is None or DRIVER is None, reason="needs chromium and chromedriver")
def test_a_browser_shows_the_page_without_a_complaint_and_sorts_its_trials(finished: Path) -> None:
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1100,900"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    path, *_ = write_report(finished)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    try:
        driver.set_page_load_timeout(30)
        driver.get(path.as_uri())
        assert driver.title == "Session pilot"
        assert driver.execute_script("return [...document.images].every(i => i.complete && i.naturalWidth === 8)")
        assert driver.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")
        sort = """const head = [...document.querySelectorAll("#trials th")].find(h => h.textContent === "score");
            head.firstChild.click();
            return [...document.querySelectorAll("#trials tbody tr")].map(row => row.cells[head.cellIndex].dataset.value)"""
        up, down = driver.execute_script(sort), driver.execute_script(sort)
        numbers = [float(value) for value in up if value]
        assert numbers == sorted(numbers)
        assert "" not in up[: len(numbers)]  # what has no score comes last, both ways
        assert [float(value) for value in down if value] == numbers[::-1]
        assert "" not in down[: len(numbers)]
        assert driver.get_log("browser") == []
    finally:
        driver.quit()
