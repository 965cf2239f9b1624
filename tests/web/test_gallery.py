"""The page of pictures stands alone and believes no text."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from phosphene.store import encode_png
from phosphene.web import Picture, Section, gallery_page

HOSTILE = "<script>alert(1)</script> & \"'"
VOID = {"meta", "img", "br", "link"}


class Reader(HTMLParser):
    """Collects links, images and visible text, and checks that tags close in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, tag: str, name: str) -> list[str | None]:
        return [attributes.get(name) for found, attributes in self.attributes if found == tag]


def picture(name: str) -> Picture:
    png = encode_png(np.zeros((4, 6, 3), np.uint8))
    return Picture(name, "blocks.8:7@3,4", 12.3456, "blocks.8_7@3,4 a.png", png, (4, 6))


@pytest.fixture
def page() -> str:
    sections = [Section("blocks.8", HOSTILE, (picture("channel 7"), picture(HOSTILE))), Section("classes", "", ())]
    return gallery_page(HOSTILE, "What units like.", sections, footer="made here")


@pytest.fixture
def reader(page: str) -> Reader:
    made = Reader()
    made.feed(page)
    return made


def test_tags_are_balanced_and_nothing_of_a_text_becomes_markup(reader: Reader) -> None:
    assert reader.open == []
    assert "script" not in {tag for tag, _ in reader.attributes}
    assert reader.text.count("<script>") == 4  # title, heading, note and caption, as text


def test_nothing_is_loaded_from_elsewhere(page: str, reader: Reader) -> None:
    assert all(source and source.startswith("data:image/png;base64,") for source in reader.values("img", "src"))
    assert not re.search(r"https?:|@import|url\(|<link", page)


def test_each_picture_has_its_size_alternative_text_score_and_link(reader: Reader) -> None:
    assert reader.values("img", "alt")[0] == "Image that drives blocks.8:7@3,4 most: channel 7"
    assert (reader.values("img", "width")[0], reader.values("img", "height")[0]) == ("6", "4")
    assert "12.3" in reader.text
    assert reader.values("a", "href").count("blocks.8_7%403%2C4%20a.png") == 4  # picture and name, twice


def test_sections_are_linked_from_the_top(reader: Reader) -> None:
    assert {"part-1", "part-2"} == set(reader.values("section", "id"))
    assert {"#part-1", "#part-2"} <= set(reader.values("a", "href"))


def test_the_page_suits_phones_and_dark_rooms(page: str) -> None:
    assert 'name="viewport"' in page
    assert "prefers-color-scheme: dark" in page
