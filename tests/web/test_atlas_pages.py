"""The pages of an atlas in a real browser: contents, layers, units and search, from disk and from a server."""

from __future__ import annotations

import functools
import http.server
import json
import math
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from atlas_rig import DEAD, FAILED, REASON, SMALL, MadeLayer, write_site
from atlas_turning import at, drawn, fragment, is_shown, opened, press, text, texts, titled
from browsers import CHROMIUM, DRIVER, asked, complaints, metrics, until, untroubled
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

HOSTILE = "</script><img src=x onerror=window.hurt=1>\"'&"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="chromium and chromedriver are not installed"),
]


class Strict(http.server.SimpleHTTPRequestHandler):
    """Plain files with the policy that the atlas's server has, and an answer to a search by image."""

    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", POLICY)
        super().end_headers()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        units = [{"slug": "head", "unit": 11, "label": "owl", "value": 3.5, "percentile": 99.5}]
        said, code = ({"units": units}, 200) if body == b"an owl" else ({"error": "This is no picture."}, 415)
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(said).encode())

    def log_message(self, *_: object) -> None:  # type: ignore[override]
        """Says nothing."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_site(tmp_path_factory.mktemp("atlas") / "site", server=True, image_search=True).parent


@pytest.fixture(scope="module")
def disk(folder: Path) -> str:
    return folder.as_uri() + "/"


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Strict, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


@pytest.fixture(params=["disk", "served"])
def address(request: pytest.FixtureRequest) -> str:
    return request.getfixturevalue(request.param)


@pytest.fixture(autouse=True)
def no_complaints(browser: webdriver.Chrome) -> Iterator[None]:
    with untroubled(browser):
        yield


def where(browser: webdriver.Chrome) -> str:
    """The page's name and its fragment."""
    return f"{browser.current_url.partition('#')[0].rpartition('/')[2]}#{fragment(browser)}"


def focused(browser: webdriver.Chrome) -> WebElement:
    return browser.switch_to.active_element


def test_the_contents_list_the_layers_in_their_order_with_shapes_counts_and_mosaics(
    browser: webdriver.Chrome, address: str
) -> None:
    opened(browser, address + "index.html")
    assert browser.title == text(browser, "title") == "A small atlas"
    assert texts(browser, ".layer-name") == ["blocks.0", "blocks.4", "head"]
    assert texts(browser, ".layer .about") == [
        *["Conv2d, 24 × 12 × 12", "24 units", "1 dead, 1 failed, 1 not drawn yet"],
        *["Conv2d, 70 × 12 × 12", "60 units of 70", "1 not finite"],
        *["Linear, 12", "12 classes"],
    ]
    assert "96 units of 3 layers in 92 pictures" in text(browser, "about")
    assert "3 could not be drawn and 1 is not drawn yet" in text(browser, "about")
    drawn(browser, ".mosaic img")
    loaded = asked(browser)
    assert f"{address}mosaics/head.webp" in loaded
    assert all(name.startswith((address, "data:", "about:blank")) for name in loaded)


@pytest.mark.parametrize("window", [1280, 360])
def test_a_mosaic_fills_its_row_and_units_of_few_are_shown_no_larger_than_a_thumb(
    browser: webdriver.Chrome, tmp_path: Path, window: int
) -> None:
    few = MadeLayer("few", "few", 3)
    index = write_site(tmp_path / "site", (SMALL[0], few, SMALL[2]))
    metrics(browser, window, 800)
    opened(browser, index.as_uri())
    drawn(browser, ".mosaic img")
    many, three, twelve = browser.find_elements(By.CSS_SELECTOR, ".mosaic img")
    room = browser.find_element(By.CSS_SELECTOR, ".mosaic").rect["width"]
    assert room > 300
    assert many.rect["width"] == pytest.approx(room if window > 1000 else 2 * room, abs=1)
    assert twelve.rect["width"] == pytest.approx(room, abs=1)  # none of the twelve is cut off
    assert three.rect["width"] == pytest.approx(min(room, 3 * 120), abs=1)


