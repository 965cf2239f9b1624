"""The page that shows two atlases side by side, in a real browser, from disk."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from atlas_fixtures import LABELS, NASTY, Shape, made_up_manifest, make_atlas
from browsers import CHROMIUM, DRIVER, complaints, metrics, until, untroubled
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.select import Select

from phosphene.store.atlas.alignment import AlignedUnit, AlignmentTable
from phosphene.store.atlas.manifest import Manifest
from phosphene.store.atlas.records import Picture
from phosphene.web.atlas_export import export_site
from phosphene.web.atlas_site import Site

N_CLASSES = len(LABELS) + len(NASTY)
RIGHT = "second <b>net</b>"
#: Units of features.3 on the left, with their partner on the right and the correlation; 4 has none.
PARTNERS = {unit: ("features.6", (7 * unit) % 25, round(math.cos(unit), 3)) for unit in range(20) if unit != 4}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="chromium and chromedriver are not installed"),
]


def left_manifest() -> Manifest:
    shapes = (
        Shape("features.3", 20),
        Shape("features.6", 30, ((0, 10), (20, 30))),
        Shape("only.here", 4),
        Shape("classifier", N_CLASSES, None, True),
    )
    return made_up_manifest(shapes, name="first net", diversity=0)


def right_manifest() -> Manifest:
    shapes = (Shape("features.3", 20), Shape("features.6", 30, ((0, 25),)), Shape("classifier", N_CLASSES, None, True))
    return made_up_manifest(shapes, name=RIGHT, diversity=0)


def scored_otherwise(row: Picture) -> Picture:
    """No order of these scores is one of the first atlas's, or of the differences."""
    return row if row.score is None else replace(row, score=round(10 - 0.7 * row.score + row.unit % 3, 4))


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("compared")
    left, right = left_manifest(), right_manifest()
    units = tuple(AlignedUnit("features.3", unit, *partner) for unit, partner in PARTNERS.items())
    table = AlignmentTable(
        left.network.digest, right.network.digest, left.network.name, RIGHT, "photographs", 100, units
    )
    here = make_atlas(folder / "a", left, compacted=False)
    there = make_atlas(folder / "b", right, compacted=False, change=scored_otherwise)
    site = Site(here, compare=there, alignment=table, title="First")
    return export_site(site, folder / "site").with_name("compare.html").as_uri()


@pytest.fixture(autouse=True)
def no_complaints(browser: webdriver.Chrome) -> Iterator[None]:
    with untroubled(browser):
        yield


def opened(browser: webdriver.Chrome, address: str, where: str = "") -> webdriver.Chrome:
    browser.get("about:blank")  # else another fragment is no new load
    browser.get(address + where)
    until(browser, lambda b: at(b, "title").text or at(b, "problem").text)
    return browser


def at(browser: webdriver.Chrome, name: str) -> WebElement:
    return browser.find_element(By.ID, name)


def fragment(browser: webdriver.Chrome) -> str:
    return browser.current_url.partition("#")[2]


def texts(browser: webdriver.Chrome, selector: str) -> list[str]:
    found = browser.execute_script(
        "return [...document.querySelectorAll(arguments[0])].map(e => e.textContent)", selector
    )
    return [" ".join(text.split()) for text in found]


def titles(browser: webdriver.Chrome) -> list[str]:
    return browser.execute_script("return [...document.querySelectorAll('#pairs a')].map(e => e.title)")


def choose(browser: webdriver.Chrome, name: str, value: str) -> None:
    browser.find_element(By.CSS_SELECTOR, f'input[name="{name}"][value="{value}"]').click()


def partnered(unit: int) -> str:
    layer, other, r = PARTNERS[unit]
    return f"features.3:{unit} and {layer}:{other}, r {r:.2f}".replace("-", "−")


