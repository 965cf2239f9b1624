"""How a stimulus stands on the screen."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from phosphene.errors import ArgumentError, ImageError, ParameterError, RecipeError
from phosphene.exchange import Display


def photo(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def literal(image: np.ndarray, display: Display, mask: np.ndarray) -> np.ndarray:
    """Pixel by pixel: every pixel of the canvas looks for the stimulus' pixel that lies on it."""
    _, h, w = image.shape
    height, width = display.height or h, display.width or w
    row, column = display.position or (height / 2, width / 2)
    top, left = math.ceil(row - h / 2 - 0.5), math.ceil(column - w / 2 - 0.5)
    canvas = np.full((3, height, width), display.background)
    for y in range(height):
        for x in range(width):
            if 0 <= y - top < h and 0 <= x - left < w:
                share = mask[y - top, x - left]
                color = image[:, y - top, x - left]
                canvas[:, y, x] = share * color + (1 - share) * display.background
    return canvas


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (8, 8)])
def test_a_display_without_parameters_leaves_the_image_as_it_is(size):
    image = photo(3, *size)
    assert torch.equal(Display().compose(image), image)


def test_a_single_channel_becomes_three_equal_ones():
    image = photo(1, 4, 5)
    assert torch.equal(Display().compose(image), image.repeat(3, 1, 1))


PLACED = [
    Display(height=12, width=9),
    Display(height=13, width=10, background=0.25),
    Display(height=12, width=9, position=(3.0, 4.5)),
    Display(height=12, width=9, position=(0.0, 0.0)),
    Display(height=12, width=9, position=(11.2, 8.7), background=0.0),
    Display(height=3, width=2),
    Display(height=3, width=20, position=(2.0, 18.0)),
    Display(position=(1.0, 4.0)),
]


@pytest.mark.parametrize("display", PLACED, ids=str)
@pytest.mark.parametrize("size", [(5, 4), (6, 7)])
def test_a_stimulus_is_placed_and_cut_as_pixel_by_pixel(display, size):
    image = photo(3, *size).double()
    expected = literal(image.numpy(), display, np.ones(size))
    np.testing.assert_array_equal(display.compose(image).numpy(), expected)


@pytest.mark.parametrize("size", [(9, 9), (8, 11), (6, 5)])
@pytest.mark.parametrize(("aperture", "softness"), [("circle", 0.0), ("circle", 2.5), ("gaussian", 2.0)])
def test_an_aperture_shows_each_pixel_by_its_distance_from_the_middle(size, aperture, softness):
    image = photo(3, *size).double()
    display = Display(height=14, width=15, aperture=aperture, softness=softness, background=0.3)
    mask = np.zeros(size)
    for y in range(size[0]):
        for x in range(size[1]):
            away = math.hypot(y + 0.5 - size[0] / 2, x + 0.5 - size[1] / 2)
            inside = min(size) / 2 - away
            if aperture == "gaussian":
                mask[y, x] = math.exp(-(away**2) / (2 * softness**2))
            elif softness == 0:
                mask[y, x] = inside >= 0
            else:
                mask[y, x] = 0.5 - 0.5 * math.cos(math.pi * min(1.0, max(0.0, inside / softness)))
    np.testing.assert_allclose(display.compose(image).numpy(), literal(image.numpy(), display, mask), atol=1e-12)


def test_a_mask_shows_what_it_is_one_for_and_is_resized_to_the_stimulus():
    image = photo(3, 4, 6)
    half = np.zeros((4, 6))
    half[:, 3:] = 1
    shown = Display(aperture=half).compose(image)
    assert torch.equal(shown[:, :, 3:], image[:, :, 3:])
    assert (shown[:, :, :3] == 0.5).all()
    assert torch.equal(Display(aperture=np.ones((2, 2))).compose(image), image)


def test_a_mask_of_ones_and_a_wide_gaussian_leave_the_image():
    image = photo(3, 6, 6).double()
    torch.testing.assert_close(Display(aperture="gaussian", softness=1e6).compose(image), image, atol=1e-9, rtol=0)