def test_one_turns_from_the_contents_to_a_layer_to_a_unit_and_back(browser: webdriver.Chrome, disk: str) -> None:
    opened(browser, disk + "index.html")
    browser.find_elements(By.CSS_SELECTOR, ".layer")[1].click()
    titled(browser, "blocks.4")
    assert where(browser) == "layer.html#blocks.4"
    browser.find_element(By.CSS_SELECTOR, '#grid a[href$="blocks.4:13"]').click()
    titled(browser, "blocks.4 : 13")
    assert texts(browser, ".crumbs li") == ["A small atlas", "blocks.4", "13"]
    browser.back()
    titled(browser, "blocks.4")
    browser.back()
    until(browser, lambda b: b.title == "A small atlas")
    browser.forward()
    titled(browser, "blocks.4")
    at(browser, "next").click()
    titled(browser, "head")
    browser.back()
    titled(browser, "blocks.4")


def test_a_unit_s_page_shows_every_picture_of_it_large(browser: webdriver.Chrome, disk: str) -> None:
    opened(browser, disk + "unit.html#blocks.0:7")
    assert text(browser, "title") == "blocks.0 : 7"
    plate = browser.find_element(By.CSS_SELECTOR, "#plate img")
    drawn(browser, "#plate img, #others img")
    assert plate.rect["width"] == 4 * 48  # not more, for a picture of so few pixels
    assert plate.get_attribute("alt") == "What drives it most, seed 0: blocks.0:7"
    assert texts(browser, "#others .caption span:first-child") == [
        "What drives it most, seed 1",
        "What drives it least",
        *[f"Another way, {i} of 4" for i in (1, 2, 3, 4)],
    ]
    assert {image.rect["width"] for image in browser.find_elements(By.CSS_SELECTOR, "#others img")} == {4 * 48}


@pytest.mark.parametrize(("window", "shown", "others"), [(1280, 384, 192), (360, 288, 96)])
def test_a_picture_is_shown_at_a_whole_multiple_of_its_size(
    browser: webdriver.Chrome, disk: str, window: int, shown: int, others: int
) -> None:
    metrics(browser, window, 800)
    opened(browser, disk + "unit.html#blocks.0:7")
    browser.execute_script(
        """const unit = {address: '', answers: null, pictures: []}, src = document.querySelector('#plate img').src;
           for (const variant of ['positive', 'negative']) unit.pictures.push({variant, member: 0, seed: 0, src,
             status: 'ok', reason: '', width: 96, height: 96, curve: [], score: null});
           phosphene.plates.showPlate(unit, unit.pictures[0]);
           phosphene.plates.showOthers(unit, unit.pictures[0], () => {});"""
    )
    assert browser.find_element(By.CSS_SELECTOR, "#plate img").rect["width"] == shown
    assert browser.find_element(By.CSS_SELECTOR, "#others img").rect["width"] == others


def test_a_unit_s_page_says_how_strong_its_score_is_among_photographs(browser: webdriver.Chrome, disk: str) -> None:
    score = SMALL[0].score(7)
    opened(browser, disk + "unit.html#blocks.0:7")
    assert texts(browser, "#scores dd") == [f"{score:.3g}", f"{50 + 9 * score:.1f} %", f"{score / 4:.3g} ×"]
    assert texts(browser, "#scores dt")[0] == "score: its answer, the mean over positions"
    assert texts(browser, "#scores dt")[1] == "of 1,000 photographs drive it less (percentile)"
    assert f"{score:.3g}" in text(browser, "histogram")
    own = browser.find_element(By.CSS_SELECTOR, "#histogram .own")
    bins = browser.find_elements(By.CSS_SELECTOR, "#histogram .bin")
    left, right = bins[0].rect["x"], bins[-1].rect["x"] + bins[-1].rect["width"]
    assert (own.rect["x"] - left) / (right - left) == pytest.approx((score + 1) / 5, abs=0.02)
    points = browser.find_element(By.CSS_SELECTOR, "#curve .climb").get_attribute("points") or ""
    heights = [float(point.split(",")[1]) for point in points.split()]
    assert len(heights) == 100
    assert heights == sorted(heights, reverse=True)
    assert text(browser, "curve").split("\n")[-1] == f"{score * (1 - math.exp(-99 / 20)):.3g}"