def test_units_of_the_same_number_stand_side_by_side(browser: webdriver.Chrome, address: str) -> None:
    opened(browser, address)
    assert browser.title == f"features.3 – First and {RIGHT}"
    assert titles(browser) == [f"features.3:{unit} and features.3:{unit}" for unit in range(20)]
    tiles = browser.find_elements(By.CSS_SELECTOR, "#pairs li:first-child .tile")
    until(browser, lambda _: all("webp" in tile.value_of_css_property("background-image") for tile in tiles))
    files = [tile.value_of_css_property("background-image").split("/site/")[1] for tile in tiles]
    assert files == ['data/features.3/positive-0.webp")', 'other/features.3/positive-0.webp")']
    assert texts(browser, "#pairs li:nth-child(6) .tile.none") == ["", ""]
    words = browser.find_elements(By.CSS_SELECTOR, "#pairs li:nth-child(6) .tile")
    assert [word.get_attribute("data-word") for word in words] == ["dead", "dead"]


def test_units_that_one_atlas_does_not_have_are_shown_as_such(browser: webdriver.Chrome, address: str) -> None:
    opened(browser, address, "#features.6")
    found = titles(browser)
    assert found[9:11] == ["features.6:9 and features.6:9", "features.6:20 and features.6:20"]
    assert found[-1] == "features.6:29 and nothing"
    opened(browser, address, "#features.6:29")
    until(browser, lambda b: at(b, "pair").is_displayed())
    assert at(browser, "side-b").text == "This atlas has no such unit."


def test_units_are_paired_by_their_answers_and_sorted_by_correlation(browser: webdriver.Chrome, address: str) -> None:
    opened(browser, address)
    choose(browser, "by", "answers")
    until(browser, lambda b: fragment(b) == "features.3?by=answers")
    until(browser, lambda b: titles(b) == [partnered(unit) for unit in PARTNERS])
    assert at(browser, "shown").text == "19 of 20"
    assert texts(browser, "#pairs .caption")[1] == "1features.6:7"
    Select(at(browser, "sort")).select_by_visible_text("correlation")
    by_r = sorted(PARTNERS, key=lambda unit: -PARTNERS[unit][2])
    until(browser, lambda b: titles(b) == [partnered(unit) for unit in by_r])
    assert fragment(browser) == "features.3?by=answers&sort=r"
    at(browser, "order").click()
    until(browser, lambda b: titles(b) == [partnered(unit) for unit in reversed(by_r)])
    browser.back()
    until(browser, lambda b: titles(b) == [partnered(unit) for unit in by_r])


def test_pairs_are_sorted_by_either_score_and_by_their_difference(browser: webdriver.Chrome, address: str) -> None:
    script = """
      const key = arguments[0] + "layer/features.3", file = arguments[1] + "/features.3/layer.js";
      phosphene.load(key, file).then((found) => arguments[2](found.score));"""
    opened(browser, address)
    here, there = (browser.execute_async_script(script, *pair) for pair in (("", "data"), ("other/", "other")))
    known = [unit for unit in range(20) if here[unit] is not None]
    orders = {
        "here": sorted(known, key=lambda unit: (-here[unit], unit)),
        "there": sorted(known, key=lambda unit: (-there[unit], unit)),
        "gain": sorted(known, key=lambda unit: (here[unit] - there[unit], unit)),
    }
    assert len({tuple(order) for order in orders.values()}) == len(orders)
    for sort, order in orders.items():
        opened(browser, address, f"#features.3?sort={sort}")
        found = [int(title.split(" and ")[0].split(":")[1]) for title in titles(browser)]
        assert found[: len(known)] == order
        assert sorted(found) == list(range(20))


