"""The page of an activation atlas in a real browser, from disk."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from atlas_fixtures import Shape, made_up_manifest, make_atlas
from browsers import CHROMIUM, DRIVER, asked, complaints, metrics, scheme, until, untroubled
from PIL import Image
from selenium import webdriver
from selenium.webdriver import ActionChains
from selenium.webdriver.common.action_chains import ScrollOrigin
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.select import Select

sys.path.insert(0, str(Path(__file__).parents[1] / "atlas" / "activations"))

from made_up import LABELS, made_up_atlas

from phosphene.store.atlas.activation_files import save_activation_atlas
from phosphene.store.atlas.activation_map import ActivationAtlas, ActivationCell
from phosphene.web.activations_page import write_activation_page
from phosphene.web.atlas_export import export_site
from phosphene.web.atlas_site import Site

HOSTILE = "</script><img src=x onerror=window.hurt=1>\"'&"
GRIDS = (4, 8, 16)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="chromium and chromedriver are not installed"),
]


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("one")
    return write_activation_page(made_up_atlas(1, GRIDS), folder, home="../index.html").as_uri()


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_activation_page(made_up_atlas(2, GRIDS), tmp_path_factory.mktemp("two")).as_uri()


@pytest.fixture(autouse=True)
def no_complaints(browser: webdriver.Chrome) -> Iterator[None]:
    with untroubled(browser):
        yield


def opened(browser: webdriver.Chrome, address: str, where: str = "") -> webdriver.Chrome:
    browser.get("about:blank")  # else another fragment is no new load
    browser.get(address + where)
    settled(browser)
    return browser


def settled(browser: webdriver.Chrome) -> None:
    """Until every map is painted and no picture is awaited."""
    until(browser, lambda b: all(stage.get_attribute("data-awaited") == "0" for stage in stages(b)) and stages(b))


def stages(browser: webdriver.Chrome) -> list[WebElement]:
    return browser.find_elements(By.CSS_SELECTOR, ".stage")


def at(browser: webdriver.Chrome, name: str) -> WebElement:
    return browser.find_element(By.ID, name)


def texts(browser: webdriver.Chrome, selector: str) -> list[str]:
    return [element.text for element in browser.find_elements(By.CSS_SELECTOR, selector)]


def fragment(browser: webdriver.Chrome) -> str:
    return browser.current_url.partition("#")[2]


def grid(browser: webdriver.Chrome) -> list[int]:
    return [int(stage.get_attribute("data-grid") or 0) for stage in stages(browser)]


def choose(browser: webdriver.Chrome, name: str, option: str) -> None:
    browser.find_element(By.XPATH, f'//fieldset[@id="{name}"]//label[span="{option}"]/input').click()
    settled(browser)


def keys(browser: webdriver.Chrome, *pressed: str, number: int = 0) -> None:
    browser.find_elements(By.CSS_SELECTOR, ".surface")[number].send_keys(*pressed)


def cell_of(atlas: ActivationAtlas, size: int, row: int, column: int, number: int = 0) -> ActivationCell:
    (found,) = (one for one in atlas.maps[number].grids if one.size == size)
    return next(cell for cell in found.cells if (cell.row, cell.column) == (row, column))


def move_to(browser: webdriver.Chrome, place: Sequence[float], number: int = 0, *, click: bool = False) -> ActionChains:
    """Point at a place of the map: shares of its side, from the left and from the top."""
    stage = stages(browser)[number]
    x, y = (round((share - 0.5) * side) for share, side in zip(place, (stage.size["width"],) * 2, strict=True))
    actions = ActionChains(browser, duration=10).move_to_element_with_offset(stage, x, y)
    (actions.click() if click else actions).perform()
    return actions


def color(browser: webdriver.Chrome, place: Sequence[float], number: int = 0) -> np.ndarray:
    """The map's colour at a place, as it is seen."""
    image = Image.open(io.BytesIO(stages(browser)[number].screenshot_as_png)).convert("RGB")
    return np.array(image.getpixel((int(place[0] * image.width), int(place[1] * image.height)))).astype(int)