def test_another_picture_comes_onto_the_plate_and_into_the_address(browser: webdriver.Chrome, disk: str) -> None:
    opened(browser, disk + "unit.html#blocks.0:7?sort=score")
    browser.find_element(By.CSS_SELECTOR, '[data-picture="negative.0.0"]').click()
    assert text(browser, "plate") == "What drives it least"
    assert where(browser) == "unit.html#blocks.0:7?sort=score&picture=negative.0.0"
    assert texts(browser, "#scores dd")[0] == f"{SMALL[0].score(7) * -0.4:.3g}".replace("-", "−")
    assert len(texts(browser, "#scores dd")) == 2  # the multiple of the best photograph is for what drives it most
    assert text(browser, "command").endswith("-o unit.png --variant negative")
    press(browser, "v")
    assert text(browser, "plate") == "Another way, 1 of 4"
    assert text(browser, "command").endswith("-o unit.png --variant diverse --member 0")
    browser.find_element(By.CSS_SELECTOR, '[data-picture="positive.0.1"]').click()
    assert text(browser, "command").endswith("-o unit.png --seed 1")
    browser.find_element(By.CSS_SELECTOR, '[data-picture="diverse.0.0"]').click()
    browser.refresh()
    until(browser, lambda b: is_shown(b, "plate"))
    assert text(browser, "plate") == "Another way, 1 of 4"


def test_who_comes_for_what_drives_a_unit_least_sees_that_first(browser: webdriver.Chrome, disk: str) -> None:
    opened(browser, disk + "unit.html#blocks.0:7?variant=negative")
    assert text(browser, "plate") == "What drives it least"
    assert text(browser, "command").endswith("-o unit.png --variant negative")
    browser.find_element(By.CSS_SELECTOR, '[data-picture="positive.0.0"]').click()
    assert text(browser, "plate").startswith("What drives it most")
    assert where(browser).endswith("picture=positive.0.0")
    browser.find_element(By.CSS_SELECTOR, '[data-picture="negative.0.0"]').click()
    assert where(browser) == "unit.html#blocks.0:7?variant=negative"
    press(browser, "n")
    until(browser, lambda b: "blocks.0:8" in where(b))
    assert text(browser, "plate") == "What drives it least"


def test_photographs_stand_in_their_kinds_best_first(browser: webdriver.Chrome, disk: str) -> None:
    opened(browser, disk + "unit.html#head:3")
    assert texts(browser, "#scores dt")[0] == "score: its answer"  # a class has no positions
    assert texts(browser, "#examples h2") == [
        "Photographs that drive it most",
        "Photographs that drive it least",
        "Photographs that leave it nearest to zero",
    ]
    assert texts(browser, ".photographs:first-of-type .value")[:6] == ["4", "3.9", "3.8", "3.7", "3.6", "3.5"]
    assert len(browser.find_elements(By.CSS_SELECTOR, "#examples .none")) == 1  # it could not be read again
    assert texts(browser, "#examples .source")[-3:] == ["zero 0.jpg", "zero 1.jpg", "zero 2.jpg"]
    assert texts(browser, "#examples > .note")[-1].endswith("stands in the first of them only.")


