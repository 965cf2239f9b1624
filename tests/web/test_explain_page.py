"""The page of an explanation in a real browser, from disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from browsers import CHROMIUM, DRIVER, asked, complaints, metrics, until, untroubled
from explaining import NAMES, made_up
from selenium import webdriver
from selenium.webdriver import ActionChains
from selenium.webdriver.common.actions import interaction
from selenium.webdriver.common.actions.action_builder import ActionBuilder
from selenium.webdriver.common.actions.pointer_input import PointerInput
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from phosphene.blocks.explanation import Explanation
from phosphene.web.explain_page import write_page

HOSTILE = "</script><img src=x onerror=window.hurt=1>\"'&"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="chromium and chromedriver are not installed"),
]


@pytest.fixture(scope="module")
def explanation() -> Explanation:
    return made_up()


@pytest.fixture(scope="module")
def address(explanation: Explanation, tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_page(explanation, tmp_path_factory.mktemp("page")).as_uri()


@pytest.fixture(autouse=True)
def no_complaints(browser: webdriver.Chrome) -> Iterator[None]:
    with untroubled(browser):
        yield


def opened(browser: webdriver.Chrome, address: str, where: str = "") -> webdriver.Chrome:
    browser.get("about:blank")  # else another fragment is no new load
    browser.get(address + where)
    until(browser, lambda b: is_shown(b, "explore") or is_shown(b, "unit") or is_shown(b, "problem"))
    until(browser, lambda b: text(b, "place") or text(b, "unit-title") or text(b, "problem"))
    return browser


def at(browser: webdriver.Chrome, name: str) -> WebElement:
    return browser.find_element(By.ID, name)


def text(browser: webdriver.Chrome, name: str) -> str:
    return at(browser, name).text


def is_shown(browser: webdriver.Chrome, name: str) -> bool:
    return at(browser, name).is_displayed()


def fragment(browser: webdriver.Chrome) -> str:
    return browser.current_url.partition("#")[2]


def channels(browser: webdriver.Chrome, name: str = "channels") -> list[int]:
    links = browser.find_elements(By.CSS_SELECTOR, f"#{name} [data-channel]")
    return [int(link.get_attribute("data-channel") or -1) for link in links]


def choose(browser: webdriver.Chrome, name: str, value: str | int) -> None:
    browser.find_element(By.CSS_SELECTOR, f'input[name="{name}"][value="{value}"]').click()


def hover(browser: webdriver.Chrome, position: tuple[int, int], size: tuple[int, int], *, click: bool = False) -> None:
    box = at(browser, "grid").size
    x, y = ((place + 0.5) / n - 0.5 for place, n in zip(reversed(position), reversed(size), strict=True))
    actions = ActionChains(browser, duration=20)
    actions.move_to_element_with_offset(at(browser, "grid"), round(x * box["width"]), round(y * box["height"]))
    (actions.click() if click else actions).perform()


def point_away(browser: webdriver.Chrome) -> None:
    ActionChains(browser, duration=20).move_to_element(at(browser, "image-name")).perform()


def heat(browser: webdriver.Chrome) -> list[str]:
    """The map's colours at the centre of each cell. Nothing of the canvas came from a file, so it may be read."""
    return browser.execute_script(
        """
        const canvas = document.getElementById("heat"), [rows, columns] = arguments;
        const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
        return Array.from({length: rows * columns}, (_, cell) => {
          const x = (cell % columns + 0.5) / columns * canvas.width, y = (Math.floor(cell / columns) + 0.5) / rows * canvas.height;
          const [r, g, b, a] = pixels.slice(4 * (Math.floor(y) * canvas.width + Math.floor(x)));
          return a === 0 ? "nothing" : b > r ? "blue" : "orange";
        });""",
        4,
        3,
    )


def test_it_opens_from_disk_at_the_deepest_layer_s_strongest_position(
    browser: webdriver.Chrome, address: str, explanation: Explanation
) -> None:
    opened(browser, address)
    layer = explanation.layers[-1]
    row, column = divmod(int(layer.activations.norm(dim=0).argmax()), 3)
    assert text(browser, "place") == f"Row {row}, column {column}"
    assert channels(browser) == layer.top[:, row, column].tolist()
    assert browser.title == "cat.png in a small network – phosphene"
    assert text(browser, "notes").splitlines() == ["Made up.", "Seed 0."]
    folder, loaded = address.removesuffix("index.html"), asked(browser)
    assert {f"{folder}data/page.js", address} <= set(loaded)
    assert all(name.startswith((folder, "data:", "about:blank")) for name in loaded)
    sources = browser.execute_script(
        "return [...document.querySelectorAll('[src]')].map(e => e.src).concat([...document.querySelectorAll('.tile')]"
        ".map(e => getComputedStyle(e).backgroundImage.slice(5, -2)).filter(a => a.includes(':')))"
    )
    assert len(sources) > 15
    assert all(source.startswith(folder) for source in sources)
    # Layers come when they are first shown.
    assert [name for name in sources if "/data/" in name] == [
        f"{folder}data/page.js",
        f"{folder}data/layer_features.8.js",
    ]