def touch(browser: webdriver.Chrome, kind: str, *points: tuple[float, float]) -> None:
    """Fingers on the first map, at shares of its side."""
    box = stages(browser)[0].rect
    top = box["y"] - browser.execute_script("return scrollY")
    found = [
        {"x": box["x"] + x * box["width"], "y": top + y * box["height"], "id": i} for i, (x, y) in enumerate(points)
    ]
    browser.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": found})


def test_it_opens_from_disk_with_every_cell_where_it_belongs_and_asks_nobody(
    browser: webdriver.Chrome, one: str
) -> None:
    opened(browser, one, "#/0.5,0.5,1?grid=4&counts=nothing")
    assert grid(browser) == [4]
    for row, column in ((1, 0), (1, 2), (2, 1), (3, 2)):
        place = ((column + 0.12) / 4, (row + 0.12) / 4)  # beside the dark square in the middle of each picture
        expected = (255 * (column + 0.5) / 4, 255 * (row + 0.5) / 4, 90)
        assert np.abs(color(browser, place) - expected).max() < 16
    folder = one.removesuffix("index.html")
    loaded = asked(browser)
    assert any(name.endswith("/map-0-grid-4/0-0.webp") for name in loaded)
    assert all(name.startswith((folder, "data:", "about:blank")) for name in loaded)
    assert browser.title == "blocks.8 of made_up_0"
    assert at(browser, "home").get_attribute("href") == folder.rstrip("/").rpartition("/")[0] + "/index.html"


def test_only_what_is_looked_at_is_loaded(browser: webdriver.Chrome, one: str) -> None:
    def found() -> set[str]:
        return {"/".join(name.split("/")[-2:]) for name in asked(browser) if "grid-16" in name or "webp" in name}

    opened(browser, one)
    assert grid(browser) == [8]
    assert found() == {"map-0-grid-8/0-0.webp"}
    choose(browser, "grids", "16 × 16")
    sheets = {f"map-0-grid-16/{row}-{column}.webp" for row in (0, 1) for column in (0, 1)}
    assert found() == {"data/map-0-grid-16.js", *sheets}


def test_the_wheel_zooms_where_the_pointer_is_and_finer_grids_appear(browser: webdriver.Chrome, one: str) -> None:
    opened(browser, one, "#/0.5,0.5,1?counts=nothing")
    stage = stages(browser)[0]
    before = color(browser, (0.765, 0.64))
    origin = ScrollOrigin.from_element(stage, round(0.265 * stage.size["width"]), round(0.14 * stage.size["width"]))
    ActionChains(browser).scroll_from_origin(origin, 0, -500).perform()
    until(browser, lambda b: not fragment(b).startswith("/0.5,0.5,1"))
    settled(browser)
    x, y, zoom = map(float, fragment(browser).partition("?")[0].strip("/").split(","))
    assert zoom == pytest.approx(np.exp(0.6), rel=0.01)  # 300 pixels at most, 0.2 % each
    assert (x, y) == pytest.approx((0.5 + 0.265 * (1 - 1 / zoom), 0.5 + 0.14 * (1 - 1 / zoom)), abs=0.003)
    assert grid(browser) == [16]
    assert np.abs(color(browser, (0.765, 0.64)) - before).max() < 40
    assert at(browser, "zoom").text == "× 1.8"


def test_dragging_moves_the_map_and_a_press_that_stays_chooses(browser: webdriver.Chrome, one: str) -> None:
    opened(browser, one, "#/0.5,0.5,2?grid=8")
    stage = stages(browser)[0]
    side = stage.size["width"]
    actions = ActionChains(browser, duration=50).move_to_element(stage).click_and_hold()
    actions.move_by_offset(round(side / 4), round(-side / 8)).release().perform()
    until(browser, lambda b: fragment(b).startswith("/0.375,0.562"))
    assert "cell" not in fragment(browser)
    move_to(browser, (0.6, 0.5), click=True)
    until(browser, lambda b: "cell=8:4,3" in fragment(b))
    assert at(browser, "place").text == "Row 4, column 3 of 8 × 8"
    browser.back()
    until(browser, lambda b: "cell" not in fragment(b) and at(b, "place").text == "No cell chosen")


