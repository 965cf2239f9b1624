"""What sites are made of: an order by likeness, a cache that is bounded, scripts, rows that are read in stretches."""

from __future__ import annotations

import itertools
import json
import threading
from pathlib import Path

import numpy as np
import pytest
from atlas_fixtures import Shape, broken_copy, made_up_manifest, make_atlas

from phosphene.web.atlas_cache import SizedCache
from phosphene.web.atlas_order import similarity_ranks
from phosphene.web.atlas_pages import page_file
from phosphene.web.atlas_reading import read_rows
from phosphene.web.atlas_scripts import rounded, script, to_json
from phosphene.web.atlas_sheets import _tile, mosaic_size, n_sheets, sheet_rows
from phosphene.web.atlas_view import AtlasView


def path_length(vectors: np.ndarray, ranks: np.ndarray) -> float:
    return float(np.linalg.norm(np.diff(vectors[np.argsort(ranks)], axis=0), axis=1).sum())


def test_points_on_a_line_are_walked_along_it() -> None:
    noise = np.random.default_rng(0)
    line = np.linspace(0, 1, 400)[:, None] * np.array([[3.0, -1.0, 2.0]])
    mixed = noise.permutation(400)
    ranks = similarity_ranks(line[mixed].astype(np.float32))
    walked = mixed[np.argsort(ranks)]
    assert walked.tolist() in (list(range(400)), list(range(399, -1, -1)))


def test_points_on_a_bow_are_walked_along_it() -> None:
    angle = np.linspace(0, np.pi, 400)
    bow = np.stack([np.cos(angle), 2 * np.sin(angle)], axis=1).astype(np.float32)
    mixed = np.random.default_rng(0).permutation(400)
    walked = mixed[np.argsort(similarity_ranks(bow[mixed]))]
    assert walked.tolist() in (list(range(400)), list(range(399, -1, -1)))


def test_neighbours_in_the_order_are_near_each_other() -> None:
    noise = np.random.default_rng(1)
    centres = noise.normal(size=(20, 16)) * 10
    vectors = (centres[noise.integers(0, 20, 1000)] + noise.normal(size=(1000, 16)) * 0.1).astype(np.float32)
    ranks = similarity_ranks(vectors)
    assert sorted(ranks.tolist()) == list(range(1000))
    assert path_length(vectors, ranks) < 0.15 * path_length(vectors, np.arange(1000))


def test_the_order_is_the_same_every_time_and_the_unknown_come_last() -> None:
    vectors = np.random.default_rng(2).normal(size=(300, 8)).astype(np.float32)
    vectors[[3, 77]] = np.nan
    vectors[100:160] = 0  # all alike
    ranks = similarity_ranks(vectors)
    assert (ranks == similarity_ranks(vectors.copy())).all()
    assert sorted(ranks[[3, 77]].tolist()) == [298, 299]
    assert sorted(ranks.tolist()) == list(range(300))


@pytest.mark.parametrize("n", [0, 1, 2, 48, 49])
@pytest.mark.parametrize("d", [1, 5])
def test_few_vectors_have_an_order_too(n: int, d: int) -> None:
    assert sorted(similarity_ranks(np.ones((n, d), np.float32)).tolist()) == list(range(n))


def test_what_was_not_asked_for_longest_is_forgotten() -> None:
    made: list[str] = []

    def make(name: str) -> bytes:
        made.append(name)
        return name.encode() * 4

    cache = SizedCache[bytes](10, len)
    for name in "abacab":
        assert cache.get(name, lambda name=name: make(name)) == name.encode() * 4
    assert made == ["a", "b", "c", "b"]  # c drove b out, a had been asked for since


def test_what_is_larger_than_the_cache_is_given_and_kept_alone() -> None:
    cache = SizedCache[bytes](10, len)
    assert cache.get("large", lambda: b"x" * 99) == b"x" * 99
    assert cache.get("large", lambda: b"never") == b"x" * 99
    assert cache.get("small", lambda: b"y") == b"y"
    assert cache.get("large", lambda: b"again") == b"again"


def test_what_was_being_made_when_all_was_forgotten_is_not_kept() -> None:
    cache = SizedCache[bytes](10, len)

    def late() -> bytes:
        cache.clear()
        return b"old"

    assert cache.get("a", late) == b"old"
    assert cache.get("a", lambda: b"new") == b"new"