def test_resizing_is_antialiased_and_keeps_what_is_constant():
    stripes = torch.zeros(3, 16, 16)
    stripes[:, :, ::2] = 1
    shown = Display(size=(4, 4)).compose(stripes)
    assert shown.shape == (3, 4, 4)
    torch.testing.assert_close(shown[:, :, 1:3], torch.full((3, 4, 2), 0.5), atol=0.02, rtol=0)
    grey = torch.full((3, 9, 7), 0.3)
    torch.testing.assert_close(Display(size=(20, 3)).compose(grey), torch.full((3, 20, 3), 0.3))


@pytest.mark.parametrize(("size", "expected"), [((8, 4), (3, 12, 6)), ((4, 8), (3, 6, 12)), ((100, 1), (3, 12, 1))])
def test_a_single_size_is_the_longer_side(size, expected):
    assert Display(size=12).compose(photo(3, *size)).shape == expected


def test_greys_are_the_luma_of_the_colours_and_greys_stay():
    image = photo(3, 3, 4).double()
    red, green, blue = image
    expected = 0.299 * red + 0.587 * green + 0.114 * blue
    for channel in Display(grayscale=True).compose(image):
        torch.testing.assert_close(channel, expected)
    grey = image[:1].expand(3, -1, -1)
    torch.testing.assert_close(Display(grayscale=True).compose(grey), grey)


@pytest.mark.parametrize("position", [(-10.0, 4.0), (4.0, 40.0), (16.0, 4.0)])
def test_a_stimulus_wholly_outside_the_canvas_is_refused(position):
    with pytest.raises(ParameterError, match=r"5 × 5 pixels would lie outside the canvas of 12 × 9 pixels"):
        Display(height=12, width=9, position=position).compose(photo(3, 5, 5))


@pytest.mark.parametrize("shape", [(2, 4, 4), (4, 4, 4), (4, 4), (1, 3, 4, 4), (3, 0, 4)])
def test_what_is_no_image_is_refused(shape):
    with pytest.raises(ImageError, match="is no stimulus"):
        Display().compose(torch.zeros(shape))


def test_whole_numbers_and_values_that_are_not_finite_are_refused():
    with pytest.raises(ImageError, match="is no stimulus"):
        Display().compose(torch.zeros(3, 4, 4, dtype=torch.uint8))
    image = photo(3, 4, 4)
    image[1, 2, 3] = math.nan
    with pytest.raises(ImageError, match="not finite"):
        Display().compose(image)


BAD = [
    ({"height": 0}, "height is 0"),
    ({"width": 10**6}, "width is 1000000"),
    ({"background": 1.5}, "background is 1.5"),
    ({"softness": -1}, "softness is -1"),
    ({"aperture": "square"}, "aperture is 'square'"),
    ({"aperture": "gaussian"}, "softness is 0.0; expected the Gaussian's standard deviation"),
    ({"aperture": np.ones(4)}, "expected a mask"),
    ({"aperture": np.full((2, 2), 2.0)}, "values in \\[0, 1\\]"),
    ({"position": (math.nan, 0.0)}, "position is"),
    ({"position": (1.0, 2.0, 3.0)}, "position is"),
    ({"size": 0}, "size is 0"),
    ({"size": (3, 4, 5)}, "size is"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=lambda value: str(value)[:40])
def test_a_parameter_out_of_range_is_named(arguments, message):
    with pytest.raises((ParameterError, ArgumentError), match=message):
        Display(**arguments)


DISPLAYS = [
    *PLACED,
    Display(aperture=np.eye(3)),
    Display(size=(3, 4)),
    Display(size=5, grayscale=True),
    Display(aperture="circle"),
]


@pytest.mark.parametrize("display", DISPLAYS, ids=range(len(DISPLAYS)))
def test_a_display_is_read_from_its_own_json_form(display):
    assert Display.from_json(display.to_json()) == display


def test_a_damaged_json_form_is_refused():
    with pytest.raises(RecipeError, match="height"):
        Display.from_json({"kind": "Display", "height": "tall"})
