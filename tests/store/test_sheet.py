"""Contact sheets show every picture, unscaled and in order."""

from __future__ import annotations

import numpy as np
import pytest

from phosphene.errors import ImageError
from phosphene.store import contact_sheet


def test_every_picture_is_on_the_sheet_in_reading_order() -> None:
    images = [np.full((20, 30, 3), 40 * index, np.uint8) for index in range(5)]
    sheet = contact_sheet(images, ["a", "b", "c", "d", "e"], columns=3)
    assert sheet.shape == (8 + 2 * (20 + 16 + 8), 8 + 3 * (30 + 8), 3)
    for index, image in enumerate(images):
        top, left = 8 + 44 * (index // 3), 8 + 38 * (index % 3)
        np.testing.assert_array_equal(sheet[top : top + 20, left : left + 30], image)


def test_grey_and_smaller_pictures_stand_in_the_middle_of_their_cell() -> None:
    sheet = contact_sheet([np.zeros((20, 20), np.uint8), np.full((10, 10, 3), 9, np.uint8)], ["", ""], columns=9)
    np.testing.assert_array_equal(sheet[8 + 5 : 8 + 15, 36 + 5 : 36 + 15], 9)
    assert (sheet[8:28, 8:28] == 0).all()


def test_a_long_caption_stays_in_its_column() -> None:
    blank = np.zeros((20, 40, 3), np.uint8)
    both = contact_sheet([blank, blank], ["a very long caption indeed", ""], columns=2)
    paper = both[0, 0]
    assert (both[28:44, 8:48] != paper).any()
    assert (both[28:44, 48:] == paper).all()


@pytest.mark.parametrize(("n", "captions", "columns"), [(0, [], 1), (1, [], 1), (1, ["a"], 0)])
def test_a_sheet_without_pictures_captions_or_columns_is_refused(n: int, captions: list[str], columns: int) -> None:
    with pytest.raises(ImageError, match=rf"{n} images, {len(captions)} captions and {columns} columns make no sheet"):
        contact_sheet([np.zeros((2, 2), np.uint8)] * n, captions, columns=columns)