def test_pointing_shows_a_cell_without_choosing_it(browser: webdriver.Chrome, one: str) -> None:
    opened(browser, one, "#/0.5,0.5,1?grid=8")
    cell = cell_of(made_up_atlas(1, GRIDS), 8, 2, 5)
    move_to(browser, (5.5 / 8, 2.5 / 8))
    until(browser, lambda b: at(b, "place").text == "Row 2, column 5 of 8 × 8")
    named = [(" ".join(LABELS[k].split()), v) for k, v in cell.classes]  # as a browser shows it
    assert [" ".join(text.split()) for text in texts(browser, ".says .name")] == [name for name, _ in named]
    assert texts(browser, ".says .value")[0] == f"+{named[0][1]:.3g}"
    assert texts(browser, ".facts p")[0].startswith(f"{cell.count} activations, ")
    assert texts(browser, ".source") == list(cell.examples)
    assert texts(browser, ".readout")[0].startswith(f"{cell.count} here · ")
    assert "cell" not in fragment(browser)
    ActionChains(browser, duration=10).move_to_element(at(browser, "zoom")).perform()
    until(browser, lambda b: at(b, "place").text == "No cell chosen")


def test_the_keyboard_goes_from_cell_to_cell_through_zooms_and_grids(browser: webdriver.Chrome, one: str) -> None:
    opened(browser, one, "#/0.5,0.5,1?grid=4")
    keys(browser, Keys.ARROW_RIGHT)
    until(browser, lambda b: "cell=4:2,2" in fragment(b))
    keys(browser, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_UP)
    until(browser, lambda b: "cell=4:1,3" in fragment(b))
    cell = cell_of(made_up_atlas(1, GRIDS), 4, 1, 3)
    assert at(browser, "live").get_attribute("textContent").startswith(f"Row 1, column 3. {cell.count} here")
    keys(browser, "+")  # about the cell's middle, which is (0.875, 0.375)
    until(browser, lambda b: fragment(b).startswith("/0.625,0.4583,1.5"))
    keys(browser, Keys.SHIFT + Keys.ARROW_LEFT)
    until(browser, lambda b: fragment(b).startswith("/0.4917,0.4583,1.5"))
    keys(browser, Keys.NULL, "]")
    until(browser, lambda b: grid(b) == [8])
    keys(browser, Keys.ARROW_DOWN)  # the cursor goes where it was, in the other grid, and into view
    until(browser, lambda b: "cell=8:3,7" in fragment(b))
    assert fragment(browser).startswith("/0.6667,0.4583,1.5?")
    keys(browser, "[", "[", "[")
    assert "grid=4" in fragment(browser)
    keys(browser, "0", Keys.ESCAPE)
    until(browser, lambda b: fragment(b) == "/0.5,0.5,1?grid=4")


@pytest.mark.parametrize("way", ["keys", "button"])
def test_the_chosen_cell_stays_in_sight_while_one_zooms(browser: webdriver.Chrome, one: str, way: str) -> None:
    opened(browser, one, "#/0.5,0.5,1?grid=8&cell=8:5,6")
    for _ in range(4):
        keys(browser, "+") if way == "keys" else at(browser, "closer").click()
    until(browser, lambda b: not at(b, "closer").is_enabled() or at(b, "zoom").text == "× 5.1")
    settled(browser)
    stage, mark = (browser.find_element(By.CSS_SELECTOR, name).rect for name in (".stage", ".mark.chosen"))
    for start, length in (("x", "width"), ("y", "height")):
        assert stage[start] < mark[start] + mark[length] / 2 < stage[start] + stage[length]
    opened(browser, one, "#/0.25,0.25,2?grid=8&cell=8:6,6")  # a cell out of sight holds nothing
    keys(browser, "+")
    until(browser, lambda b: fragment(b).startswith("/0.25,0.25,3?"))


def test_a_pinch_on_a_trackpad_zooms_faster_than_a_wheel(browser: webdriver.Chrome, one: str) -> None:
    script = """const [x, y, isPinch] = arguments, box = document.querySelector(".surface").getBoundingClientRect();
      document.querySelector(".surface").dispatchEvent(new WheelEvent("wheel", { deltaY: -50, ctrlKey: isPinch,
        clientX: box.x + x * box.width, clientY: box.y + y * box.height, cancelable: true }))"""
    for is_pinch, zoom in ((True, np.exp(0.5)), (False, np.exp(0.1))):
        opened(browser, one, "#/0.5,0.5,1")
        browser.execute_script(script, 0.5, 0.5, is_pinch)
        until(browser, lambda b: zoomed(b) > 1)
        assert zoomed(browser) == pytest.approx(zoom, rel=0.01)


