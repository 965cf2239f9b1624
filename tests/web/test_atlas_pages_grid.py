"""The grid of a layer's units in a real browser: orders, filters, keys, places, and a hundred thousand units."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from atlas_rig import COLUMNS, ROWS, SMALL, TILE, MadeLayer, picture, write_site
from atlas_turning import at, fragment, opened, press, text, titled
from browsers import CHROMIUM, DRIVER, complaints, metrics, until, untroubled
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select

MIDDLE, BIG = MadeLayer("middle", "middle", 700), MadeLayer("latents", "latents", 100_000)
#: Elements in the list of units, however many units there are: a cell has six, and some 160 are in sight or near it.
MOST_ELEMENTS = 2_400

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="chromium and chromedriver are not installed"),
]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    index = write_site(tmp_path_factory.mktemp("atlas") / "site", (SMALL[0], MIDDLE, BIG), side=16, parts=1)
    return index.with_name("layer.html").as_uri()


@pytest.fixture(autouse=True)
def no_complaints(browser: webdriver.Chrome) -> Iterator[None]:
    with untroubled(browser):
        yield


def units(browser: webdriver.Chrome) -> list[int]:
    """The units that are there, in the grid's order."""
    return browser.execute_script(
        """return [...document.querySelectorAll('#grid li')].sort((a, b) => a.dataset.index - b.dataset.index)
             .map(item => Number(/:(\\d+)/.exec(item.firstChild.hash)[1]))"""
    )


def on_top(browser: webdriver.Chrome) -> int:
    """The first unit of the first row that is not hidden by what sticks to the window's top."""
    return browser.execute_script(
        """const head = document.getElementById('tools').getBoundingClientRect().bottom;
           const seen = [...document.querySelectorAll('#grid li')].filter(item => item.getBoundingClientRect().top > head);
           seen.sort((a, b) => a.dataset.index - b.dataset.index);
           return Number(/:(\\d+)/.exec(seen[0].firstChild.hash)[1])"""
    )


def here(browser: webdriver.Chrome) -> int:
    """The unit on which the keyboard stands."""
    return int((browser.switch_to.active_element.get_attribute("href") or "").rpartition(":")[2].partition("?")[0])


def choose(browser: webdriver.Chrome, name: str, value: str) -> None:
    Select(browser.find_element(By.ID, name)).select_by_value(value)


def ranked(layer: MadeLayer, key: Callable[[int], float]) -> list[int]:
    drawn = [unit for unit in layer.units if layer.code(unit) == 0]
    return sorted(drawn, key=key) + [unit for unit in layer.units if layer.code(unit)]


def test_units_stand_in_the_order_that_is_chosen_and_those_without_a_number_last(
    browser: webdriver.Chrome, address: str
) -> None:
    layer = SMALL[0]
    opened(browser, f"{address}#blocks.0")
    assert units(browser) == list(layer.units)
    choose(browser, "sort", "score")
    assert units(browser) == ranked(layer, lambda unit: -layer.score(unit))
    assert fragment(browser) == "blocks.0?sort=score"
    assert at(browser, "order").accessible_name == "falling; turn round"
    at(browser, "order").click()
    assert at(browser, "order").accessible_name == "rising; turn round"
    assert units(browser) == ranked(layer, layer.score)
    assert fragment(browser) == "blocks.0?sort=score&order=up"
    browser.back()
    until(browser, lambda b: units(b) == ranked(layer, lambda unit: -layer.score(unit)))
    browser.back()
    until(browser, lambda b: units(b) == list(layer.units))
    for sort in ("robust", "percentile", "multiple"):
        opened(browser, f"{address}#blocks.0?sort={sort}&order=up")
        assert units(browser) == ranked(layer, layer.score)
    opened(browser, f"{address}#middle?sort=nonsense&status=no&size=x&variant=y&at=z")
    assert units(browser)[:3] == [0, 1, 2]


