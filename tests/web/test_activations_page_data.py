"""What the page of an activation atlas is made of, without a browser."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "atlas" / "activations"))

from made_up import LABELS, made_up_atlas

from phosphene.errors import ArgumentError, StorageError
from phosphene.store.atlas.activation_map import ActivationAtlas, ActivationCell, ActivationGrid, ActivationMap
from phosphene.store.webp import decode_webp, encode_webp
from phosphene.web.activations_classes import class_names
from phosphene.web.activations_page import ActivationPage, activation_files, write_activation_page
from phosphene.web.activations_sheets import blocks, sheet, tile_side


def document(page: ActivationPage, path: str) -> Mapping[str, Any]:
    text = page.read(path).decode("ascii")
    return json.loads(f"[{text.removeprefix('phosphene.put(').removesuffix(');' + chr(10))}]")[1]


def with_map(atlas: ActivationAtlas, **changes: Any) -> ActivationAtlas:
    return ActivationAtlas((replace(atlas.maps[0], **changes), *atlas.maps[1:]))


def cell(row: int, column: int, **changes: Any) -> ActivationCell:
    return replace(ActivationCell(row, column, 5, None, "ok", ((0, 1.0),)), **changes)


def picture(color: tuple[int, ...], size: tuple[int, int] = (6, 6)) -> bytes:
    return encode_webp(np.broadcast_to(np.array(color, np.uint8), (*size, len(color))).copy())


def test_the_documents_say_what_the_atlas_holds() -> None:
    atlas = made_up_atlas(2)
    page = ActivationPage(atlas, home="../../index.html")
    about = document(page, "data/activations.js")
    assert about["title"] == "blocks.8 of made_up_0 and blocks.9 of made_up_1"
    assert about["home"] == "../../index.html"
    assert sorted(about["classes"]) == sorted(LABELS)
    for number, (said, one) in enumerate(zip(about["maps"], atlas.maps, strict=True)):
        assert (said["network"], said["layer"], said["digest"]) == (one.network, one.layer, one.network_digest)
        assert (said["n_activations"], said["n_images"]) == (12_000, 1_000)
        assert [tuple(pair) for pair in said["settings"]] == list(one.settings)
        for grid, found in zip(said["grids"], one.grids, strict=True):
            assert grid == {"size": found.size, "file": f"data/map-{number}-grid-{found.size}.js"}
            assert_grid(document(page, grid["file"]), found, about["classes"])


def assert_grid(said: Mapping[str, Any], grid: ActivationGrid, names: list[str]) -> None:
    assert (said["size"], said["tile"], said["block"]) == (grid.size, 16, 8)
    rows = zip(said["row"], said["column"], said["count"], said["status"], strict=True)
    assert list(rows) == [(one.row, one.column, one.count, one.status) for one in grid.cells]
    assert said["pictured"] == [int(one.image is not None) for one in grid.cells]
    assert said["examples"] == [list(one.examples) for one in grid.cells]
    for pairs, one in zip(said["classes"], grid.cells, strict=True):
        assert [(names[place], value) for place, value in pairs] == [(LABELS[k], v) for k, v in one.classes]


def test_every_picture_stands_on_its_sheet_where_its_cell_says() -> None:
    (grid,) = made_up_atlas(grids=(10,), size=16).maps[0].grids
    found = blocks(grid)
    assert list(found) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    side, n = tile_side(grid), 0
    for cells in found.values():
        pixels = decode_webp(sheet(cells, side)).astype(int)
        assert pixels.shape[:2] == (128, 128)
        for one in cells:
            top, left = one.row % 8 * side, one.column % 8 * side
            tile = pixels[top : top + side, left : left + side]
            assert one.image is not None
            off = (tile[..., :3] - decode_webp(one.image))[2:-2, 2:-2].mean(axis=(0, 1))
            assert np.abs(off).max() < 8  # a neighbour's colour is 25 off
            assert (tile[..., 3:] == 255).all()
            n += 1
    assert n == sum(one.image is not None for one in grid.cells)


def test_a_picture_that_is_not_there_or_damaged_is_transparent_on_its_sheet() -> None:
    whole = picture((200, 10, 10))
    grid = ActivationGrid(4, (cell(0, 0, image=whole[:30]), cell(0, 1, image=whole), cell(1, 1)))
    (cells,) = blocks(grid).values()
    assert tile_side(grid) == 6
    opacity = decode_webp(sheet(cells, 6))[..., 3]
    assert (opacity[:6, 6:12] == 255).all()
    opacity[:6, 6:12] = 0
    assert not opacity.any()


def test_pictures_of_other_sizes_fill_their_tiles_and_keep_their_opacity() -> None:
    cells = (cell(0, 0, image=picture((200, 10, 10), (12, 4))), cell(0, 1, image=picture((9, 9, 200, 0))))
    pixels = decode_webp(sheet(cells, 6)).astype(int)
    assert np.abs(pixels[1:5, 1:4] - (200, 10, 10, 255)).max() < 12  # at its edges WebP mixes colours
    assert not pixels[:6, 6:12, 3].any()
    assert tile_side(ActivationGrid(4, ())) == 1


def test_no_two_classes_of_a_network_share_a_name_and_those_of_two_networks_do() -> None:
    def named(labels: tuple[str, ...], *indices: int) -> ActivationMap:
        cells = tuple(cell(0, i, classes=((index, 1.0),)) for i, index in enumerate(indices))
        return replace(made_up_atlas().maps[0], labels=labels, grids=(ActivationGrid(4, cells),))

    names, (first, second) = class_names([named(("crane", "Tabby", "crane", " "), 2, 0, 3, 1, 7), named(("Tabby",), 0)])
    assert names == ("class 3", "class 7", "crane (class 0)", "crane (class 2)", "Tabby")
    assert {index: names[place] for index, place in first.items()} == {
        0: "crane (class 0)", 1: "Tabby", 2: "crane (class 2)", 3: "class 3", 7: "class 7",
    }  # fmt: skip
    assert {index: names[place] for index, place in second.items()} == {0: "Tabby"}


def test_the_density_counts_points_in_squares_by_the_root() -> None:
    points = ((0.0, 0.0), (0.001, 0.002), (0.003, 0.0), (0.0, 0.004), (1.0, 1.0), (0.5, 0.25))
    page = ActivationPage(with_map(made_up_atlas(), points=points))
    density = document(page, "data/activations.js")["maps"][0]["density"]
    levels = np.frombuffer(base64.b64decode(density["data"]), np.uint8).reshape(density["side"], density["side"])
    expected = np.zeros_like(levels)
    expected[0, 0], expected[-1, -1], expected[32, 64] = 255, 128, 128  # 4 points, 1 and 1
    assert (levels == expected).all()
    bare = ActivationPage(with_map(made_up_atlas(), points=()))
    assert document(bare, "data/activations.js")["maps"][0]["density"] is None


def test_what_is_no_number_is_said_as_nothing() -> None:
    said = ((0, float("nan")), (1, float("-inf")), (2, 0.123456))
    grid = ActivationGrid(4, (cell(1, 2, classes=said),))
    page = ActivationPage(with_map(made_up_atlas(), grids=(grid,)))
    (pairs,) = document(page, "data/map-0-grid-4.js")["classes"]
    assert [value for _, value in pairs] == [None, None, 0.1235]


def test_no_name_ends_a_script_or_the_title() -> None:
    hostile = "</script><!--&\u2028\ud7ff"
    atlas = with_map(made_up_atlas(), network=hostile, layer="$scripts ${x}", settings=((hostile, hostile),))
    page = ActivationPage(atlas)
    for path in page.files():
        if path.startswith("data/"):
            assert not any(letter in page.read(path) for letter in (b"<", b">", b"&"))
    index = page.read("index.html").decode()
    assert index.count("<title>$scripts ${x} of &lt;/script&gt;&lt;!--&amp;") == 1
    assert document(page, "data/activations.js")["maps"][0]["network"] == hostile


def test_the_files_are_those_that_can_be_read_and_the_index_is_last() -> None:
    page = ActivationPage(made_up_atlas(2, grids=(4, 10)))
    names = page.files()
    assert len(set(names)) == len(names)
    assert names[-1] == "index.html"
    assert [name for name, _ in activation_files(made_up_atlas(2, grids=(4, 10)))] == list(names)
    sheets = {name for name in names if name.startswith("sheets/")}
    told = [document(page, name)["sheets"].values() for name in names if name.startswith("data/map-")]
    assert {name for found in told for name in found} == sheets
    index = page.read("index.html").decode()
    assert all(index.count(f'"{name}"') == 1 for name in names if name.startswith("page/"))
    for name in ("../index.html", "page/explain_page.js", ""):
        with pytest.raises(KeyError):
            page.read(name)


def test_the_page_written_again_drops_what_it_has_no_more(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "activation_atlas.parquet").write_bytes(b"data")
    write_activation_page(made_up_atlas(2), tmp_path)
    index = write_activation_page(made_up_atlas(1, grids=(4,)), tmp_path, title="Small")
    assert index == tmp_path / "index.html"
    assert "<title>Small</title>" in index.read_text()
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    page = ActivationPage(made_up_atlas(1, grids=(4,)))
    assert found == {*page.files(), "notes.txt", "activation_atlas.parquet", "page/files.txt"}


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"was not written: .*choose another folder"):
        write_activation_page(made_up_atlas(), tmp_path / "file")


def test_an_atlas_that_is_no_page_is_refused() -> None:
    with pytest.raises(ArgumentError, match="of no maps came; expected one map or two"):
        ActivationPage(ActivationAtlas(()))
    first, second = made_up_atlas(2, grids=(4, 8)).maps
    lone = replace(second, grids=tuple(replace(grid, size=grid.size + 1) for grid in second.grids))
    with pytest.raises(ArgumentError, match=r"no grid size in common \(sizes: 4, 8; 5, 9\)"):
        ActivationPage(ActivationAtlas((first, lone)))
    with pytest.raises(ArgumentError, match=r"\(sizes: none\)"):
        ActivationPage(ActivationAtlas((replace(first, grids=()),)))


def test_making_the_page_loads_no_torch() -> None:
    code = "import sys, phosphene.web.activations_page; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0