def test_pointing_shows_a_position_for_as_long_as_it_lasts_and_a_click_keeps_it(
    browser: webdriver.Chrome, address: str, explanation: Explanation
) -> None:
    opened(browser, address, "#/layer/features.5/at/0,0")
    layer, where = explanation.layers[1], fragment(browser)
    for row, column in ((2, 1), (3, 2)):
        hover(browser, (row, column), (4, 3))
        assert text(browser, "place") == f"Row {row}, column {column}"
        assert channels(browser) == layer.top[:, row, column].tolist()
        values = [value.text for value in browser.find_elements(By.CSS_SELECTOR, "#channels .value")]
        shown = [float(value) for value in values]
        assert shown == pytest.approx(layer.activations[layer.top[:, row, column], row, column].tolist(), rel=0.01)
    assert fragment(browser) == where
    point_away(browser)
    assert text(browser, "place") == "Row 0, column 0"
    hover(browser, (1, 2), (4, 3), click=True)
    point_away(browser)
    assert text(browser, "place") == "Row 1, column 2"
    assert fragment(browser).startswith("/layer/features.5/at/1,2")


def test_what_a_position_sees_is_outlined(browser: webdriver.Chrome, address: str) -> None:
    opened(browser, address, "#/layer/features.2/at/3,5")
    boxes = {
        kind: [float(browser.find_element(By.CSS_SELECTOR, f"#marks .{kind}.over").get_attribute(name) or "nan")
               for name in ("x", "y", "width", "height")]
        for kind in ("cell", "field")
    }  # fmt: skip
    assert boxes["cell"] == [40, 24, 8, 8]  # 48 x 64 pixels in 6 x 8 cells
    assert boxes["field"] == [36, 20, 12, 15]  # 15 pixels from -4 + 8 n, as far as there is an image
    assert text(browser, "sees") == "sees rows 20–34, columns 36–47"
    opened(
        browser, address, "#/layer/features.8/at/1,1"
    )  # 67 pixels from -26 + 16 = -10: all 48 x 64 but the last rows
    assert text(browser, "sees") == "sees rows 0–56, columns 0–47"
    opened(browser, address, "#/layer/features.8/at/2,1")
    assert text(browser, "sees") == "sees rows 6–63, columns 0–47"


def test_the_keyboard_moves_and_what_is_there_is_said(
    browser: webdriver.Chrome, address: str, explanation: Explanation
) -> None:
    opened(browser, address, "#/layer/features.8/at/0,0")
    grid = at(browser, "grid")
    assert (grid.get_attribute("role"), grid.get_attribute("tabindex")) == ("application", "0")
    assert (grid.get_attribute("aria-label") or "").startswith("Positions of features.8, 4 rows and 3 columns")
    for key, place in (
        (Keys.ARROW_DOWN, (1, 0)),
        (Keys.ARROW_RIGHT, (1, 1)),
        (Keys.END, (1, 2)),
        (Keys.ARROW_RIGHT, (1, 2)),
        (Keys.PAGE_DOWN, (3, 2)),
        (Keys.HOME, (3, 0)),
        (Keys.ARROW_UP, (2, 0)),
    ):
        grid.send_keys(key)
        until(browser, lambda b, place=place: text(b, "place") == f"Row {place[0]}, column {place[1]}")
    best = int(explanation.layers[2].top[0, 2, 0])
    said = at(browser, "live").get_attribute("textContent") or ""
    assert said.startswith(f"features.8, row 2, column 0. Strongest channels: {best} at ")
    assert browser.switch_to.active_element == grid
    assert fragment(browser).startswith("/layer/features.8/at/2,0")


def test_every_control_can_be_reached_by_the_keyboard_and_shows_that_it_is(
    browser: webdriver.Chrome, address: str
) -> None:
    opened(browser, address)
    seen: list[str] = []
    for _ in range(80):
        ActionChains(browser).send_keys(Keys.TAB).perform()
        found = browser.switch_to.active_element
        if found.tag_name == "body":  # past the end
            break
        name = found.get_attribute("id") or found.get_attribute("name") or found.tag_name
        outline = browser.execute_script(
            "const e = document.activeElement, s = e.name && e.type === 'radio' && e.nextElementSibling ? e.nextElementSibling : e;"
            "return getComputedStyle(s).outlineStyle + getComputedStyle(e).outlineStyle"
        )
        assert "solid" in outline or "auto" in outline, name
        seen.append(name)
    assert {"layer", "view", "grid", "mode", "versus", "class", "bars", "n-groups", "a", "button"} <= set(seen)