def zoomed(browser: webdriver.Chrome) -> float:
    return float(fragment(browser).partition("?")[0].rpartition(",")[2])


def test_what_is_said_of_a_cell_covers_none(browser: webdriver.Chrome, two: str) -> None:
    opened(browser, two, "#/0.5,0.5,1?cell=8:5,1")
    for stage, readout in zip(stages(browser), browser.find_elements(By.CSS_SELECTOR, ".readout"), strict=True):
        assert readout.text
        assert readout.rect["y"] >= stage.rect["y"] + stage.rect["height"]
    before = at(browser, "maps").rect
    keys(browser, Keys.ESCAPE)
    until(browser, lambda b: texts(b, ".readout") == ["", ""])
    assert at(browser, "maps").rect == before


def test_names_of_classes_are_broken_between_words_alone(browser: webdriver.Chrome, tmp_path: Path) -> None:
    made = made_up_atlas(2, GRIDS)
    long = ("red-breasted merganser", "basketball", "sulphur-crested cockatoo", "entertainment center", "b", "c")
    metrics(browser, 1100, 800)
    named = replace(made, maps=tuple(replace(one, labels=long) for one in made.maps))
    opened(browser, write_activation_page(named, tmp_path).as_uri(), "#/0.5,0.5,1?cell=4:1,1")
    broken = browser.execute_script(
        """const broken = [];
           for (const { firstChild: text } of document.querySelectorAll(".says .name"))
             for (const word of text.data.matchAll(/[a-z]+/g)) {
               const range = document.createRange();
               range.setStart(text, word.index);
               range.setEnd(text, word.index + word[0].length);
               if (range.getClientRects().length > 1) broken.push(word[0]);
             }
           return broken"""
    )
    assert len(texts(browser, ".says .name")) > 6
    assert broken == []


def test_a_class_leaves_the_cells_that_speak_for_it(browser: webdriver.Chrome, one: str) -> None:
    opened(browser, one, "#/0.5,0.5,1?grid=8&counts=nothing")
    plain = made_up_atlas(1, GRIDS)
    said = {
        (cell.row, cell.column): dict(cell.classes)[LABELS.index("espresso")]
        for found in plain.maps[0].grids
        for cell in found.cells
        if found.size == 8 and cell.image
    }
    best, least = max(said, key=lambda place: said[place]), min(said, key=lambda place: said[place])
    where = {place: ((place[1] + 0.1) / 8, (place[0] + 0.1) / 8) for place in (best, least)}
    before = {place: color(browser, where[place]) for place in where}
    Select(at(browser, "classes")).select_by_visible_text("espresso")
    until(browser, lambda b: "class=espresso" in fragment(b))
    settled(browser)
    assert np.abs(color(browser, where[best]) - before[best]).max() < 8
    until(browser, lambda b: np.abs(color(b, where[least]) - 255).max() < 80)  # nearly the page
    button = browser.find_element(By.CSS_SELECTOR, '#around .name[aria-pressed="true"]')
    assert button.text == "espresso"
    button.click()
    until(browser, lambda b: "class" not in fragment(b))


def test_classes_in_view_are_those_that_most_cells_name_first(browser: webdriver.Chrome, one: str) -> None:
    opened(browser, one, "#/0.5,0.5,1?grid=8")
    found = next(found for found in made_up_atlas(1, GRIDS).maps[0].grids if found.size == 8)
    firsts = [LABELS[cell.classes[0][0]] for cell in found.cells]
    counts = sorted((firsts.count(name) for name in LABELS), reverse=True)
    assert texts(browser, "#around .value") == [f"{n} cells" for n in counts if n]
    opened(browser, one, "#/0.25,0.25,2?grid=8")
    seen = [LABELS[cell.classes[0][0]] for cell in found.cells if cell.row < 4 and cell.column < 4]
    counts = sorted((seen.count(name) for name in LABELS), reverse=True)
    assert texts(browser, "#around .value") == ["1 cell" if n == 1 else f"{n} cells" for n in counts if n]


