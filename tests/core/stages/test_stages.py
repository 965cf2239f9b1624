"""Stages against the published programs, written out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from networks import random_images
from scipy import ndimage

from phosphene import stages as s
from phosphene.errors import ParameterError
from phosphene.functional.resizing import resize


def run(stages, start, draw=lambda stage, image: image):
    """The image after each stage, when ``draw`` is what a stage does."""
    enter, image, seen = stages.begin(start), start, []
    for stage, size in enumerate(stages.sizes(*start.shape[2:])):
        image = enter(stage, image)
        assert image.shape == (*start.shape[:2], *size)
        image = draw(stage, image)
        seen.append(image)
    return seen


def scribble(stage, image):
    """Something that is not linear, and differs from stage to stage."""
    return image + 0.1 * torch.sin(7 * image + stage)


def square(*extents):
    return tuple((extent, extent) for extent in extents)


@pytest.mark.parametrize("size", [(33, 47), (20, 20), (17, 9)])
@pytest.mark.parametrize(("n", "scale"), [(4, 1.4), (1, 1.4), (3, 2.0)])
def test_caffes_octaves_carry_their_detail(size, n, scale):
    start = random_images(2, 3, size)
    octaves = [start.numpy()]
    for _ in range(n - 1):
        octaves.append(ndimage.zoom(octaves[-1], (1, 1, 1 / scale, 1 / scale), order=1))
    detail, expected = np.zeros_like(octaves[-1]), []
    for stage, base in enumerate(octaves[::-1]):
        if stage > 0:
            h, w = detail.shape[-2:]
            detail = ndimage.zoom(detail, (1, 1, base.shape[-2] / h, base.shape[-1] / w), order=1)
        result = scribble(stage, torch.from_numpy(base + detail)).numpy()
        detail = result - base
        expected.append(result)
    for found, image in zip(run(s.Octaves(n, scale), start, scribble), expected, strict=True):
        np.testing.assert_allclose(found.numpy(), image, atol=1e-11)


@pytest.mark.parametrize("size", [(33, 47), (20, 20), (17, 9)])
@pytest.mark.parametrize(("n", "scale"), [(4, 1.4), (1, 1.4), (3, 2.0)])
def test_tensorflows_octaves_add_the_high_frequencies_back(size, n, scale):
    start = image = random_images(2, 3, size)
    highs = []
    for _ in range(n - 1):
        hw = tuple(image.shape[2:])
        low = resize(image, tuple(np.int32(np.float32(hw) / scale).tolist()), "tf1")
        highs.append(image - resize(low, hw, "tf1"))
        image = low
    expected = []
    for stage in range(n):
        if stage > 0:
            high = highs[-stage]
            image = resize(image, tuple(high.shape[2:]), "tf1") + high
        image = scribble(stage, image)
        expected.append(image)
    for found, one in zip(run(s.Octaves(n, scale, "tf1"), start, scribble), expected, strict=True):
        torch.testing.assert_close(found, one, rtol=0, atol=1e-12)


@pytest.mark.parametrize("convention", ["ndzoom", "tf1"])
@pytest.mark.parametrize(("size", "channels", "n"), [((31, 44), 3, 4), ((9, 8), 1, 3), ((12, 7), 5, 1)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_octaves_in_which_nothing_is_drawn_give_the_start_exactly(convention, size, channels, n, dtype):
    start = random_images(2, channels, size, dtype=dtype)
    before = start.clone()
    assert torch.equal(run(s.Octaves(n, 1.4, convention), start)[-1], start)
    assert torch.equal(start, before)


def test_a_stage_that_draws_in_place_leaves_the_start_as_it_was():
    start = random_images(1, 3, (20, 14))
    before = start.clone()
    for stages in (s.Octaves(3), s.Octaves(1), s.Octaves(3, convention="tf1")):
        run(stages, start, lambda _, image: image.mul_(0.5))
        assert torch.equal(start, before)


def test_octaves_end_at_the_canvas_in_scipys_sizes():
    sizes = s.Octaves().sizes(574, 1024)
    expected = [(574, 1024)]
    for _ in range(3):
        expected.append(tuple(round(extent * (1 / 1.4)) for extent in expected[-1]))
    assert sizes == tuple(reversed(expected))


def test_too_many_octaves_for_a_canvas_are_refused():
    with pytest.raises(ParameterError, match=r"n is 9; 9 octaves of 2.0 leave no pixels of 20 × 30; take fewer"):
        s.Octaves(9, 2.0).sizes(20, 30)


FORTY = (56, 67, 80, 96, 115, 138, 165, 198, 237, 284, 340, 408)


def test_size_lists_of_the_literature():
    assert s.Upscaling(12, 1.2, "bicubic", "floor").sizes(56, 56) == square(*FORTY)
    for first, expected in {11: (11, 15, 21), 28: (28, 39, 54), 224: (224, 313, 438), 227: (227, 317, 443)}.items():
        assert s.Upscaling(3, 1.4, "matlab", "floor").sizes(first, first) == square(*expected)
    assert s.Upscaling().sizes(224, 224) == square(224, 313, 438)
    assert s.Upscaling().sizes(45, 90) == ((45, 90), (63, 126), (88, 176))


@pytest.mark.parametrize("convention", ["tf1", "matlab", "half_pixel", "bicubic"])
def test_upscaling_enlarges_the_image_itself(convention):
    start = random_images(2, 3, (9, 12))
    stages, image = s.Upscaling(3, 1.4, convention, "floor"), start
    for stage, found in enumerate(run(stages, start, scribble)):
        image = scribble(stage, resize(image, stages.sizes(9, 12)[stage], convention))
        torch.testing.assert_close(found, image, rtol=0, atol=1e-12)


def test_forty_lines_enlarge_then_blur_and_do_not_touch_the_start():
    start = random_images(1, 3, (10, 10))
    first, second = run(s.Upscaling(2, 1.2, "bicubic", "floor", blur=5), start)
    assert torch.equal(first, start)
    expected = ndimage.uniform_filter(resize(start, (12, 12), "bicubic").numpy(), (1, 1, 5, 5), mode="mirror")
    np.testing.assert_allclose(second.numpy(), expected, atol=1e-12)


def test_later_stages_may_take_more_steps():
    found = [s.Upscaling(12, late_factor=1.3).n_steps(stage, 15) for stage in range(12)]
    assert found == [int(15 * 1.3) if stage > 12 / 2 else 15 for stage in range(12)]
    assert [s.Octaves().n_steps(stage, 15) for stage in range(4)] == [15] * 4


def test_growing_stages_have_the_shares_of_the_canvas():
    assert s.Growing().sizes(224, 100) == tuple((28 * k, round(12.5 * k)) for k in range(2, 9))
    start = random_images(2, 1, (16, 12))
    images = run(s.Growing((0.25, 0.5, 1.0)), start)
    torch.testing.assert_close(images[0], resize(start, (4, 3), "half_pixel"), rtol=0, atol=1e-15)
    torch.testing.assert_close(images[2], resize(images[1], (16, 12), "half_pixel"), rtol=0, atol=1e-15)
    assert s.Growing((0.01,)).sizes(3, 3) == ((1, 1),)


@pytest.mark.parametrize("stages", [s.Octaves(1), s.Upscaling(1), s.Growing((1.0,))])
def test_a_single_stage_is_the_start_itself(stages):
    start = random_images(2, 3, (7, 10))
    assert stages.sizes(7, 10) == ((7, 10),)
    assert torch.equal(run(stages, start)[0], start)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: s.Octaves(0), r"n is 0; expected a whole number from 1 to 64"),
        (lambda: s.Octaves(scale=1.0), r"scale is 1.0; expected a number above 1, at most 64"),
        (lambda: s.Octaves(convention="bicubic"), r"convention is 'bicubic'; expected 'ndzoom' or 'tf1'"),
        (lambda: s.Upscaling(65), r"n is 65; expected a whole number from 1 to 64"),
        (lambda: s.Upscaling(scale=0.5), r"scale is 0.5; expected a number above 1, at most 64"),
        (lambda: s.Upscaling(convention="nearest"), r"convention is 'nearest'; expected one of"),
        (lambda: s.Upscaling(rounding="round"), r"rounding is 'round'; expected 'floor' or 'float32'"),
        (lambda: s.Upscaling(blur=0), r"blur is 0; expected a whole number from 1 to 255, or None"),
        (lambda: s.Upscaling(late_factor=0.0), r"late_factor is 0.0; expected a number above 0"),
        (lambda: s.Upscaling(late_factor=1e308), r"late_factor is 1e\+308; expected a number above 0, at most 1000000"),
        (
            lambda: s.Upscaling(64, 64.0).sizes(8, 9),
            r"pixels times 64 are too many; at most 2147483648 rows or columns",
        ),
        (lambda: s.Upscaling(64, 64.0, rounding="floor").sizes(8, 9), r"pixels times 64 are too many"),
        (lambda: s.Growing(()), r"shares is \(\); expected 1 to 64 numbers above 0"),
        (lambda: s.Growing((0.5, 0.0)), r"shares is .*; expected 1 to 64 numbers above 0"),
        (lambda: s.Growing(convention="area"), r"convention is 'area'; expected one of"),
    ],
)
def test_parameters_out_of_range_are_refused(build, message):
    with pytest.raises(ParameterError, match=message):
        build()