def test_layers_classes_and_modes_are_switched_and_kept_in_the_address(
    browser: webdriver.Chrome, address: str, explanation: Explanation
) -> None:
    opened(browser, address, "#/layer/features.8/at/3,0")
    choose(browser, "layer", "features.5")
    until(browser, lambda b: "20 channels, 4 × 3 positions" in text(b, "layer-about"))
    assert fragment(browser).startswith("/layer/features.5/at/3,0")
    layer = explanation.layers[1]
    choose(browser, "class", 2)
    choose(browser, "mode", "smoothed")
    choose(browser, "bars", "path")
    browser.find_element(By.CSS_SELECTOR, '#versus option[value="1"]').click()
    assert fragment(browser).endswith("?class=2&versus=1&view=attribution&mode=smoothed&bars=path&groups=6")
    net = layer.channel["path"][2] - layer.channel["path"][1]
    order = net.argsort(descending=True).tolist()
    assert channels(browser, "for") == order[:4]
    assert channels(browser, "against") == order[::-1][:4]
    assert (text(browser, "for-title"), text(browser, "against-title")) == (f"For {NAMES[2]}", f"For {NAMES[1]}")
    total = float(text(browser, "bars-total").rpartition(" ")[2].replace("−", "-"))
    assert total == pytest.approx(net.sum().item(), rel=0.01)
    spatial = layer.spatial["smoothed"][2] - layer.spatial["smoothed"][1]
    assert text(browser, "legend-title").startswith(f"Attribution of {NAMES[2]} against {NAMES[1]}")
    here = float(text(browser, "legend-here").removeprefix("here ").replace("−", "-"))
    assert here == pytest.approx(spatial[3, 0].item(), rel=0.01)
    strong = spatial.abs() > 0.1 * spatial.abs().max()
    shown = [colour for colour, counts in zip(heat(browser), strong.flatten(), strict=True) if counts]
    assert shown == ["orange" if value > 0 else "blue" for value in spatial[strong]]
    browser.back()
    until(browser, lambda b: text(b, "against-title") == "Against it")
    browser.refresh()
    until(browser, lambda b: text(b, "for-title") == f"For {NAMES[2]}")
    assert browser.find_element(By.CSS_SELECTOR, 'input[name="mode"][value="smoothed"]').is_selected()


def test_the_number_of_groups_is_chosen_and_one_is_shown_alone(
    browser: webdriver.Chrome, address: str, explanation: Explanation
) -> None:
    opened(browser, address, "#/layer/features.5?view=groups")
    cards = (By.CSS_SELECTOR, "#groups .group")
    assert len(browser.find_elements(*cards)) == 6
    at(browser, "n-groups").send_keys(Keys.ARROW_LEFT)
    until(browser, lambda b: len(b.find_elements(*cards)) == 3)
    assert "groups=3" in fragment(browser)
    assert text(browser, "groups-said").startswith("3 groups; they leave 11 % of")
    shown = [
        float(value.text.replace("−", "-")) for value in browser.find_elements(By.CSS_SELECTOR, "#groups > li > .value")
    ]
    assert shown == pytest.approx(explanation.layers[1].groups[3].attribution[0].tolist(), rel=0.01)
    assert browser.switch_to.active_element == at(browser, "n-groups")
    browser.find_elements(By.CSS_SELECTOR, "#groups button")[1].click()
    assert "group=1" in fragment(browser)
    own = explanation.layers[1].groups[3].spatial[1].flatten() > 0
    assert [colour != "nothing" for colour in heat(browser)] == own.tolist()
    ActionChains(browser).send_keys(Keys.ESCAPE).perform()
    until(browser, lambda b: "group=1" not in fragment(b))


def test_an_attribution_is_followed_from_a_class_back_through_the_layers(
    browser: webdriver.Chrome, address: str, explanation: Explanation
) -> None:
    opened(browser, address, "#/layer/features.2")
    choose(browser, "view", "follow")
    until(browser, lambda b: text(b, "trail").endswith("features.8: choose a position"))
    choose(browser, "class", 1)
    hover(browser, (2, 1), (4, 3), click=True)
    until(browser, lambda b: "features.5: choose a position" in text(b, "trail"))
    assert text(browser, "legend-title").startswith(
        "What excites row 2, column 1 of features.8 (the length of its vector, whatever the class)"
    )
    matters = explanation.links["features.8", "features.5"][2, 1].flatten()
    strong = matters.abs() > 0.1 * matters.abs().max()
    shown = [colour for colour, counts in zip(heat(browser), strong, strict=True) if counts]
    assert shown == ["orange" if value > 0 else "blue" for value in matters[strong]]
    at(browser, "grid").send_keys(Keys.ENTER)
    until(browser, lambda b: text(b, "trail").endswith("features.2, the last"))
    row, column = divmod(int(matters.abs().argmax()), 3)
    assert fragment(browser).endswith(f"trail=2,1;{row},{column}")
    browser.back()
    until(browser, lambda b: text(b, "trail").endswith("features.5: choose a position"))
    browser.find_elements(By.CSS_SELECTOR, "#trail button")[0].click()
    until(browser, lambda b: text(b, "trail").endswith("features.8: choose a position"))
    assert text(browser, "legend-title").startswith(f"Attribution of {NAMES[1]}")


def test_it_is_followed_from_the_deepest_layer_that_is_linked(
    browser: webdriver.Chrome, explanation: Explanation, tmp_path: Path
) -> None:
    links = {pair: values for pair, values in explanation.links.items() if pair[0] == "features.5"}
    opened(browser, write_page(replace(explanation, links=links), tmp_path).as_uri(), "#/layer/features.8?view=follow")
    assert text(browser, "trail").splitlines() == [NAMES[0], "features.5: choose a position"]


def test_the_activation_grid_draws_each_cell_s_picture_as_large_as_it_is_strong(
    browser: webdriver.Chrome, address: str
) -> None:
    opened(browser, address, "#/layer/features.5?view=directions")
    assert at(browser, "stage").get_attribute("data-map") == "pictures"
    assert at(browser, "photo").value_of_css_property("visibility") == "hidden"
    at(browser, "sized").click()
    until(browser, lambda b: "sized=1" in fragment(b))
    assert "area in proportion" in text(browser, "legend-title")