def test_neighbours_are_pictures_that_lead_to_them(browser: webdriver.Chrome, disk: str) -> None:
    opened(browser, disk + "unit.html#blocks.0:7")
    assert texts(browser, ".neighbours h2") == [
        "Units that answer alike",
        "Units whose pictures look alike",
        "Where it comes from",
        "Where it goes",
    ]
    inputs = browser.find_elements(By.CSS_SELECTOR, '[data-kind="inputs"] li')
    assert inputs[0].text == "unit 7\nweight +0.9"
    assert inputs[-1].text == "elsewhere:4\nweight −0.5"
    assert not inputs[-1].find_elements(By.CSS_SELECTOR, "a")  # it is not in this atlas
    inputs[1].find_element(By.CSS_SELECTOR, "a").click()
    titled(browser, "blocks.4 : 17")


def test_previous_next_and_random_keep_to_the_order_that_one_came_by(browser: webdriver.Chrome, disk: str) -> None:
    drawn = [unit for unit in SMALL[0].units if SMALL[0].code(unit) == 0]
    ranked = sorted(drawn, key=SMALL[0].score, reverse=True)
    opened(browser, disk + f"unit.html#blocks.0:{ranked[3]}?sort=score")
    press(browser, "n")
    titled(browser, f"blocks.0 : {ranked[4]}")
    press(browser, "p")
    titled(browser, f"blocks.0 : {ranked[3]}")
    press(browser, Keys.ARROW_LEFT)
    titled(browser, f"blocks.0 : {ranked[2]}")
    browser.back()
    titled(browser, f"blocks.0 : {ranked[3]}")
    before = text(browser, "title")
    press(browser, "r")
    until(browser, lambda b: text(b, "title") != before)
    press(browser, "u")
    titled(browser, "blocks.0")
    assert "sort=score" in where(browser)


def test_ends_have_no_previous_or_next(browser: webdriver.Chrome, disk: str) -> None:
    opened(browser, disk + "unit.html#blocks.4:10")
    assert (is_shown(browser, "previous"), is_shown(browser, "next")) == (False, True)
    opened(browser, disk + "unit.html#blocks.4:69")
    assert (is_shown(browser, "previous"), is_shown(browser, "next")) == (True, False)


@pytest.mark.parametrize(
    ("unit", "word", "reason"),
    [
        ("blocks.0:5", "failed", REASON),
        ("blocks.0:3", "dead", "Nothing in the picture moves this unit: its gradient is zero."),
        ("blocks.4:31", "not finite", "Its score or its gradient was no number."),
        ("blocks.0:20", "not drawn yet", "Not rendered yet."),
    ],
)
def test_a_unit_without_picture_says_why(
    browser: webdriver.Chrome, disk: str, unit: str, word: str, reason: str
) -> None:
    opened(browser, disk + f"unit.html#{unit}")
    assert text(browser, "plate").split("\n")[:2] == [word, reason]
    assert reason in text(browser, "about")
    assert texts(browser, "#scores dd") == []
    assert text(browser, "made-said").startswith("Recipe quick") == (word != "not drawn yet")
    assert not is_shown(browser, "curve-part")
    assert is_shown(browser, "next")


@pytest.mark.parametrize(
    ("page", "said", "shown"),
    [
        ("unit.html#blocks.0:999", "There is no unit “999” of blocks.0 in this atlas. This is blocks.0:0.", "blocks.0"),
        ("unit.html#blocks.4:3", "There is no unit “3” of blocks.4 in this atlas. This is blocks.4:10.", "blocks.4"),
        ("unit.html#blocks.0:x", "There is no unit “x” of blocks.0 in this atlas.", "blocks.0 : 0"),
        ("unit.html#nowhere:1", "There is no layer “nowhere” in this atlas. This is blocks.0:0.", "blocks.0 : 0"),
        ("unit.html", "", "blocks.0 : 0"),
        ("layer.html", "", "blocks.0"),
        ("layer.html#nowhere", "There is no layer “nowhere” here. This is blocks.0.", "blocks.0"),
        ("layer.html#%E0%A4%A", "There is no layer “%E0%A4%A” here.", "blocks.0"),
    ],
)
def test_an_address_that_leads_nowhere_is_said_and_something_is_shown(
    browser: webdriver.Chrome, disk: str, page: str, said: str, shown: str
) -> None:
    opened(browser, disk + page)
    assert text(browser, "missing").startswith(said)
    assert text(browser, "title").startswith(shown)