def test_units_that_look_alike_stand_side_by_side(browser: webdriver.Chrome, address: str) -> None:
    opened(browser, f"{address}#blocks.0?sort=similarity")
    assert units(browser) == sorted(SMALL[0].units, key=lambda unit: 7 * unit % 24)


def test_with_the_least_shown_an_order_that_it_does_not_have_is_that_of_the_numbers(
    browser: webdriver.Chrome, address: str
) -> None:
    layer = SMALL[0]
    opened(browser, f"{address}#blocks.0?sort=percentile&order=up")
    browser.find_element(By.CSS_SELECTOR, 'input[name="variant"][value="negative"]').click()
    until(browser, lambda b: fragment(b) == "blocks.0?variant=negative")
    assert units(browser) == list(layer.units)
    assert [option.text for option in Select(at(browser, "sort")).options] == ["number", "score"]
    choose(browser, "sort", "score")
    assert units(browser) == ranked(layer, layer.score)
    browser.execute_script("document.querySelector('#grid a[href*=\"blocks.0:12?\"]').click()")
    titled(browser, "blocks.0 : 12")
    press(browser, "n")
    above = [unit for unit in ranked(layer, layer.score) if layer.score(unit) > layer.score(12)]
    titled(browser, f"blocks.0 : {above[0]}")
    browser.execute_script("location.hash = '#blocks.0:12?sort=score'")
    below = [unit for unit in ranked(layer, lambda unit: -layer.score(unit)) if layer.score(unit) < layer.score(12)]
    until(browser, lambda b: at(b, "next").get_attribute("title") == f"blocks.0:{below[0]} by score")
    browser.execute_script("location.hash = '#blocks.0:12?sort=score&variant=negative'")
    until(browser, lambda b: at(b, "next").get_attribute("title") == f"blocks.0:{above[0]} by score")
    press(browser, "u")
    titled(browser, "blocks.0")
    until(browser, lambda b: "variant=negative" in fragment(b))


def test_units_of_one_kind_are_shown_alone(browser: webdriver.Chrome, address: str) -> None:
    opened(browser, f"{address}#blocks.0")
    found = Select(at(browser, "status")).options
    assert [option.text for option in found] == ["all", "drawn", "dead", "failed", "not drawn yet"]
    choose(browser, "status", "failed")
    assert units(browser) == [5]
    assert text(browser, "shown") == "1 of 24"
    assert fragment(browser) == "blocks.0?status=failed"
    opened(browser, f"{address}#blocks.0?status=not_finite")
    assert text(browser, "empty") == "No unit of this layer is so."
    opened(browser, f"{address}#blocks.0?sort=score&status=dead")
    press(browser, "n")  # another layer may have none that is so
    until(browser, lambda b: fragment(b) == "middle?sort=score")


def test_a_cell_shows_its_own_part_of_the_sheet(browser: webdriver.Chrome, address: str) -> None:
    unit = COLUMNS * ROWS + 3 * COLUMNS + 5  # in the second sheet, neither first nor last in row or column
    for variant in ("positive", "negative"):
        opened(browser, f"{address}#middle?size=l&variant={variant}&at={unit}")
        cell = browser.find_element(By.CSS_SELECTOR, f'#grid a[href*="middle:{unit}"] .tile')
        until(browser, lambda _, cell=cell: "url(" in cell.value_of_css_property("background-image"))
        until(browser, lambda _, cell=cell, which=variant: error(cell.screenshot_as_png, unit, which) < 14)
        assert error(cell.screenshot_as_png, unit + 1, variant) > 25
        assert error(cell.screenshot_as_png, unit + COLUMNS, variant) > 25


def error(png: bytes, unit: int, variant: str) -> float:
    """Mean distance of a screenshot's middle from a unit's picture."""
    shown = np.asarray(Image.open(io.BytesIO(png)).convert("RGB").resize((TILE, TILE)), float)[4:-4, 4:-4]
    return float(np.abs(shown - picture(unit, TILE, variant)[4:-4, 4:-4]).mean())