def test_pointing_at_a_channel_shows_where_it_fires(browser: webdriver.Chrome, address: str) -> None:
    opened(browser, address, "#/layer/features.8?view=image")
    stage = at(browser, "stage")
    assert stage.get_attribute("data-map") == "none"
    ActionChains(browser, duration=20).move_to_element(browser.find_element(By.CSS_SELECTOR, "#channels a")).perform()
    assert stage.get_attribute("data-map") == "heat"
    assert "nothing" not in heat(browser)
    assert text(browser, "legend-title") == f"Channel {channels(browser)[0]}"
    point_away(browser)
    until(browser, lambda b: stage.get_attribute("data-map") == "none")


def test_a_unit_s_page_opens_by_its_address_and_leads_back(
    browser: webdriver.Chrome, address: str, explanation: Explanation
) -> None:
    opened(browser, address, "#/unit/features.5/3")
    assert text(browser, "unit-title") == "features.5 · channel 3"
    assert browser.title == "features.5 3 – cat.png in a small network – phosphene"
    assert text(browser, "unit-score") == (
        "Its activation, mean over positions: 9.25. That is above 99.8 % of 1000 photographs, 1.68 times the best of them."
    )
    own = explanation.layers[1].activations[3]
    assert float(text(browser, "unit-mean").replace("−", "-")) == pytest.approx(own.mean().item(), rel=0.02)
    row, column = divmod(int(own.argmax()), 3)
    assert text(browser, "unit-peak") == f"strongest in row {row}, column {column}"
    titles = [title.text for title in browser.find_elements(By.CSS_SELECTOR, "#unit-pictures h2")]
    assert [title.rpartition(" ")[2] for title in titles] == ["ways", "most", "zero", "least"]
    assert len(browser.find_elements(By.CSS_SELECTOR, "#unit-pictures .tile")) == 13
    assert len(browser.find_elements(By.CSS_SELECTOR, "#histogram .bin")) == 12
    mark = browser.find_element(By.CSS_SELECTOR, "#histogram .own-text")
    assert mark.text == "beyond: the picture, 9.25 (percentile 99.8)"
    links = [link.get_attribute("href") or "" for link in browser.find_elements(By.CSS_SELECTOR, "#correlated a")]
    assert [link.partition("#")[2] for link in links] == ["/unit/features.5/4", "/unit/features.5/6"]
    at(browser, "next").click()
    until(browser, lambda b: text(b, "unit-title") == "features.5 · channel 4")
    ActionChains(browser).send_keys(Keys.ESCAPE).perform()
    until(browser, lambda b: is_shown(b, "explore"))
    assert browser.find_element(By.CSS_SELECTOR, 'input[name="layer"][value="features.5"]').is_selected()


def test_from_a_unit_one_comes_back_to_what_was_shown(browser: webdriver.Chrome, address: str) -> None:
    opened(browser, address, "#/layer/features.8/at/1,1?class=3&mode=smoothed")
    before = text(browser, "legend-title")
    browser.find_element(By.CSS_SELECTOR, "#channels a").click()
    until(browser, lambda b: is_shown(b, "unit"))
    browser.back()
    until(browser, lambda b: is_shown(b, "explore"))
    point_away(browser)
    until(browser, lambda b: text(b, "legend-title") == before)
    browser.find_element(By.CSS_SELECTOR, "#channels a").click()
    until(browser, lambda b: is_shown(b, "unit"))
    at(browser, "back").click()
    until(browser, lambda b: is_shown(b, "explore"))
    point_away(browser)
    until(browser, lambda b: (text(b, "legend-title"), text(b, "place")) == (before, "Row 1, column 1"))


@pytest.mark.parametrize(
    "where",
    [
        "#/layer/nowhere/at/99,99?class=77&versus=x&view=y&groups=4&trail=9,9",
        "#%",
        "#/unit/features.5/20",
        "#/unit/x/1",
    ],
)
def test_an_address_that_leads_nowhere_shows_the_image(browser: webdriver.Chrome, address: str, where: str) -> None:
    opened(browser, address, where)
    assert is_shown(browser, "explore")
    assert text(browser, "place").startswith("Row ")


def test_a_phone_shows_it_without_scrolling_sideways(browser: webdriver.Chrome, address: str, tmp_path: Path) -> None:
    metrics(browser, 360, 740)
    for where in (
        "",
        "#/layer/features.5?view=groups",
        "#/layer/features.5?view=follow&trail=0,0",
        "#/unit/features.5/3",
    ):
        opened(browser, address, where)
        widths = browser.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
        assert widths == [360, 360], where
    assert browser.save_screenshot(str(tmp_path / "phone.png"))


def test_a_tap_chooses_a_position(browser: webdriver.Chrome, address: str) -> None:
    metrics(browser, 360, 740)
    opened(browser, address, "#/layer/features.5/at/0,0")
    grid = at(browser, "grid")
    browser.execute_script("arguments[0].scrollIntoView()", grid)
    finger = ActionBuilder(browser, mouse=PointerInput(interaction.POINTER_TOUCH, "finger"))
    place = round(grid.size["width"] / 3), round(3 * grid.size["height"] / 8)
    finger.pointer_action.move_to(grid, *place).pointer_down().pointer_up()
    finger.perform()
    until(browser, lambda b: text(b, "place") == "Row 3, column 2")