def test_the_command_can_be_copied(browser: webdriver.Chrome, address: str) -> None:
    opened(browser, address + "unit.html#head:10")
    assert text(browser, "command") == "phosphene atlas render 'an atlas' head:10 -o unit.png"
    assert "Recipe quick · 48 × 48 pixels · seed 0 · 1.25 s" in text(browser, "made-said")
    at(browser, "copy").click()
    until(browser, lambda b: text(b, "copy") in ("Copied", "Marked"))
    browser.find_element(By.CSS_SELECTOR, "summary").click()
    assert text(browser, "recipe") == "quick: 128 steps of Adam"
    assert not texts(browser, "#made-said a")


def test_a_picture_s_png_and_its_pair_in_another_atlas_are_linked_where_there_are_any(
    browser: webdriver.Chrome, tmp_path: Path
) -> None:
    index = write_site(tmp_path / "site", compare={"title": "another", "layers": []})
    path = tmp_path / "site/data/head/units-0.js"
    path.write_text(path.read_text(encoding="utf-8").replace('"png": null', '"png": "pictures/a b.png"'))
    opened(browser, index.with_name("unit.html").as_uri() + "#head:4")
    links = browser.find_elements(By.CSS_SELECTOR, "#made-said a, #ways a")
    addresses = [str(link.get_attribute("href")).rpartition("/site/")[2] for link in links]
    assert addresses == ["compare.html#head:4", "pictures/a%20b.png"]


def test_search_finds_units_layers_classes_and_photographs(browser: webdriver.Chrome, served: str) -> None:
    opened(browser, served + "unit.html#head:0")
    press(browser, "/")
    press(browser, "owl")
    until(browser, lambda b: len(b.find_elements(By.CSS_SELECTOR, "#found a")) == 8)
    assert texts(browser, "#found .name")[:3] == ["barn owl, Tyto alba", "owl", "bowl"]  # words before parts of words
    press(browser, Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ENTER)
    titled(browser, "owl head:11")
    press(browser, "/", "blocks.4:12", Keys.ENTER)
    until(browser, lambda b: is_shown(b, "main") and text(b, "results-title") == "1 result for “blocks.4:12”")
    assert where(browser) == "index.html#?q=blocks.4%3A12"
    opened(browser, served + "index.html#?q=owl")
    assert texts(browser, "#results h3") == ["Classes", "Driven by the photograph"]
    opened(browser, served + "index.html#?q=11")
    assert texts(browser, "#results .name") == ["blocks.0:11", "blocks.4:11", "head:11"]
    opened(browser, served + "index.html#?q=blocks")
    assert texts(browser, "#results .name") == ["blocks.0", "blocks.4"]
    opened(browser, served + "index.html#?q=zebra")
    assert text(browser, "results-title") == "0 results for “zebra”"
    assert "Try an address such as blocks.0:0" in text(browser, "results")


def test_a_layer_of_the_very_name_is_found_before_others(browser: webdriver.Chrome, tmp_path: Path) -> None:
    index = write_site(tmp_path / "site", [MadeLayer(name, name, 4) for name in ("a.head", "head")])
    opened(browser, index.as_uri() + "#?q=head:3")
    assert texts(browser, "#results .name") == ["head:3", "a.head:3"]


def test_a_random_unit_is_another_one(browser: webdriver.Chrome, tmp_path: Path) -> None:
    index = write_site(tmp_path / "site", [MadeLayer("two", "two", 2)])
    for unit in (0, 1):
        opened(browser, f"{index.with_name('unit.html').as_uri()}#two:{unit}")
        assert (at(browser, "random").get_attribute("href") or "").endswith(f"#two:{1 - unit}")