def test_a_pair_opens_large_by_a_click_and_closes_by_escape(browser: webdriver.Chrome, address: str) -> None:
    opened(browser, address, "#features.3?by=answers")
    browser.find_element(By.CSS_SELECTOR, "#pairs li:nth-child(3) a").click()
    until(browser, lambda b: fragment(b) == "features.3:2?by=answers" and at(b, "pair").is_displayed())
    assert at(browser, "pair-title").text == "features.3:2 and features.6:14"
    assert at(browser, "pair-about").text == "Their answers to the same photographs correlate with r −0.416."
    until(browser, lambda b: len(b.find_elements(By.CSS_SELECTOR, "#pair figure img")) == 2)
    images = browser.find_elements(By.CSS_SELECTOR, "#pair figure img")
    assert [image.get_attribute("alt") for image in images] == ["features.3:2 of First", f"features.6:14 of {RIGHT}"]
    assert images[0].size["height"] == images[0].size["width"] > 300
    link = browser.find_element(By.CSS_SELECTOR, "#side-a a")
    assert link.get_attribute("href") == address.replace("compare.html", "unit.html#features.3:2")
    assert not browser.find_elements(By.CSS_SELECTOR, "#side-b a")
    at(browser, "pair").send_keys(Keys.ESCAPE)
    until(browser, lambda b: fragment(b) == "features.3?by=answers" and not at(b, "pair").is_displayed())
    until(browser, lambda b: b.switch_to.active_element.get_attribute("title") == partnered(2))


def test_keys_go_from_pair_to_pair_and_from_layer_to_layer(browser: webdriver.Chrome, address: str) -> None:
    opened(browser, address, "#features.3:3?by=answers&sort=r")
    by_r = sorted(PARTNERS, key=lambda unit: -PARTNERS[unit][2])
    place = by_r.index(3)
    until(browser, lambda b: at(b, "pair").is_displayed())
    at(browser, "pair").send_keys(Keys.ARROW_LEFT)
    until(browser, lambda b: fragment(b).startswith(f"features.3:{by_r[place - 1]}?"))
    at(browser, "pair").send_keys("p")
    until(browser, lambda b: fragment(b).startswith(f"features.3:{by_r[place - 2]}?"))
    at(browser, "pair").send_keys("n")
    until(browser, lambda b: fragment(b).startswith(f"features.3:{by_r[place - 1]}?"))
    at(browser, "pair").send_keys(Keys.ESCAPE)
    until(browser, lambda b: not at(b, "pair").is_displayed())
    until(browser, lambda b: b.switch_to.active_element.get_attribute("title"))
    browser.switch_to.active_element.send_keys(Keys.HOME)
    browser.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
    assert browser.switch_to.active_element.get_attribute("title") == partnered(by_r[1])
    browser.switch_to.active_element.send_keys(Keys.ENTER)
    until(browser, lambda b: fragment(b).startswith(f"features.3:{by_r[1]}?") and at(b, "pair").is_displayed())
    at(browser, "pair").send_keys(Keys.ESCAPE)
    until(browser, lambda b: not at(b, "pair").is_displayed())
    browser.find_element(By.TAG_NAME, "body").send_keys("n")
    until(browser, lambda b: at(b, "title").text == "features.6")


def test_end_is_the_last_pair_and_home_the_first(browser: webdriver.Chrome, address: str) -> None:
    opened(browser, address)
    browser.find_element(By.CSS_SELECTOR, '#pairs a[tabindex="0"]').send_keys(Keys.END)
    assert browser.switch_to.active_element.get_attribute("title") == "features.3:19 and features.3:19"
    browser.switch_to.active_element.send_keys(Keys.HOME)
    assert browser.switch_to.active_element.get_attribute("title") == "features.3:0 and features.3:0"


@pytest.mark.parametrize("variant", ["positive", "negative"])
def test_a_pair_shows_large_what_the_list_shows_small(browser: webdriver.Chrome, address: str, variant: str) -> None:
    script = """
      phosphene.load("units/features.3/0", "data/features.3/units-0.js").then((units) => arguments[1](
        units[2].pictures.find((picture) => picture.variant === arguments[0]).src));"""
    opened(browser, address, f"#features.3:2?variant={variant}")
    until(browser, lambda b: len(b.find_elements(By.CSS_SELECTOR, "#pair figure img")) == 2)
    shown = browser.find_element(By.CSS_SELECTOR, "#side-a img").get_attribute("src")
    assert shown == browser.execute_async_script(script, variant)