def test_a_laptop_shows_image_channels_and_attribution_without_scrolling(
    browser: webdriver.Chrome, address: str, tmp_path: Path
) -> None:
    opened(browser, address)
    for name in ("stage", "legend", "channels", "classes", "for", "against"):
        box = at(browser, name).rect
        assert box["y"] + box["height"] < 800, name
    assert browser.save_screenshot(os.environ.get("PHOSPHENE_SCREENSHOT", str(tmp_path / "page.png")))


def test_a_dark_room_gets_light_letters_on_a_dark_page(browser: webdriver.Chrome, address: str) -> None:
    def shade(name: str) -> float:
        colour = browser.find_element(By.TAG_NAME, "body").value_of_css_property(name)
        return sum(float(part) for part in colour.partition("(")[2].split(",")[:3]) / (3 * 255)

    found: dict[str, tuple[float, float]] = {}
    for scheme in ("light", "dark"):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        opened(browser, address)
        found[scheme] = shade("background-color"), shade("color")
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert found["light"][0] > 0.9 > 0.2 > found["light"][1]
    assert found["dark"][1] > 0.85 > 0.2 > found["dark"][0]


def test_hostile_names_are_text(browser: webdriver.Chrome, explanation: Explanation, tmp_path: Path) -> None:
    first = explanation.layers[0]
    classes = tuple(replace(view, name=HOSTILE) for view in explanation.classes)
    unit = next(iter(explanation.units.values()))
    examples = tuple(replace(example, source=HOSTILE) for example in unit.examples)
    hostile = replace(
        explanation,
        image_name=HOSTILE,
        network=HOSTILE,
        classes=classes,
        layers=(replace(first, name=HOSTILE, kind=HOSTILE),),
        links={},
        units={(HOSTILE, 0): replace(unit, layer=HOSTILE, examples=examples)},
        notes=(HOSTILE,),
    )
    opened(browser, write_page(hostile, tmp_path).as_uri())
    assert text(browser, "image-name") == text(browser, "network-name") == text(browser, "notes") == HOSTILE
    assert [row.text for row in browser.find_elements(By.CSS_SELECTOR, ".class .name")] == [HOSTILE] * 5
    choose_first = browser.find_element(By.CSS_SELECTOR, "#layers label span")
    assert choose_first.text == HOSTILE
    browser.find_element(By.CSS_SELECTOR, "#channels a").click()
    until(browser, lambda b: HOSTILE in text(b, "unit-title"))
    browser.execute_script("location.hash = phosphene.state.unitAddress(0, 0)")
    until(browser, lambda b: text(b, "unit-title").endswith("channel 0"))
    assert browser.find_element(By.CSS_SELECTOR, ".source").get_attribute("title") == HOSTILE
    assert browser.execute_script("return window.hurt === undefined && !document.querySelector('img[src=x]')")


BARE: dict[str, Any] = {"grid": None, "groups": {}, "spatial": {}, "channel": {}, "field_size": None}


def test_what_is_missing_is_left_out(browser: webdriver.Chrome, explanation: Explanation, tmp_path: Path) -> None:
    layers = tuple(replace(layer, **BARE) for layer in explanation.layers)
    bare = replace(explanation, classes=(), layers=layers, links={}, units={}, notes=())
    opened(browser, write_page(bare, tmp_path).as_uri())
    views = [span.text for span in browser.find_elements(By.CSS_SELECTOR, "#views span")]
    assert views == ["magnitude", "image"]
    for name in ("classes-part", "groups-part", "groups-here-part", "vector-picture", "trail-part"):
        assert not is_shown(browser, name), name
    assert text(browser, "sees") == "sees the whole image"
    assert len(browser.find_elements(By.CSS_SELECTOR, "#channels .tile.none")) == 5
    browser.find_element(By.CSS_SELECTOR, "#channels a").click()
    until(browser, lambda b: "No picture of this channel was made." in text(b, "unit-picture"))
    assert is_shown(browser, "unit-map")
    for name in ("statistics-part", "correlated-part"):
        assert not is_shown(browser, name), name


def test_a_unit_without_statistics_or_with_a_picture_only_is_shown(
    browser: webdriver.Chrome, explanation: Explanation, tmp_path: Path
) -> None:
    view = explanation.units["features.5", 1]
    assert view.statistics
    unknown = replace(view.statistics, percentile=None, multiple=None, mean=float("nan"))
    units = {
        ("features.5", 1): replace(view, diversity=None, examples=(), statistics=None, correlated=()),
        ("features.5", 2): replace(view, channel=2, picture=None, score=None, diversity=None, statistics=unknown),
    }
    address = write_page(replace(explanation, units=units), tmp_path).as_uri()
    opened(browser, address, "#/unit/features.5/1")
    assert text(browser, "unit-score") == "Its activation, mean over positions: 9.25."
    assert text(browser, "unit-pictures") == ""
    opened(browser, address, "#/unit/features.5/2")
    assert text(browser, "unit-score") == ""
    assert text(browser, "statistics-said").endswith(
        "average –, standard deviation 0.9. Fractions may be off by 0.013."
    )
    assert len(browser.find_elements(By.CSS_SELECTOR, "#unit-pictures .tile")) == 9


def test_a_layer_whose_file_is_gone_is_said(
    browser: webdriver.Chrome, explanation: Explanation, tmp_path: Path
) -> None:
    page = write_page(explanation, tmp_path)
    (tmp_path / "data" / "layer_features.8.js").unlink()
    opened(browser, page.as_uri())
    assert text(browser, "problem") == "data/layer_features.8.js cannot be read. Is the whole folder there?"
    assert any("ERR_FILE_NOT_FOUND" in complaint for complaint in complaints(browser))