def test_counts_are_shown_as_area_or_opacity_or_nothing(browser: webdriver.Chrome, one: str) -> None:
    cells = next(found for found in made_up_atlas(1, GRIDS).maps[0].grids if found.size == 4).cells
    few = min((cell for cell in cells if cell.image), key=lambda cell: cell.count)
    corner = ((few.column + 0.04) / 4, (few.row + 0.04) / 4)
    opened(browser, one, "#/0.5,0.5,1?grid=4&counts=nothing")
    full = color(browser, corner)
    choose(browser, "counts", "area")
    until(browser, lambda b: np.abs(color(b, corner) - 255).max() < 60)
    assert "counts" not in fragment(browser)
    choose(browser, "counts", "opacity")
    until(browser, lambda b: np.abs(color(b, corner) - full).max() > 60)
    assert "counts=opacity" in fragment(browser)


def test_two_maps_have_one_view_one_grid_and_one_cursor(browser: webdriver.Chrome, two: str) -> None:
    opened(browser, two, "#/0.4,0.5,2?grid=8")
    plain = made_up_atlas(2, GRIDS)
    move_to(browser, (0.3, 0.6), number=1)
    until(browser, lambda b: at(b, "place").text == "Row 4, column 2 of 8 × 8")
    marks = browser.find_elements(By.CSS_SELECTOR, ".mark.pointed")
    boxes = [
        (mark.rect["x"] - stage.rect["x"], mark.rect["y"]) for mark, stage in zip(marks, stages(browser), strict=True)
    ]
    assert boxes[0] == pytest.approx(boxes[1], abs=1)
    for number, readout in enumerate(texts(browser, ".readout")):
        assert readout.startswith(f"{cell_of(plain, 8, 4, 2, number).count} here")
    assert texts(browser, ".card h3") == ["blocks.8 of made_up_0", "blocks.9 of made_up_1"]
    keys(browser, "+", number=1)
    until(browser, lambda b: ",3?" in fragment(b))
    keys(browser, "]", number=1)
    until(browser, lambda b: grid(b) == [16, 16])
    settled(browser)
    blues = [color(browser, (0.3, 0.05), number)[2] for number in (0, 1)]
    assert blues[1] > blues[0] + 30  # the second map's pictures are bluer


def test_a_link_shows_what_it_was_made_of(browser: webdriver.Chrome, two: str) -> None:
    where = "/0.4,0.6,2.5?grid=16&cell=8:4,3&class=seashore&counts=opacity"
    opened(browser, two, "#" + where)
    assert grid(browser) == [16, 16]
    assert at(browser, "place").text == "Row 4, column 3 of 8 × 8"
    assert Select(at(browser, "classes")).first_selected_option.text == "seashore"
    assert texts(browser, '.says [aria-pressed="true"]') == ["seashore", "seashore"]
    checked = browser.find_elements(By.CSS_SELECTOR, "input:checked + span")
    assert [element.text for element in checked] == ["16 × 16", "opacity"]
    assert fragment(browser) == where
    assert not at(browser, "missing").is_displayed()


@pytest.mark.parametrize(
    ("where", "said", "instead"),
    [
        ("#/0.5,0.5,1?grid=7", "There is no grid 7 here.", "/0.5,0.5,1"),
        ("#/0.5,0.5,1?cell=8:8,1", "There is no cell 8:8,1 here.", "/0.5,0.5,1"),
        ("#/0.5,0.5,1?cell=x&class=nope", "There is no cell x, no class nope here.", "/0.5,0.5,1"),
        ("#/9,-4,1000", "", "/9,-4,1000"),
        ("#/NaN,1e999,x?counts=%FF", "", "/NaN,1e999,x?counts=%FF"),
    ],
)
def test_what_an_address_asks_for_and_is_not_there_is_said(
    browser: webdriver.Chrome, one: str, where: str, said: str, instead: str
) -> None:
    opened(browser, one, where)
    assert at(browser, "missing").text == said
    assert fragment(browser) == instead
    assert grid(browser)[0] in GRIDS