def test_a_percentile_never_reads_as_all_or_none_where_it_is_not(browser: webdriver.Chrome, disk: str) -> None:
    opened(browser, disk + "index.html")
    said = "return arguments[0].map(phosphene.atlas.percentileOf)"
    values = [100, 99.999, 99.97, 99.4, 50, 12.34, 0.5, 0.001, 0]
    assert browser.execute_script(said, values) == [
        *["100", "over 99.99", "99.97", "99.4", "50", "12.3", "0.5", "under 0.01", "0"]
    ]
    values = [100, 99.999, 30, 0.001, 0, None]
    assert browser.execute_script("return arguments[0].map(p => phosphene.atlas.standing(p, 1000))", values) == [
        "above all of 1,000 photographs",
        "above more than 99.99\u00a0% of 1,000 photographs",
        "above 30\u00a0% of 1,000 photographs",
        "above less than 0.01\u00a0% of 1,000 photographs",
        "below all of 1,000 photographs",
        "",
    ]


def test_escape_closes_what_was_found_and_keeps_the_box(browser: webdriver.Chrome, disk: str) -> None:
    opened(browser, disk + "index.html")
    press(browser, "/", "owl")
    until(browser, lambda b: is_shown(b, "found"))
    press(browser, Keys.ARROW_DOWN, Keys.ESCAPE)
    assert not is_shown(browser, "found")
    assert focused(browser).get_attribute("id") == "search"


def test_an_image_of_one_s_own_is_searched_with_where_a_server_can(
    browser: webdriver.Chrome, served: str, tmp_path: Path
) -> None:
    (tmp_path / "owl.jpg").write_bytes(b"an owl")
    (tmp_path / "text.jpg").write_bytes(b"text")
    opened(browser, served + "index.html")
    at(browser, "image").send_keys(str(tmp_path / "owl.jpg"))
    until(browser, lambda b: text(b, "results-title") == "What owl.jpg drives most")
    assert texts(browser, "#results .name") == ["owl"]
    assert texts(browser, "#results .about") == ["head:11, answers 3.5, above 99.5 % of the photographs"]
    at(browser, "image").send_keys(str(tmp_path / "text.jpg"))
    until(browser, lambda b: text(b, "image-said") == "This is no picture.")
    assert ["415" in line for line in complaints(browser)] == [True]  # the browser says so by itself


def test_the_keys_are_listed(browser: webdriver.Chrome, disk: str) -> None:
    opened(browser, disk + "unit.html#head:0")
    press(browser, "?")
    until(browser, lambda b: b.find_elements(By.CSS_SELECTOR, "#keys[open]"))
    assert "next unit" in texts(browser, "#keys dd")
    press(browser, "n")  # beneath the list nothing moves
    press(browser, Keys.ESCAPE)
    until(browser, lambda b: not b.find_elements(By.ID, "keys"))
    assert text(browser, "title") == "class 0 head:0"


@pytest.mark.parametrize("held", ["ctrlKey", "metaKey", "altKey"])
def test_a_key_with_another_one_is_the_browser_s(browser: webdriver.Chrome, disk: str, held: str) -> None:
    script = """const said = { key: arguments[0], [arguments[1]]: true, bubbles: true, cancelable: true };
      return document.body.dispatchEvent(new KeyboardEvent("keydown", said))"""
    opened(browser, disk + "unit.html#blocks.0:7")
    before = browser.current_url
    assert all(browser.execute_script(script, key, held) for key in "nprvu/?")
    assert not browser.find_elements(By.ID, "keys")
    assert browser.current_url == before


@pytest.mark.parametrize(
    ("variants", "said"),
    [
        (["positive"], "a unit of the network most."),
        (["positive", "negative"], "a unit of the network, most or least."),
        (["positive", "diverse"], "a unit of the network, most or in several ways."),
        (["positive", "negative", "diverse"], "a unit of the network, most or least or in several ways."),
    ],
)
def test_the_contents_say_what_the_pictures_are_of(
    browser: webdriver.Chrome, tmp_path: Path, variants: list[str], said: str
) -> None:
    opened(browser, write_site(tmp_path / "site", SMALL[2:], variants=variants, n_missing=0).as_uri())
    assert text(browser, "about").endswith(said)