def test_without_scripts_the_page_says_so(browser: webdriver.Chrome, address: str) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(address)
        assert "needs JavaScript" in browser.find_element(By.TAG_NAME, "noscript").text
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def shown(browser: webdriver.Chrome, selector: str) -> list[str]:
    return [found.text for found in browser.find_elements(By.CSS_SELECTOR, selector)]


def with_layer(explanation: Explanation, **parts: Any) -> Explanation:
    return replace(explanation, layers=(replace(explanation.layers[0], **parts),), links={}, units={})


def test_what_has_no_position_is_said_beside_the_sum(
    browser: webdriver.Chrome, explanation: Explanation, tmp_path: Path
) -> None:
    plain = explanation.layers[0]
    rest = {"linear": torch.tensor([0.876, 0.5, -1.0, 0.0, 0.0]), "smoothed": torch.zeros(5)}
    spatial = {"linear": torch.zeros(5, 8, 6), "smoothed": plain.spatial["smoothed"]}
    page = write_page(with_layer(explanation, rest=rest, spatial=spatial), tmp_path).as_uri()
    apart = "to what has no position, such as the class token"
    opened(browser, page)
    assert text(browser, "legend-title") == f"Attribution of {NAMES[0]}: 0 at every position, and +0.876 {apart}"
    assert not is_shown(browser, "legend-scale")
    assert text(browser, "legend-said") == ""
    opened(browser, page, "#/?versus=2")
    assert text(browser, "legend-title").endswith(f"0 at every position, and +1.88 {apart}")
    opened(browser, page, "#/?mode=smoothed")
    assert text(browser, "legend-title").endswith(f", and 0 {apart}")
    assert "sum over positions" in text(browser, "legend-title")
    assert is_shown(browser, "legend-scale")


def test_a_channel_that_is_nowhere_active_has_no_scale(
    browser: webdriver.Chrome, explanation: Explanation, tmp_path: Path
) -> None:
    dead = explanation.layers[0].activations * 0
    opened(browser, write_page(with_layer(explanation, activations=dead), tmp_path).as_uri(), "#/?view=magnitude")
    assert text(browser, "legend-title") == "Length of the activation vector: 0 at every position"
    assert not is_shown(browser, "legend-scale")
    assert text(browser, "ties") == "All 12 channels are 0 here."


def test_positions_of_a_tile_share_one_picture_and_that_is_said(
    browser: webdriver.Chrome, explanation: Explanation, tmp_path: Path
) -> None:
    activations = explanation.layers[0].activations[:, :4, :5]
    parts = {
        "activations": activations,
        "top": activations.topk(5, dim=0).indices,
        "spatial": {"linear": torch.zeros(5, 4, 5)},
        "groups": {},
        "grid": torch.rand(6, 3, 12, 12, generator=torch.Generator().manual_seed(0)),
        "tile": 2,
    }
    page = write_page(with_layer(explanation, **parts), tmp_path).as_uri()
    opened(browser, page, "#/layer/features.2/at/3,4?view=directions")
    assert text(browser, "legend-title") == "What the mean activation of each 2 × 2 positions looks for"
    assert text(browser, "vector-size").endswith("; the picture is of the mean of 2 × 2 positions")
    tile = browser.find_element(By.CSS_SELECTOR, "#vector-picture .tile")
    assert (
        tile.get_attribute("aria-label") == "what all channels together look for here, in the mean of 2 × 2 positions"
    )
    assert tile.value_of_css_property("background-position") == "100% 100%"  # the last of 3 × 2
    browser.execute_script(
        "window.drawn = []; CanvasRenderingContext2D.prototype.drawImage = (_, ...box) => drawn.push(box);"
    )
    size = browser.execute_script("const e = document.getElementById('heat'); return [e.width, e.height]")
    at(browser, "sized").click()
    until(browser, lambda b: len(b.execute_script("return drawn")) == 6)
    assert text(browser, "legend-title").endswith("; area in proportion to that mean's length")
    drawn = torch.tensor(browser.execute_script("return drawn"), dtype=torch.float64)
    means = torch.stack([activations[:, i : i + 2, j : j + 2].mean((1, 2)) for i in (0, 2) for j in (0, 2, 4)])
    lengths = means.norm(dim=1).double()
    share = torch.tensor([2, 2, 1, 2, 2, 1]) / 5 * size[0] * size[1] / 2  # the last tiles are one column wide
    areas = drawn[:, 6] * drawn[:, 7]
    assert torch.allclose(areas / share, lengths / lengths.max(), atol=0.02)
    centres = drawn[:, 4:6] + drawn[:, 6:8] / 2
    assert torch.allclose(centres[:3, 0], torch.tensor([0.2, 0.6, 0.9], dtype=torch.float64) * size[0], atol=1.5)
    # A tile half as wide shows the middle of its picture, not a squeezed one.
    assert drawn[:, 2].tolist() == pytest.approx([12, 12, 6, 12, 12, 6], abs=0.1)
    assert drawn[2, :2].tolist() == pytest.approx([2 * 12 + 3, 0], abs=0.1)