def test_a_cell_without_a_picture_or_without_activations_is_shown_as_such(browser: webdriver.Chrome, one: str) -> None:
    cells = next(found for found in made_up_atlas(1, GRIDS).maps[0].grids if found.size == 8).cells
    lacks = next(cell for cell in cells if cell.image is None)
    opened(browser, one, f"#/0.5,0.5,1?cell=8:{lacks.row},{lacks.column}")
    assert browser.find_elements(By.CSS_SELECTOR, ".card .tile.none")
    assert "No picture: dead: the mean of its activations is zero." in texts(browser, ".facts .note")
    opened(browser, one, "#/0.5,0.5,1?cell=8:0,0")
    assert texts(browser, ".card .note") == ["Too few activations lie here for a picture."]
    assert texts(browser, ".readout") == ["too few activations"]


def test_hostile_names_stay_texts(browser: webdriver.Chrome, tmp_path: Path) -> None:
    plain = made_up_atlas(1, (4,)).maps[0]
    cells = tuple(replace(cell, examples=(HOSTILE,), status=HOSTILE, image=None) for cell in plain.grids[0].cells)
    labels = (HOSTILE, *plain.labels[1:])
    bad = replace(plain, network=HOSTILE, layer=HOSTILE, labels=labels, settings=((HOSTILE, HOSTILE),))
    atlas = ActivationAtlas((replace(bad, grids=(replace(plain.grids[0], cells=cells),)),))
    opened(browser, write_activation_page(atlas, tmp_path).as_uri(), "#/0.5,0.5,1?cell=4:1,1")
    assert browser.execute_script("return window.hurt") is None
    assert texts(browser, "h1") == [f"{HOSTILE} of {HOSTILE}"]
    assert texts(browser, ".source") == [HOSTILE]
    Select(at(browser, "classes")).select_by_visible_text(HOSTILE)
    where = fragment(browser)
    browser.refresh()
    settled(browser)
    assert fragment(browser) == where
    assert texts(browser, '.says [aria-pressed="true"]') == [HOSTILE]


def test_the_keyboard_keeps_its_place_among_the_classes(browser: webdriver.Chrome, two: str) -> None:
    opened(browser, two, "#/0.5,0.5,1?cell=8:3,3")
    buttons = browser.find_elements(By.CSS_SELECTOR, ".says .name")
    name = buttons[2].text
    buttons[2].send_keys(Keys.ENTER)
    until(browser, lambda b: b.switch_to.active_element.get_attribute("aria-pressed") == "true")
    assert browser.switch_to.active_element.text == name
    browser.switch_to.active_element.send_keys(Keys.ENTER)
    until(browser, lambda b: b.switch_to.active_element.get_attribute("aria-pressed") == "false")
    assert "class" not in fragment(browser)
    at(browser, "leave").send_keys(Keys.ENTER)
    until(browser, lambda b: b.switch_to.active_element.get_attribute("class") == "surface")
    assert "cell" not in fragment(browser)


def test_without_classes_or_points_the_page_says_less(browser: webdriver.Chrome, tmp_path: Path) -> None:
    plain = made_up_atlas(1, (4,)).maps[0]
    cells = tuple(replace(cell, classes=(), examples=()) for cell in plain.grids[0].cells)
    bare = replace(plain, labels=(), points=(), grids=(replace(plain.grids[0], cells=cells),))
    opened(browser, write_activation_page(ActivationAtlas((bare,)), tmp_path).as_uri(), "#/0.5,0.5,3")
    assert not at(browser, "classes").is_displayed()
    assert not at(browser, "around").is_displayed()
    keys(browser, Keys.ARROW_RIGHT)
    until(browser, lambda b: texts(b, ".facts p"))
    assert not browser.find_elements(By.CSS_SELECTOR, ".says li, .nearest")


def test_a_missing_file_is_said_and_the_rest_stays(browser: webdriver.Chrome, tmp_path: Path) -> None:
    index = write_activation_page(made_up_atlas(1, GRIDS), tmp_path)
    content = (tmp_path / "data/map-0-grid-16.js").read_bytes()
    (tmp_path / "data/map-0-grid-16.js").unlink()
    opened(browser, index.as_uri())
    choose(browser, "grids", "16 × 16")
    until(browser, lambda b: at(b, "problem").text.startswith("data/map-0-grid-16.js cannot be read."))
    assert grid(browser) == [8]
    assert len(complaints(browser)) == 1  # the browser's own
    (tmp_path / "data/map-0-grid-16.js").write_bytes(content)
    choose(browser, "grids", "8 × 8")
    choose(browser, "grids", "16 × 16")
    until(browser, lambda b: grid(b) == [16])
    assert not at(browser, "problem").is_displayed()