def test_a_pair_shows_no_unit_of_another_number(browser: webdriver.Chrome, address: str) -> None:
    script = """
      phosphene.load("units/features.3/0", "data/features.3/units-0.js").then((units) => {
        units.push(units.shift());
        location.hash = "#features.3:2";
        arguments[0]();
      });"""
    opened(browser, address)
    browser.execute_async_script(script)  # as the file of a new export would be
    until(browser, lambda b: b.find_elements(By.CSS_SELECTOR, "#side-b img"))
    assert not browser.find_elements(By.CSS_SELECTOR, "#side-a img")
    assert browser.find_elements(By.CSS_SELECTOR, "#side-a .tile")


def test_the_head_leads_to_the_comparison_but_not_from_itself(browser: webdriver.Chrome, address: str) -> None:
    opened(browser, address)
    assert texts(browser, "#head nav a") == ["First", "features.3"]
    opened(browser, address.replace("compare.html", "layer.html"))
    assert texts(browser, "#head nav a") == ["First", f"compared with {RIGHT}"]


def test_the_least_is_shown_where_both_have_it(browser: webdriver.Chrome, address: str) -> None:
    opened(browser, address, "#features.3?variant=negative&size=l")
    choose(browser, "size", "m")
    until(browser, lambda b: fragment(b) == "features.3?variant=negative")
    choose(browser, "size", "l")
    until(browser, lambda b: fragment(b) == "features.3?variant=negative&size=l")
    tile = browser.find_element(By.CSS_SELECTOR, "#pairs .tile")
    until(browser, lambda _: "data/features.3/negative-0.webp" in tile.value_of_css_property("background-image"))
    assert tile.size["width"] >= 176
    checked = browser.find_elements(By.CSS_SELECTOR, "input:checked")
    assert [one.get_attribute("value") for one in checked] == ["unit", "negative", "l"]


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("#nope", "There is no layer “nope” here. This is features.3."),
        ("#features.6:15", "There is no unit 15 here. This is features.6."),
        ("#features.3:4?by=answers", f"features.3:4 has no partner in {RIGHT}."),
        (
            "#classifier?by=answers",
            "Units of classifier cannot be paired by answers: no answers of the two were compared.",
        ),
        ("#features.3?by=magic&sort=%FF&size=9", ""),
    ],
)
def test_what_an_address_asks_for_and_is_not_there_is_said(
    browser: webdriver.Chrome, address: str, where: str, said: str
) -> None:
    opened(browser, address, where)
    assert at(browser, "missing").text == said
    assert not at(browser, "pair").is_displayed()
    assert titles(browser)


def test_a_layer_without_counterpart_says_so(browser: webdriver.Chrome, address: str) -> None:
    opened(browser, address, "#only.here")
    assert at(browser, "empty").text.startswith(
        f"{RIGHT} has no layer of this name and number of units, and no answers"
    )
    assert not titles(browser)
    Select(at(browser, "layer")).select_by_visible_text("classifier")
    until(browser, lambda b: len(titles(b)) == N_CLASSES)


def test_hostile_labels_stay_texts(browser: webdriver.Chrome, address: str) -> None:
    opened(browser, address, "#classifier:6")
    until(browser, lambda b: at(b, "pair").is_displayed())
    assert NASTY[0] in at(browser, "side-a").text
    assert NASTY[0] in texts(browser, "#pairs .caption span")
    assert not browser.find_elements(By.CSS_SELECTOR, "main b, main img[src='x'], main script")


def test_a_phone_shows_pairs_across_its_width(browser: webdriver.Chrome, address: str) -> None:
    metrics(browser, 360, 740)
    opened(browser, address, "#features.3?size=l")
    assert browser.execute_script("return document.documentElement.scrollWidth") == 360
    pair = browser.find_element(By.CSS_SELECTOR, "#pairs li")
    assert pair.size["width"] > 300
    for selector in ("#tools select", "#tools button", "#tools .tabs label"):
        boxes = [one.rect for one in browser.find_elements(By.CSS_SELECTOR, selector) if one.is_displayed()]
        assert min(min(box["width"], box["height"]) for box in boxes) >= 24, selector
    pair.click()
    until(browser, lambda b: at(b, "pair").is_displayed())
    assert at(browser, "pair").size["width"] <= 360
    assert browser.execute_script("return document.documentElement.scrollWidth") == 360