def test_a_bar_below_zero_goes_the_other_way(
    browser: webdriver.Chrome, explanation: Explanation, tmp_path: Path
) -> None:
    activations = torch.tensor([0.93, -1.5, -2.43])[:, None, None].expand(3, 8, 6).contiguous()
    parts = {
        "activations": activations,
        "top": activations.topk(3, dim=0).indices,
        "channel": {},
        "groups": {},
    }
    opened(browser, write_page(with_layer(explanation, **parts), tmp_path).as_uri())
    assert shown(browser, "#channels .value") == ["0.93", "−1.5", "−2.43"]
    bars = browser.find_elements(By.CSS_SELECTOR, "#channels .bar")
    middles = [bar.rect["x"] + bar.rect["width"] / 2 for bar in bars]
    fills = [bar.find_element(By.CLASS_NAME, "fill").rect for bar in bars]
    assert fills[0]["x"] == pytest.approx(middles[0], abs=1)
    for fill, middle in zip(fills[1:], middles[1:], strict=True):
        assert fill["x"] + fill["width"] == pytest.approx(middle, abs=1)
    widths = [fill["width"] / (bar.rect["width"] / 2) for fill, bar in zip(fills, bars, strict=True)]
    assert widths == pytest.approx([0.93 / 2.43, 1.5 / 2.43, 1], abs=0.02)


def test_how_many_share_the_largest_value_is_said_where_they_are_not_all_listed(
    browser: webdriver.Chrome, explanation: Explanation, tmp_path: Path
) -> None:
    activations = explanation.layers[0].activations.clone()
    activations[:7, 0, 0], activations[7:, 0, 0] = 6.0, 1.0
    activations[:5, 0, 1], activations[5:, 0, 1] = 6.0, 1.0
    page = write_page(with_layer(explanation, activations=activations), tmp_path).as_uri()
    opened(browser, page, "#/layer/features.2/at/0,0")
    assert text(browser, "ties") == (
        f"7 channels share the largest value, 6; listed are those that count most for {NAMES[0]}."
    )
    opened(browser, page, "#/layer/features.2/at/0,1")
    assert not is_shown(browser, "ties")


def test_a_unit_s_page_names_what_each_number_is(browser: webdriver.Chrome, address: str) -> None:
    opened(browser, address, "#/unit/features.5/3")
    assert text(browser, "unit-here") == "(above the means of 61.5 % of 1000 photographs)"
    assert shown(browser, "#unit-pictures .note") == ["Numbers: greatest activation over positions."] * 3
    assert shown(browser, "#histogram text")[:3] == ["0", "mean over positions", "6"]


def test_a_photograph_stands_in_one_list_only(
    browser: webdriver.Chrome, explanation: Explanation, tmp_path: Path
) -> None:
    view = explanation.units["features.5", 3]
    few = tuple(replace(one, source=one.source[:3], by="mean") for one in view.examples if one.kind != "zero")
    other = replace(few[-1], source="other")
    units = {("features.5", 3): replace(view, examples=(*few, other), diversity=None)}
    opened(browser, write_page(replace(explanation, units=units), tmp_path).as_uri(), "#/unit/features.5/3")
    assert shown(browser, "#unit-pictures h2") == ["Photographs that drive it most", "Photographs that drive it least"]
    assert shown(browser, "#unit-pictures .source") == ["n00", "n01", "n02", "other"]
    assert shown(browser, "#unit-pictures .note") == [
        *["Numbers: mean activation over positions."] * 2,
        "There are few photographs: one that belongs in several of these lists stands in the first of them only.",
    ]


def test_without_classes_the_vectors_lengths_are_followed(
    browser: webdriver.Chrome, explanation: Explanation, tmp_path: Path
) -> None:
    layers = tuple(replace(layer, spatial={}, channel={}, groups={}) for layer in explanation.layers)
    page = write_page(replace(explanation, classes=(), layers=layers), tmp_path).as_uri()
    opened(browser, page)
    assert shown(browser, "#views span") == ["magnitude", "directions", "follow", "image"]
    choose(browser, "view", "follow")
    until(browser, lambda b: text(b, "trail").endswith("features.8: choose a position"))
    assert text(browser, "trail").splitlines()[0] == "length of the vectors"
    assert text(browser, "legend-title") == "Length of the activation vector"
    hover(browser, (2, 1), (4, 3), click=True)
    until(browser, lambda b: text(b, "legend-title").startswith("What excites row 2, column 1 of features.8"))


def test_following_another_class_starts_at_the_deepest_layer_in_the_address_too(
    browser: webdriver.Chrome, address: str
) -> None:
    opened(browser, address, "#/layer/features.5/at/1,1?view=follow&trail=2,1")
    choose(browser, "class", 1)
    until(browser, lambda b: text(b, "trail").endswith("features.8: choose a position"))
    assert fragment(browser).startswith("/layer/features.8?class=1&view=follow")
    opened(browser, address, "#/layer/features.2?view=follow")
    assert fragment(browser).startswith("/layer/features.8/at/")
    assert not is_shown(browser, "missing")


