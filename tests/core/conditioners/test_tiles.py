"""Tiles: what they cover, and the published programs' arithmetic."""

from __future__ import annotations

import itertools

import pytest

from phosphene.conditioners import Tile, Tiles
from phosphene.errors import ParameterError


def starts(tiles, height, width=1):
    return [tile.top for tile in tiles.places(height, width)]


@pytest.mark.parametrize(
    ("height", "width"), [(8, 8), (9, 8), (16, 15), (17, 31), (40, 23), (5, 30), (30, 5), (3, 4), (1, 1), (64, 64)]
)
def test_covering_tiles_see_every_pixel_and_are_whole(height, width):
    tiles = Tiles(8, 7)
    seen = {
        (y, x)
        for tile in tiles.places(height, width)
        for y, x in itertools.product(range(tile.top, tile.bottom), range(tile.left, tile.right))
    }
    assert seen == set(itertools.product(range(height), range(width)))
    sizes = {(tile.bottom - tile.top, tile.right - tile.left) for tile in tiles.places(height, width)}
    assert sizes == {(min(8, height), min(7, width))}


@pytest.mark.parametrize("extent", range(9, 60))
def test_covering_tiles_are_as_few_as_can_be_and_evenly_spaced(extent):
    found = starts(Tiles(8, 8), extent)
    assert len(found) == -(-extent // 8)
    steps = [b - a for a, b in itertools.pairwise(found)]
    assert max(steps) - min(steps) <= 1
    assert (found[0], found[-1]) == (0, extent - 8)


@pytest.mark.parametrize("mode", ["cover", "matlab", "tensorflow"])
def test_an_image_no_larger_than_the_tile_is_one_tile(mode):
    tiles = Tiles(8, 9, mode)
    assert tiles.fits(8, 9)
    assert not tiles.fits(9, 9)
    assert tiles.places(8, 9) == (Tile(0, 0, 8, 9),)
    assert tiles.places(5, 3) == (Tile(0, 0, 5, 3),)
    assert tiles.padded(5, 3) == (5, 3)


@pytest.mark.parametrize(
    ("height", "expected"),
    [(512, [0]), (600, [0]), (768, [0]), (769, [0, 512]), (1024, [0, 512]), (1280, [0, 512]), (1281, [0, 512, 1024])],
)
def test_tensorflows_tiles_leave_remainders_up_to_half_a_tile(height, expected):
    tiles = Tiles(512, 512, "tensorflow")
    assert starts(tiles, height) == expected == list(range(0, max(height - 512 // 2, 512), 512))
    assert tiles.places(height, 1)[-1].bottom == min(expected[-1] + 512, height)


def test_matlabs_tiles_pad_to_whole_ones_without_overlap():
    tiles = Tiles(227, 227, "matlab")
    assert tiles.padded(227, 227) == (227, 227)
    assert tiles.padded(317, 317) == (454, 454)
    assert tiles.padded(443, 100) == (454, 227)
    assert tiles.places(443, 100) == (Tile(0, 0, 227, 227), Tile(227, 0, 454, 227))
    assert len(tiles.places(460, 300)) == 6


def test_the_roll_has_the_reach_of_its_program():
    assert Tiles(8, 6, "tensorflow").shift_range(5, 5) == ((0, 7), (0, 5))
    assert Tiles(8, 6, "matlab").shift_range(8, 6) == ((0, 0), (0, 0))
    assert Tiles(8, 6, "matlab").shift_range(9, 6) == ((1, 8), (1, 6))
    assert Tiles(8, 6).shift_range(5, 7) == ((0, 7), (0, 5))
    for mode in ("cover", "tensorflow", "matlab"):
        assert Tiles(8, 6, mode, roll=False).shift_range(99, 99) == ((0, 0), (0, 0))


def test_tiles_have_a_json_form():
    tiles = Tiles(300, 200, "matlab", roll=False)
    assert Tiles.from_json(tiles.to_json()) == tiles


@pytest.mark.parametrize("options", [{"height": 0}, {"width": 2**15}])
def test_a_tile_without_pixels_or_too_large_is_refused(options):
    with pytest.raises(ParameterError, match=r"(height|width) is \d+; expected a whole number from 1 to 16384"):
        Tiles(**options)


def test_an_unknown_mode_is_refused():
    with pytest.raises(ParameterError, match=r"mode is 'overlap'; expected one of \['cover', 'tensorflow', 'matlab'\]"):
        Tiles(mode="overlap")