def test_what_fails_is_tried_again() -> None:
    cache = SizedCache[bytes](10, len)
    with pytest.raises(ZeroDivisionError):
        cache.get("a", lambda: bytes(1 // 0))
    assert cache.get("a", lambda: b"fine") == b"fine"


@pytest.mark.parametrize("text", ["</script>", "<!--", "]]>", "&amp;", "\u2028\u2029", "\0", "\ud800", "é猫", '"\\'])
def test_a_script_says_exactly_what_it_was_given_and_nothing_to_a_parser(text: str) -> None:
    made = script(text, {"name": text, text: [text]}).decode("ascii")
    assert not set("<>&\u2028\u2029") & set(made)
    assert json.loads(f"[{made[14:-3]}]") == [text, {"name": text, text: [text]}]


def test_numbers_that_json_does_not_know_are_none() -> None:
    assert [rounded(float(text)) for text in ("nan", "inf", "-inf", "0.123456789")] == [None, None, None, 0.12346]
    assert rounded(None) is None
    with pytest.raises(ValueError, match="Out of range"):
        to_json(float("nan"))


def test_sheets_hold_all_tiles() -> None:
    for n in (0, 1, 15, 16, 17, 127, 128, 129, 100_000):
        assert n_sheets(n) * sheet_rows(n) * 16 >= n
        assert n_sheets(n) <= n // 128 + 1
    assert mosaic_size(0) == (64, 64)
    # Of less than a row all units, larger; else whole rows: nowhere a gap.
    assert [mosaic_size(n) for n in (1, 15, 16, 31, 32, 96)] == [
        *[(64, 64), (64, 960), (32, 512), (32, 512), (64, 512), (192, 512)]
    ]
    assert mosaic_size(100_000) == (192, 512)


def test_a_tile_shows_what_is_transparent_and_no_colour_of_it() -> None:
    picture = np.zeros((96, 48, 4), np.uint8)
    picture[:48] = (250, 10, 10, 255)
    picture[48:] = (0, 255, 0, 0)  # green that nobody sees
    tile = _tile(picture, 64)
    assert tile.shape == (64, 64, 4)
    assert (tile[:, :15, 3] == 0).all()  # beside it
    assert (tile[:, 49:, 3] == 0).all()
    assert tile[:28, 18:46].reshape(-1, 4).tolist() == [[250, 10, 10, 255]] * (28 * 28)
    assert (tile[40:, :, 3] == 0).all()
    seen = tile[tile[:, :, 3] > 8]
    assert seen[:, 1].max() < 40
    assert (_tile(picture[:48, :, :3], 16)[:, :, 3] == 255).all()


def test_pages_are_those_of_an_atlas_only() -> None:
    for path in ("session_page.html", "page/explain_page.js", "page/gallery.py", "page/"):
        with pytest.raises(KeyError):
            page_file(path, "title")


def test_stretches_of_units_are_the_units_one_by_one(tmp_path: Path) -> None:
    shapes = (Shape("features.3", 90, ((0, 40), (45, 90))),)
    folder = make_atlas(tmp_path / "a", made_up_manifest(shapes, seeds=(0, 1)), facts=False, side=8)
    view = AtlasView(folder)
    units = view.units("features.3").tolist()
    for start, stop in ((0, 1), (30, 50), (63, 85), (84, 85)):
        rows = view.rows("features.3", (start, stop))
        expected = list(itertools.chain(*(folder.unit("features.3", unit) for unit in units[start:stop])))
        assert sorted(rows.pictures, key=lambda one: one.id) == sorted(expected, key=lambda one: one.id)
        first = dict(view.first_pictures("features.3", "negative", (start, stop)))
        assert sorted(first) == list(range(start, stop))
        assert all((one.unit, one.variant, one.seed) == (units[i], "negative", 0) for i, one in first.items())


def test_what_is_damaged_is_told_by_unit_variant_and_seed(tmp_path: Path) -> None:
    folder = make_atlas(tmp_path / "a", made_up_manifest((Shape("features.3", 6),)), facts=False, side=8)
    rows = read_rows(broken_copy(folder, "features.3", tmp_path / "b"), "features.3", (0, 6))
    assert rows.damages
    told = {(one.unit, one.variant, one.member, one.seed) for one in rows.damages}
    read = {(one.unit, one.variant, one.member, one.seed) for one in rows.pictures}
    assert told | read == {
        (p.unit, p.variant, p.member, p.seed) for u in range(6) for p in folder.unit("features.3", u)
    }
    assert not told & read


def test_numbers_are_made_once_for_many_readers(tmp_path: Path) -> None:
    view = AtlasView(make_atlas(tmp_path / "a", made_up_manifest((Shape("features.3", 6),)), facts=False, side=8))
    made, started = list[int](), threading.Barrier(4, timeout=30)

    def make() -> int:
        made.append(1)
        return len(made)

    found: list[int] = []

    def ask() -> None:
        started.wait()
        found.append(view.kept("key", make))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (found, made) == ([1] * 4, [1])
