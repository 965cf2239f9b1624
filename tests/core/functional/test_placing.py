"""Stimuli are placed pixel by pixel where their box says."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from networks import random_images

from phosphene.errors import ImageError, ParameterError
from phosphene.functional.placing import Box, crop, place


@pytest.mark.parametrize("box", [Box(2, 3, 7, 7), Box(-2, 5, 3, 9), Box(6, -3, 11, 1), Box(0, 0, 5, 4)])
def test_a_stimulus_of_the_boxs_size_is_copied_and_cut_at_the_border(box):
    image = random_images(2, 3, (5, 4))
    found = place(image, box, (9, 8), background=0.25)
    for y in range(9):
        for x in range(8):
            inside = 0 <= y - box.top < 5 and 0 <= x - box.left < 4
            expected = image[:, :, y - box.top, x - box.left] if inside else torch.full((2, 3), 0.25).double()
            assert torch.equal(found[:, :, y, x], expected)


def test_another_size_is_resized_to_the_box():
    image = random_images(1, 1, (12, 9))[0]
    found = place(image, Box(1, 2, 7, 5), (9, 8))
    expected = F.interpolate(image[None], (6, 3), mode="bilinear", align_corners=False, antialias=True)[0]
    assert torch.equal(found[:, 1:7, 2:5], expected)
    assert float(found[0, 0, 0]) == 0.5


def test_a_crop_gives_back_what_was_placed():
    image, box = random_images(2, 3, (5, 4)), Box(2, 3, 7, 7)
    assert torch.equal(crop(place(image, box, (9, 8)), box), image)
    assert crop(image, Box(-4, 1, 2, 99)).shape == (2, 3, 2, 3)
    assert (box.height, box.width) == (5, 4)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda i: place(i, Box(3, 3, 3, 6), (9, 8)), ParameterError, "shows nothing on 9 × 8 pixels"),
        (lambda i: place(i, Box(9, 0, 12, 6), (9, 8)), ParameterError, "shows nothing"),
        (
            lambda i: place(i, Box(0, 0, 3, 6), (9, 8), background=2.0),
            ParameterError,
            "background is 2.0; expected a grey",
        ),
        (lambda i: place(i[:0], Box(0, 0, 3, 6), (9, 8)), ImageError, r"the image is \(0, 3, 5, 4\) of torch.float64"),
        (lambda i: crop(i[..., :0], Box(0, 0, 3, 6)), ImageError, r"\(1, 3, 5, 0\) .*; expected floats"),
        (lambda i: crop(i, Box(0, 9, 3, 12)), ParameterError, "shows nothing on 5 × 4"),
    ],
)
def test_what_cannot_be_placed_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call(random_images(1, 3, (5, 4)))