def test_the_contents_of_an_atlas_without_pictures_say_so(browser: webdriver.Chrome, tmp_path: Path) -> None:
    opened(browser, write_site(tmp_path / "site", SMALL[2:], n_ok=0).as_uri())
    assert text(browser, "about") == "a small network: 12 units of 1 layer; there is no picture of them."


def test_a_search_never_names_what_another_photograph_drives(browser: webdriver.Chrome, tmp_path: Path) -> None:
    index = write_site(tmp_path / "site")
    opened(browser, index.as_uri())
    press(browser, "/", "head")  # no photograph is called so, whose file would be loaded
    until(browser, lambda b: texts(b, "#found .name") == ["head"])
    file = tmp_path / "site/data/search-0.js"  # the atlas has facts of more photographs now
    file.write_text(file.read_text("utf-8").replace('"of": "ab"', '"of": "cd"'), "utf-8")
    at(browser, "search").send_keys(Keys.CONTROL, "a", Keys.NULL, "snowy")
    until(browser, lambda b: is_shown(b, "problem"))
    assert text(browser, "problem") == "This atlas is another one since the page was opened: load the page again."
    assert not is_shown(browser, "found")


def test_a_missing_file_is_said_and_the_pages_around_it_turn(browser: webdriver.Chrome, tmp_path: Path) -> None:
    index = write_site(tmp_path / "site")
    file = tmp_path / "site/data/blocks.0/units-0.js"
    content = file.read_bytes()
    file.unlink()
    opened(browser, index.with_name("unit.html").as_uri() + "#blocks.0:15")
    assert text(browser, "problem") == "data/blocks.0/units-0.js cannot be read. Is the whole folder there?"
    assert text(browser, "title") == "blocks.0 : 15"
    press(browser, "n")
    titled(browser, "blocks.0 : 16")
    assert not is_shown(browser, "problem")
    file.write_bytes(content)
    press(browser, "p")  # what failed once is asked for again
    until(browser, lambda b: text(b, "title") == "blocks.0 : 15" and b.find_elements(By.CSS_SELECTOR, "#plate img"))
    assert not is_shown(browser, "problem")
    (tmp_path / "site/data/atlas.js").unlink()
    opened(browser, index.as_uri())
    assert text(browser, "problem") == "data/atlas.js cannot be read. Is the whole folder there?"
    assert all("ERR_FILE_NOT_FOUND" in line for line in complaints(browser))


def test_a_damaged_picture_says_so_where_it_would_be(browser: webdriver.Chrome, tmp_path: Path) -> None:
    index = write_site(tmp_path / "site")
    path = tmp_path / "site/data/head/units-0.js"
    content = json.loads(path.read_text(encoding="utf-8").partition(", ")[2][: -len(");")])
    for unit in content:
        for one in unit["pictures"]:
            one["status"], one["src"], one["reason"] = "damaged", "", "The row is damaged: its checksum is another."
    path.write_text(f'phosphene.put("units/head/0", {json.dumps(content)});', encoding="utf-8")
    opened(browser, index.with_name("unit.html").as_uri() + "#head:4")
    assert text(browser, "plate").split("\n")[:2] == ["damaged", "The row is damaged: its checksum is another."]