def test_what_is_known_in_steps_is_printed_no_finer_than_they_are(
    browser: webdriver.Chrome, explanation: Explanation, tmp_path: Path
) -> None:
    link = torch.zeros(4, 3, 4, 3)
    link[0, 0] = torch.tensor([[11.0, 0.0123, -0.0871], [0.34, 5.4, 0.26], [0.3, 0.3, 0.3], [0.3, 0.3, 0.3]])
    links = {("features.8", "features.5"): link}
    page = write_page(replace(explanation, links=links), tmp_path).as_uri()
    # The step is 11 / 127 = 0.087.
    for place, said in (("0,0", "+11"), ("0,1", "0"), ("0,2", "−0.1"), ("1,0", "+0.3"), ("1,1", "+5.4")):
        opened(browser, page, f"#/layer/features.5/at/{place}?view=follow&trail=0,0")
        assert text(browser, "legend-here") == f"here {said}"
    assert text(browser, "legend-title").endswith(f"sum over positions +{link.sum().item():.1f}")
    assert text(browser, "legend-said").split("\n") == ["−11 shortens it", "0", "lengthens it +11"]


@pytest.mark.parametrize(
    ("where", "said", "instead"),
    [
        ("#/layer/nope", "There is no layer nope. This is features.8.", "/layer/features.8/at/"),
        ("#/oops", "There is no layer oops. This is features.8.", "/layer/features.8/at/"),
        ("#/unit/features.5/99", "There is no channel 99 of features.5. This is features.5.", "/layer/features.5/at/"),
        ("#/layer/features.5/at/4,0", "There is no position 4,0 of features.5. This is", "/layer/features.5/at/"),
        ("#/layer/features.5/at/x", "There is no position x of features.5. This is", "/layer/features.5/at/"),
        ("#/layer/x?class=7", "There is no layer x, no class at place 7. This is", "/layer/features.8/at/"),
        ("#/unit/features.5/3?class=7", "There is no class at place 7. This is channel 3 of", "/unit/features.5/3"),
        ("#/?view=follow&trail=99,1", "There is no step 99,1. This is features.8.", "/layer/features.8/at/"),
    ],
)
def test_what_an_address_asks_for_and_is_not_there_is_said(
    browser: webdriver.Chrome, address: str, where: str, said: str, instead: str
) -> None:
    opened(browser, address, where)
    assert text(browser, "missing").startswith(said)
    assert fragment(browser).startswith(instead)
    browser.refresh()
    until(browser, lambda b: text(b, "place") or text(b, "unit-title"))
    assert not is_shown(browser, "missing")


def test_the_image_beneath_a_map_is_hidden_on_wish_and_the_legend_has_the_map_s_colours(
    browser: webdriver.Chrome, address: str
) -> None:
    opened(browser, address, "#/layer/features.8?view=magnitude")
    photo, grey = at(browser, "photo"), "rgba(128, 128, 128, 1)"
    assert photo.value_of_css_property("visibility") == "visible"
    at(browser, "bare").click()
    until(browser, lambda _: photo.value_of_css_property("visibility") == "hidden")
    assert "bare=1" in fragment(browser)
    for name in ("stage", "legend-scale"):
        assert at(browser, name).value_of_css_property("background-color") == grey
    strongest = browser.execute_script(
        """const canvas = document.getElementById("heat"), all = canvas.getContext("2d")
             .getImageData(0, 0, canvas.width, canvas.height).data;
           return all.reduce((most, value, i) => (i % 4 === 3 ? Math.max(most, value) : most), 0);"""
    )
    assert round(strongest / 255, 2) == 0.72
    scale = at(browser, "legend-scale").value_of_css_property("background-image")
    assert scale.startswith("linear-gradient(to right, rgba(68, 1, 84, 0.72)")
    choose(browser, "view", "image")
    until(browser, lambda b: not is_shown(b, "bare"))
    assert photo.value_of_css_property("visibility") == "visible"


def test_what_channels_shares_add_up_to_is_said(browser: webdriver.Chrome, address: str) -> None:
    opened(browser, address, "#/?bars=linear")
    assert text(browser, "bars-about") == (
        "They follow the slope at this image alone, and need not add up to the logit, 9.5."
    )
    opened(browser, address, "#/?bars=path&versus=1")
    assert text(browser, "bars-about") == (
        "They add up, nearly, to the difference of the logits, 1.2, less what it is with the layer at 0."
    )
    opened(browser, address, "#/?bars=stochastic")
    assert text(browser, "bars-about") == "They need not add up to the logit, 9.5."


def test_one_class_is_held_against_nothing(browser: webdriver.Chrome, explanation: Explanation, tmp_path: Path) -> None:
    plain = explanation.layers[0]
    parts = {
        "spatial": {mode: values[:1] for mode, values in plain.spatial.items()},
        "channel": {mode: values[:1] for mode, values in plain.channel.items()},
        "groups": {},
    }
    single = replace(with_layer(explanation, **parts), classes=explanation.classes[:1])
    opened(browser, write_page(single, tmp_path).as_uri())
    assert is_shown(browser, "classes-part")
    assert not is_shown(browser, "versus")


def test_a_finger_finds_every_control(browser: webdriver.Chrome, address: str) -> None:
    metrics(browser, 360, 740)
    opened(browser, address, "#/?view=follow&trail=1,1")
    for selector in ("select", "#n-groups", ".tabs label", ".class", ".switch label", "#trail button"):
        found = [element for element in browser.find_elements(By.CSS_SELECTOR, selector) if element.is_displayed()]
        assert found, selector
        assert min(min(element.rect["width"], element.rect["height"]) for element in found) >= 24, selector