def test_the_keyboard_walks_over_the_grid(browser: webdriver.Chrome, address: str) -> None:
    opened(browser, f"{address}#middle")
    press(browser, Keys.ARROW_RIGHT)
    assert here(browser) == 0
    tops = [item.rect["y"] for item in browser.find_elements(By.CSS_SELECTOR, "#grid li")]
    columns = tops.count(min(tops))
    press(browser, Keys.ARROW_RIGHT, Keys.ARROW_DOWN)
    assert here(browser) == 1 + columns
    press(browser, Keys.ARROW_UP, Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    assert here(browser) == 0  # at the edge it stays
    press(browser, Keys.END)
    assert here(browser) == 699
    press(browser, Keys.PAGE_UP)
    assert 0 < here(browser) < 699
    press(browser, Keys.HOME, Keys.ARROW_RIGHT, Keys.ENTER)
    until(browser, lambda b: b.title.startswith("middle:1 "))
    opened(browser, f"{address}#middle")
    press(browser, "+")
    until(browser, lambda b: fragment(b) == "middle?size=l")
    press(browser, "p")
    titled(browser, "blocks.0")


def test_the_keyboard_keeps_its_place_while_the_page_is_scrolled_otherwise(
    browser: webdriver.Chrome, address: str
) -> None:
    opened(browser, f"{address}#middle")
    press(browser, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    browser.execute_script("scrollTo(0, 4000)")
    until(browser, lambda b: 2 not in units(b))
    assert here(browser) == 1
    press(browser, Keys.ARROW_RIGHT)
    assert here(browser) == 2
    assert browser.switch_to.active_element.rect["y"] > browser.execute_script("return scrollY")


def test_coming_back_one_finds_the_place_where_one_was(browser: webdriver.Chrome, address: str) -> None:
    opened(browser, f"{address}#middle?sort=score")
    browser.execute_script("scrollTo(0, 3000)")
    until(browser, lambda b: "at=" in fragment(b))
    top = int(fragment(browser).removeprefix("middle?sort=score&at="))
    browser.execute_script("document.querySelector(`#grid a[href*='middle:" + str(top) + "?']`).click()")
    until(browser, lambda b: b.title.startswith(f"middle:{top} "))
    browser.back()
    until(browser, lambda b: b.title.startswith("middle –") and b.find_elements(By.CSS_SELECTOR, "#grid li"))
    assert on_top(browser) == top
    opened(browser, f"{address}#middle?at=345")
    row = browser.execute_script("return document.querySelector(`a[href$='middle:345']`).getBoundingClientRect().top")
    assert 0 < row < 200


def test_of_the_sheets_six_are_asked_for_at_once_the_nearest_first_and_none_that_was_passed_by(
    browser: webdriver.Chrome, address: str
) -> None:
    opened(browser, f"{address}#middle")
    asked, shown = browser.execute_script(
        """const asked = [], shown = [];
           class Image { set src(file) { this.file = file; asked.push(file); }
             get naturalWidth() { return 4000; } get naturalHeight() { return 4000; } }
           const waiting = [], own = window.Image;
           window.Image = class extends Image { constructor() { super(); waiting.push(this); } };
           const sheets = phosphene.sheets.build(file => shown.push([file, sheets.isReady(file)]));
           const files = [...'abcdefghij'];
           sheets.want(files);
           sheets.want(['x', 'a']);
           waiting[0].onload();
           waiting[1].onerror();
           waiting.slice(2).forEach(image => image.onload());
           sheets.want(['b', 'x', 'a']);
           window.Image = own;
           return [asked, shown];"""
    )
    # Eight of 16 million pixels are more than are kept: the oldest, a, is read again; b cannot be, and is not.
    assert asked == [*"abcdef", "x", "a"]
    assert shown == [["a", True], ["b", False], *([file, True] for file in "cdefx")]


def test_another_order_begins_at_its_beginning(browser: webdriver.Chrome, address: str) -> None:
    opened(browser, f"{address}#middle?at=345")
    choose(browser, "sort", "score")
    assert on_top(browser) == ranked(MIDDLE, lambda unit: -MIDDLE.score(unit))[0]


def test_the_arrows_of_a_choice_are_its_own(browser: webdriver.Chrome, address: str) -> None:
    opened(browser, f"{address}#middle")
    browser.find_element(By.CSS_SELECTOR, 'input[name="size"][value="m"]').send_keys(Keys.ARROW_RIGHT)
    until(browser, lambda b: fragment(b) == "middle?size=l")
    assert browser.switch_to.active_element.get_attribute("value") == "l"


def test_a_hundred_thousand_units_scroll_with_few_elements(
    browser: webdriver.Chrome, address: str, record_property: Callable[[str, object], None]
) -> None:
    opened(browser, f"{address}#latents?size=s")
    browser.set_script_timeout(60)
    frames = browser.execute_async_script(
        """const done = arguments[0], times = [], grid = document.getElementById('grid');
           let most = 0, gaps = 0, before = performance.now(), step = 0;
           const covered = () => {  // by cells, down to the bottom of the window
             const boxes = [...grid.children].map(item => item.getBoundingClientRect());
             const last = Math.max(...boxes.map(box => box.bottom)), first = Math.min(...boxes.map(box => box.top));
             return last >= innerHeight && (first <= 0 || scrollY < 400);
           };
           const frame = (now) => {
             times.push(now - before);
             before = now;
             if (step > 1 && !covered()) gaps++;
             most = Math.max(most, grid.querySelectorAll('*').length);
             if (++step > 80) return done({ times, most, gaps, scrolled: scrollY });
             scrollBy(0, step < 20 ? 40 : 3000);
             requestAnimationFrame(() => requestAnimationFrame(frame));
           };
           requestAnimationFrame(frame);"""
    )
    record_property("frame_ms", sorted(frames["times"])[len(frames["times"]) // 2])
    assert frames["scrolled"] > 150_000
    assert frames["most"] < MOST_ELEMENTS
    assert frames["gaps"] == 0
    sheets = browser.execute_script(
        "return new Set([...document.querySelectorAll('#grid .tile')].map(e => e.style.backgroundImage)).size"
    )
    assert sheets <= 7  # what is in sight, not what was passed by


def test_the_last_of_a_hundred_thousand_is_a_key_away_and_linked(browser: webdriver.Chrome, address: str) -> None:
    opened(browser, f"{address}#latents?sort=score&order=up")
    order = sorted(BIG.units, key=lambda unit: (BIG.score(unit), unit))
    assert units(browser)[:5] == order[:5]
    press(browser, Keys.ARROW_RIGHT, Keys.END)
    assert here(browser) == order[-1]
    assert units(browser)[-3:] == order[-3:]
    opened(browser, f"{address}#latents?at=77777")
    assert 77777 in units(browser)
    assert browser.execute_script("return document.querySelectorAll('#grid *').length") < MOST_ELEMENTS
    item = browser.find_element(By.CSS_SELECTOR, '#grid a[href$="latents:77777"]').find_element(By.XPATH, "..")
    assert (item.get_attribute("aria-posinset"), item.get_attribute("aria-setsize")) == ("77778", "100000")


def test_a_window_of_another_width_keeps_what_is_on_top(browser: webdriver.Chrome, address: str) -> None:
    opened(browser, f"{address}#middle?at=300")
    top = on_top(browser)
    metrics(browser, 700, 800)
    until(browser, lambda b: b.find_element(By.ID, "grid").rect["width"] < 700)
    assert abs(on_top(browser) - top) <= 10
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 700


def test_a_sheet_that_is_not_there_leaves_its_cells_hatched(browser: webdriver.Chrome, tmp_path: Path) -> None:
    index = write_site(tmp_path / "site", (SMALL[0],), side=16)
    (tmp_path / "site/sheets/blocks.0/positive-0.webp").unlink()
    opened(browser, index.with_name("layer.html").as_uri() + "#blocks.0")
    until(browser, lambda b: len(b.find_elements(By.CSS_SELECTOR, "#grid .none")) == 24)
    assert ["positive-0.webp" in line for line in complaints(browser)] == [True]