def test_a_control_that_begins_a_line_does_not_stand_out(browser: webdriver.Chrome, address: str) -> None:
    metrics(browser, 360, 740)
    opened(browser, address)
    browser.execute_script("document.getElementById('tools').style.width = '240px'")
    order, tools, sort = (at(browser, name).rect for name in ("order", "tools", "sort"))
    assert order["y"] >= sort["y"] + sort["height"]
    assert order["x"] >= tools["x"]


def test_a_file_that_is_missing_is_said_until_another_layer_is_shown(
    browser: webdriver.Chrome, address: str, tmp_path: Path
) -> None:
    site = shutil.copytree(Path(address.removeprefix("file://")).parent, tmp_path / "site")
    (site / "other/features.3/layer.js").unlink()
    browser.get((site / "compare.html").as_uri())
    until(browser, lambda b: at(b, "problem").text.startswith("other/features.3/layer.js cannot be read."))
    assert "First" in at(browser, "head").text
    browser.execute_script("location.hash = '#classifier'")
    until(browser, lambda b: len(titles(b)) == N_CLASSES)
    assert not at(browser, "problem").is_displayed()
    assert len(complaints(browser)) == 1  # the browser's own


def test_a_site_of_one_atlas_has_no_such_page(tmp_path: Path) -> None:
    atlas = make_atlas(tmp_path / "a", made_up_manifest((Shape("features.3", 4),), diversity=0))
    assert not any("compare.html" in path for path in Site(atlas).files())


def test_a_hundred_thousand_pairs_scroll_with_a_few_in_the_page(
    browser: webdriver.Chrome, address: str, tmp_path: Path
) -> None:
    n = 100_000
    layer: dict[str, Any] = {
        "name": "sae", "slug": "sae", "type": "Linear", "shape": [n], "n_channels": n, "n_units": n, "chunk": 32,
        "counts": {"ok": n}, "ranges": [[0, n]], "sprites": {}, "mosaic": None, "label_layer": False,
    }  # fmt: skip
    about = {"title": "Large", "layers": [layer], "activations": [], "variants": ["positive"]}
    numbers = {"slug": "sae", "unit": list(range(n)), "label": None, "status": [0] * n, "percentile": None}
    numbers["score"] = [math.sin(unit) for unit in range(n)]
    search = {"layers": ["sae"], "labels": [], "photographs": [], "chunk": 100}
    partners = {"by_unit": {"slug_b": "sae"}, "aligned": None}
    documents = {
        "data/atlas.js": ("atlas", {**about, "compare": {**about, "title": "Other", "compare": None}}),
        "data/search.js": ("search", search),
        "data/sae/layer.js": ("layer/sae", numbers),
        "other/sae/layer.js": ("other/layer/sae", numbers),
        "compare/sae.js": ("compare/sae", partners),
    }
    for name, (key, document) in documents.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"phosphene.put({json.dumps(key)}, {json.dumps(document)});")
    site = Path(address.removeprefix("file://")).parent
    (tmp_path / "page").symlink_to(site / "page")
    (tmp_path / "compare.html").write_bytes((site / "compare.html").read_bytes())
    opened(browser, (tmp_path / "compare.html").as_uri(), "#sae?sort=here")
    best = sorted(range(n), key=lambda unit: (-math.sin(unit), unit))
    assert titles(browser)[0].startswith(f"sae:{best[0]} and sae:{best[0]}")
    browser.execute_script("scrollTo(0, document.documentElement.scrollHeight)")
    until(browser, lambda b: any(title.startswith(f"sae:{best[-1]} and") for title in titles(b)))
    assert len(titles(browser)) < 150
