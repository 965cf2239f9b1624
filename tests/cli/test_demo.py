"""``phosphene demo``: a page over real pictures, made once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import phosphene as ph
from phosphene import store
from phosphene.cli import demo

SMALL = ("--steps", 1, "--size", 16)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two layers of two channels and two classes."""
    monkeypatch.setattr(demo, "LAYERS", ("blocks.1", "blocks.3"))
    monkeypatch.setattr(demo, "N_CHANNELS", 2)
    monkeypatch.setattr(demo, "CLASSES", ("espresso", "monarch butterfly"))


def test_the_demo_set_is_six_layers_of_six_channels_and_twelve_classes() -> None:
    texts = [named.text for named in demo.demo_units(ph.load(demo.NETWORK))]
    layers = [text.partition(":")[0] for text in texts]
    assert len(set(texts)) == 48
    assert [layers.count(layer) for layer in demo.LAYERS] == [6] * 6
    assert layers.count("classifier") == 12


@pytest.mark.usefixtures("few")
def test_the_demo_writes_pictures_page_and_sheet_and_says_where(run, tmp_path: Path) -> None:
    result = run("demo", "-o", tmp_path, *SMALL)
    assert result.exit_code == 0, result.output
    pictures = sorted(path.name for path in tmp_path.glob("*_*.png"))
    assert pictures == [
        "blocks.1_0.png",
        "blocks.1_12.png",
        "blocks.3_0.png",
        "blocks.3_20.png",
        "classifier_espresso.png",
        "classifier_monarch-butterfly.png",
    ]
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    links = set(re.findall(r'<a href="([^"#]+\.png)"', page))
    assert links == set(pictures)
    assert page.count("data:image/png;base64,") == 6
    assert not re.search(r"https?:", page)
    assert store.read_png_pixels(tmp_path / "contact-sheet.png").shape[1] > 6 * 16
    assert str(tmp_path / "index.html") in result.stdout
    assert str(tmp_path / "contact-sheet.png") in result.stdout


@pytest.mark.usefixtures("few")
def test_a_second_call_keeps_what_is_there_until_it_is_asked_or_made_otherwise(run, tmp_path: Path) -> None:
    run("demo", "-o", tmp_path, *SMALL)
    picture = tmp_path / "blocks.1_0.png"

    def rendered_again(*options: object) -> set[str]:
        before = {path.name: path.stat().st_ino for path in tmp_path.glob("*_*.png")}
        assert run("demo", "-o", tmp_path, *SMALL, *options).exit_code == 0
        return {name for name, inode in before.items() if (tmp_path / name).stat().st_ino != inode}

    assert rendered_again() == set()
    store.write_png(picture, store.read_png_pixels(picture))
    assert rendered_again() == {"blocks.1_0.png"}
    assert len(rendered_again("--fresh")) == 6
    assert len(rendered_again("--steps", 2)) == 6


@pytest.mark.usefixtures("few")
def test_a_picture_without_a_score_stands_on_the_page_with_a_dash(run, tmp_path: Path) -> None:
    run("demo", "-o", tmp_path, *SMALL)
    for name in ("blocks.1_0.png", "classifier_espresso.png"):
        picture = tmp_path / name
        store.write_png(picture, store.read_png_pixels(picture), {**store.read_png_document(picture), "score": None})
    before = {path.name: path.stat().st_ino for path in tmp_path.glob("*_*.png")}
    result = run("demo", "-o", tmp_path, *SMALL)
    assert result.exit_code == 0, result.output
    assert {path.name: path.stat().st_ino for path in tmp_path.glob("*_*.png")} == before  # nothing is rendered again
    scores = re.findall(r'class="score"[^>]*>([^<]*)<', (tmp_path / "index.html").read_text(encoding="utf-8"))
    assert [scores.index("–"), scores.count("–"), len(scores)] == [0, 2, 6]
    assert "nan" not in scores
