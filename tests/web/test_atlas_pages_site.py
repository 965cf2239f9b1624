"""The pages over an atlas as it is stored: exported and opened from disk, and served. A made-up atlas with units that
failed, names that would do harm, jobs that are not done and a damaged file.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from atlas_fixtures import FAILURES, LABELS, NASTY, NASTY_LAYER, Shape, broken_copy, made_up_manifest, make_atlas
from atlas_turning import drawn, is_shown, opened, text, texts, titled
from browsers import CHROMIUM, DRIVER, asked, until, untroubled
from selenium import webdriver
from selenium.webdriver.common.by import By

from phosphene.store.atlas import AtlasFolder, Picture, open_atlas
from phosphene.web.atlas_export import export_site
from phosphene.web.atlas_server import serve
from phosphene.web.atlas_site import Site

ENDS_S = 20

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="chromium and chromedriver are not installed"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> AtlasFolder:
    return make_atlas(tmp_path_factory.mktemp("atlas") / "atlas")


@pytest.fixture(scope="module")
def disk(folder: AtlasFolder, tmp_path_factory: pytest.TempPathFactory) -> str:
    out = tmp_path_factory.mktemp("site") / "site"
    export_site(Site(folder), out)
    return out.as_uri() + "/"


@pytest.fixture(scope="module")
def served(folder: AtlasFolder) -> Iterator[str]:
    with_server = Server(Site(folder))
    with with_server:
        yield with_server.address


@pytest.fixture(params=["disk", "served"])
def address(request: pytest.FixtureRequest) -> str:
    return request.getfixturevalue(request.param)


@pytest.fixture(autouse=True)
def no_complaints(browser: webdriver.Chrome) -> Iterator[None]:
    with untroubled(browser):
        yield


class Server:
    """Serves a site in a thread while the block lasts."""

    def __init__(self, site: Site) -> None:
        self._site, self._said, self._ended = site, list[str](), threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self) -> None:
        serve(self._site, port=0, say=self._said.append, stop=self._ended.is_set)

    @property
    def address(self) -> str:
        return self._said[0].removeprefix("Atlas: ")

    def __enter__(self) -> Server:
        self._thread.start()
        until_s = time.monotonic() + ENDS_S
        while not self._said and time.monotonic() < until_s:
            time.sleep(0.02)
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(ENDS_S)


def test_the_contents_show_each_layer_s_mosaic(browser: webdriver.Chrome, address: str) -> None:
    opened(browser, address + "index.html")
    assert texts(browser, ".layer-name") == ["features.3", "features.6", NASTY_LAYER, "classifier"]
    browser.execute_script("document.querySelectorAll('img').forEach(image => { image.loading = 'eager' })")
    drawn(browser, ".mosaic img")
    loaded = asked(browser)
    assert {f"{address}data/features.3/mosaic.webp", f"{address}page/atlas_page.css"} <= set(loaded)
    assert all(name.startswith((address, "data:", "about:blank")) for name in loaded)


def test_a_layer_of_two_ranges_shows_every_unit_of_them(browser: webdriver.Chrome, disk: str) -> None:
    opened(browser, disk + "layer.html#features.6?size=s")
    shown = [
        int((e.get_attribute("href") or "").rpartition(":")[2])
        for e in browser.find_elements(By.CSS_SELECTOR, "#grid a")
    ]
    assert shown == [*range(100), *range(120, 150)]
    until(browser, lambda b: "url(" in str(b.find_element(By.CSS_SELECTOR, "#grid .tile").get_attribute("style")))
    opened(browser, disk + "unit.html#features.6:120")
    assert text(browser, "title") == "features.6 : 120"
    assert text(browser, "missing") == ""
    opened(browser, disk + "unit.html#features.6:110")
    assert "There is no unit “110” of features.6" in text(browser, "missing")


def test_a_unit_s_page_is_whole(browser: webdriver.Chrome, address: str) -> None:
    opened(browser, address + "unit.html#features.6:8")
    drawn(browser, "#plate img")
    drawn(browser, "#others img")
    assert len(texts(browser, "#others button")) == 3  # least, and two other ways
    assert len(texts(browser, "#scores dd")) == 3
    assert texts(browser, ".neighbours h2")[:2] == ["Units that answer alike", "Units whose pictures look alike"]
    assert text(browser, "command").startswith("phosphene atlas render ")
    browser.find_element(By.CSS_SELECTOR, '[data-kind="correlated"] a').click()
    until(browser, lambda b: text(b, "title") != "features.6 : 8")
    drawn(browser, "#plate img")


@pytest.mark.parametrize("unit", sorted(FAILURES))
def test_a_unit_that_failed_says_why(browser: webdriver.Chrome, disk: str, unit: int) -> None:
    opened(browser, f"{disk}unit.html#features.3:{unit}")
    assert FAILURES[unit][1] in text(browser, "plate")


def test_names_that_would_do_harm_are_shown_and_searched(browser: webdriver.Chrome, served: str) -> None:
    opened(browser, served + "layer.html#classifier")
    names = texts(browser, "#grid .caption span:first-child")
    assert names[: len(LABELS) + 2] == [*LABELS, *NASTY[:2]]
    browser.find_elements(By.CSS_SELECTOR, ".layer, #previous")[0].click()
    titled(browser, NASTY_LAYER)
    opened(browser, served + "index.html#?q=panda")
    assert texts(browser, "#results .name") == ["Großer Panda"]
    assert "url(" in str(browser.find_element(By.CSS_SELECTOR, "#results .tile").get_attribute("style"))
    opened(browser, served + "index.html#?q=script")
    assert NASTY[0] in texts(browser, "#results .name")
    opened(browser, served + "index.html#?q=photograph")
    assert "Driven by the photograph" in texts(browser, "#results h3")


def test_an_atlas_that_is_not_done_shows_what_there_is(browser: webdriver.Chrome, tmp_path: Path) -> None:
    growing = make_atlas(tmp_path / "growing", left_out=3, compacted=False, facts=False)
    base = export_site(Site(growing), tmp_path / "site").parent.as_uri() + "/"
    opened(browser, base + "index.html")
    assert "not drawn yet" in text(browser, "about")
    opened(browser, base + "unit.html#features.3:8")
    drawn(browser, "#plate img")
    assert len(texts(browser, "#scores dd")) == 1  # nothing is known of photographs
    assert not is_shown(browser, "answers-part")


def test_a_damaged_picture_is_named_on_its_page_and_the_others_are_shown(
    browser: webdriver.Chrome, folder: AtlasFolder, tmp_path: Path
) -> None:
    damaged = broken_copy(folder, "features.3", tmp_path / "damaged")
    base = export_site(Site(damaged), tmp_path / "site").parent.as_uri() + "/"
    units = _units(tmp_path / "site", "features.3")
    unit, picture = next(
        (unit, picture) for unit in units for picture in unit["pictures"] if picture["status"] == "damaged"
    )
    name = f"{picture['variant']}.{picture['member']}.{picture['seed']}"
    opened(browser, f"{base}unit.html#features.3:{unit['unit']}?picture={name}")
    assert text(browser, "plate").split("\n")[0] == "damaged"
    drawn(browser, "#others img")


def test_with_the_least_chosen_a_layer_goes_by_its_least(browser: webdriver.Chrome, tmp_path: Path) -> None:
    def change(row: Picture) -> Picture:
        if (row.unit, row.variant) not in ((3, "negative"), (4, "positive"), (9, "negative")):
            return row
        return replace(row, status="failed", reason="", score=None, robust_score=None, curve=(), image=None)

    folder = make_atlas(tmp_path / "atlas", made_up_manifest((Shape("conv", 12),), diversity=0), change=change)
    site = export_site(Site(folder, compare=folder, title="one"), tmp_path / "site").parent.as_uri()
    scores = {
        one.unit: one.score for unit in range(12) for one in folder.unit("conv", unit) if one.variant == "negative"
    }
    opened(browser, f"{site}/layer.html#conv?variant=negative&sort=score")
    found = browser.execute_script("return [...document.querySelectorAll('#grid a')].map(e => e.title)")
    known = {unit: score for unit, score in scores.items() if score is not None}
    order = sorted(known, key=lambda unit: (-known[unit], unit))
    assert [int(title.split(",")[0].split(":")[1]) for title in found[: len(order)]] == order
    assert found[0] == f"conv:{order[0]}, score {known[order[0]]:.3g}".replace("-", "−")
    assert "conv:3, failed" in found
    opened(browser, f"{site}/layer.html#conv?variant=negative&status=failed")
    assert [text.split("\n")[0] for text in texts(browser, "#grid li")] == ["3", "7", "9"]
    assert "1 dead, 1 not finite, 3 failed" in text(browser, "about")
    opened(browser, f"{site}/compare.html#conv?variant=negative")
    until(browser, lambda b: len(texts(b, "#pairs li")) == 12)
    script = (
        "return [...document.querySelectorAll('#pairs li')].slice(3, 5).map(e => e.querySelector('.tile').dataset.word)"
    )
    assert browser.execute_script(script) == ["failed", ""]
    opened(browser, f"{site}/compare.html#conv:4?variant=negative")
    until(browser, lambda b: text(b, "side-a"))
    assert f"score {known[4]:.3g}".replace("-", "−") in text(browser, "side-a")


def test_damaged_pictures_are_those_of_the_variant_that_is_shown(browser: webdriver.Chrome, tmp_path: Path) -> None:
    whole = make_atlas(tmp_path / "atlas", made_up_manifest((Shape("conv", 4),), diversity=0))
    image = next(one.image for one in whole.unit("conv", 0) if one.variant == "negative")
    assert image is not None
    file = next((tmp_path / "atlas/data/conv").glob("*.parquet"))
    data = bytearray(file.read_bytes())
    data[data.index(image) + 40] ^= 0xFF  # they lie together
    file.write_bytes(data)
    folder = open_atlas(str(tmp_path / "atlas"))
    site = export_site(Site(folder), tmp_path / "site").parent.as_uri()
    for variant, words in (("positive", [""] * 4), ("negative", ["damaged"] * 4)):
        opened(browser, f"{site}/layer.html#conv?variant={variant}")
        script = "return [...document.querySelectorAll('#grid .tile')].map(e => e.dataset.word)"
        assert browser.execute_script(script) == words


def _units(site: Path, slug: str) -> list[dict[str, Any]]:
    paths = sorted((site / "data" / slug).glob("units-*.js"))
    parts = [path.read_text(encoding="ascii").partition(",")[2].removesuffix(");\n") for path in paths]
    return [unit for part in parts for unit in json.loads(part)]