def test_the_site_of_an_atlas_leads_to_it_and_it_leads_back(browser: webdriver.Chrome, tmp_path: Path) -> None:
    atlas = make_atlas(tmp_path / "a", made_up_manifest((Shape("features.3", 4),), diversity=0), facts=False)
    save_activation_atlas(tmp_path / "a/activations" / atlas.slugs["features.3"], made_up_atlas(1, GRIDS))
    browser.get(export_site(Site(atlas), tmp_path / "site").as_uri())
    until(browser, lambda b: b.find_elements(By.CSS_SELECTOR, "#activations a"))
    browser.find_element(By.CSS_SELECTOR, "#activations a").click()
    settled(browser)
    assert texts(browser, "h1") == ["blocks.8 of made_up_0"]
    at(browser, "home").click()
    until(browser, lambda b: b.title == "a small network")


def test_fingers_pinch_drag_and_tap_on_a_phone(browser: webdriver.Chrome, two: str) -> None:
    metrics(browser, 360, 740)
    opened(browser, two)
    assert browser.execute_script("return document.documentElement.scrollWidth") == 360
    first, second = (stage.rect for stage in stages(browser))
    assert second["y"] > first["y"] + first["height"]
    assert first["width"] > 320
    touch(browser, "Start", (0.4, 0.5), (0.6, 0.5))
    for apart in (0.15, 0.2, 0.25, 0.3):
        touch(browser, "Move", (0.5 - apart, 0.5), (0.5 + apart, 0.5))
    touch(browser, "End")
    until(browser, lambda b: float(fragment(b).split("?")[0].split(",")[-1] or 0) == pytest.approx(3, abs=0.35))
    where = fragment(browser)
    touch(browser, "Start", (0.5, 0.5))
    for x in (0.45, 0.35, 0.25):
        touch(browser, "Move", (x, 0.4))
    touch(browser, "End")
    until(browser, lambda b: fragment(b) not in ("", where))
    assert "cell" not in fragment(browser)
    touch(browser, "Start", (0.5, 0.5))
    touch(browser, "End")
    until(browser, lambda b: "cell=" in fragment(b) and all(texts(b, ".readout")))
    assert len(texts(browser, ".card")) == 2


def test_a_finger_finds_every_control(browser: webdriver.Chrome, two: str) -> None:
    metrics(browser, 360, 740)
    opened(browser, two, "#/0.5,0.5,2?cell=8:3,3")
    found = browser.find_elements(By.CSS_SELECTOR, "select, button, .tabs label, summary")
    sizes = [element.rect for element in found if element.is_displayed()]
    assert len(sizes) > 15
    assert min(min(box["width"], box["height"]) for box in sizes) >= 24


def test_it_is_dark_where_the_reader_wants_it_dark(browser: webdriver.Chrome, one: str) -> None:
    scheme(browser, "dark")
    opened(browser, one, "#/0.5,0.5,1?grid=8")
    body = browser.find_element(By.TAG_NAME, "body")
    assert body.value_of_css_property("background-color") == "rgba(22, 21, 19, 1)"
    assert color(browser, (0.02, 0.02)).max() < 60


def test_everything_has_a_name_for_those_who_listen(browser: webdriver.Chrome, two: str) -> None:
    opened(browser, two, "#/0.5,0.5,1?cell=4:1,1")
    names = "[...document.querySelectorAll('button, select, [role=img], [role=application], summary')]"
    assert (
        browser.execute_script(
            f"return {names}.filter(e => !(e.getAttribute('aria-label') || e.textContent || e.labels?.length)).length"
        )
        == 0
    )
    surfaces = browser.find_elements(By.CSS_SELECTOR, ".surface")
    assert [surface.accessible_name.partition(".")[0] for surface in surfaces] == ["Activations at blocks"] * 2