def test_names_are_shown_as_they_are_and_run_nothing(browser: webdriver.Chrome, tmp_path: Path) -> None:
    nasty = replace(SMALL[2], name=HOSTILE, slug="layer%23;'1", labels=(HOSTILE,) * 12)
    index = write_site(
        tmp_path / "site",
        (SMALL[0], nasty),
        title=HOSTILE,
        activations=[
            {"layer": HOSTILE, "slug": nasty.slug, "href": "javascript:window.hurt=1"},
            {"layer": "kept", "slug": nasty.slug, "href": "activations/a/index.html"},
        ],
    )
    base = index.parent.as_uri() + "/"
    opened(browser, base + "index.html")
    assert text(browser, "title") == browser.title == HOSTILE
    assert texts(browser, ".layer-name")[1] == HOSTILE
    assert texts(browser, "#activations a") == ["kept"]
    browser.find_elements(By.CSS_SELECTOR, ".layer")[1].click()
    titled(browser, HOSTILE)
    assert texts(browser, "#ways a") == ["Activation atlas of this layer"]
    browser.find_elements(By.CSS_SELECTOR, "#grid a")[3].click()
    titled(browser, f"{HOSTILE} {HOSTILE}:3")
    assert texts(browser, ".crumbs li")[1] == HOSTILE
    opened(browser, base + "index.html#?q=" + "onerror")
    assert set(texts(browser, "#results .name")) == {HOSTILE}
    assert browser.execute_script("return window.hurt") is None


def test_a_phone_s_page_is_no_wider_than_the_phone(browser: webdriver.Chrome, tmp_path: Path) -> None:
    long = MadeLayer(
        "features.stage.three.block.twenty.convolution.depthwise", "long", 40, status=((3, DEAD), (4, FAILED))
    )
    base = write_site(tmp_path / "site", (long, SMALL[2])).parent.as_uri() + "/"
    metrics(browser, 360, 740)
    for page in (
        "index.html",
        "index.html#?q=owl",
        "layer.html#long?size=s",
        "layer.html#head?size=l",
        "unit.html#long:6",
    ):
        opened(browser, base + page)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 360, page
        for selector in (".tools button", ".tools select", ".tabs label", ".steps a", "#search", ".command button"):
            found = [one for one in browser.find_elements(By.CSS_SELECTOR, selector) if one.is_displayed()]
            assert all(min(one.rect["width"], one.rect["height"]) >= 24 for one in found), (page, selector)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_can_be_read_in_light_and_in_dark(browser: webdriver.Chrome, disk: str, scheme: str) -> None:
    wish = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", wish)
    try:
        opened(browser, disk + "unit.html#head:3")
        style = "const s = getComputedStyle(document.querySelector(arguments[0])); return [s.color, s.backgroundColor]"
        paper = browser.execute_script(style, "body")[1]
        assert (_luminance(paper) < 0.1) == (scheme == "dark")
        for selector in ("h1", ".lead", ".note", ".value", ".steps a", "figcaption", ".plus .about", ".minus .about"):
            pair = sorted((_luminance(browser.execute_script(style, selector)[0]), _luminance(paper)))
            assert (pair[1] + 0.05) / (pair[0] + 0.05) >= 4.5, selector
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def _luminance(css: str) -> float:
    """Relative luminance, WCAG 2.1."""
    parts = [float(part) / 255 for part in css.removeprefix("rgb(").removesuffix(")").split(",")[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_every_picture_has_words_and_every_control_a_name(browser: webdriver.Chrome, disk: str) -> None:
    nameless = """return [...document.querySelectorAll(`img:not([alt]), [role=img]:not([aria-label]),
      [role=img][aria-label=""], svg:not([aria-label])`)].map(e => e.outerHTML).concat([...document.querySelectorAll('a, button, select')]
      .filter(e => e.checkVisibility() && !e.textContent.trim() && !e.ariaLabel).map(e => e.outerHTML))"""
    for page in ("index.html", "layer.html#blocks.0", "unit.html#blocks.0:7", "index.html#?q=owl"):
        opened(browser, disk + page)
        assert browser.execute_script(nameless) == [], page
    tiles = browser.find_elements(By.CSS_SELECTOR, "#results .tile")
    assert {tile.get_attribute("aria-hidden") for tile in tiles} == {"true"}
