"""Geometric transforms against rolls, crops, pads, flips, rotations and resizes that move pixels literally."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from members import GEOMETRIC, name_of
from networks import SIZE, look, pipeline, random_images

from phosphene import transforms as t
from phosphene.functional import geometry

SHAPES = pytest.mark.parametrize(("channels", "size"), [(3, (12, 10)), (1, (7, 9)), (5, (8, 8))])


def close(found, expected, tolerance=1e-5):
    torch.testing.assert_close(found, expected, rtol=0, atol=tolerance)


def matches(view, candidates):
    """Which of the candidates a view is."""
    return [key for key, image in candidates.items() if image.shape == view.shape and (image - view).abs().max() < 1e-5]


@SHAPES
def test_rolling_jitter_is_a_roll_and_takes_every_offset_uniformly(channels, size):
    image = random_images(1, channels, size)
    rolls = {(dy, dx): image[0].roll((dy, dx), (1, 2)) for dy in range(-2, 3) for dx in range(-2, 3)}
    views = torch.cat([look([t.Jitter(2, mode="roll")], image, views=300, seed=s) for s in (0, 1)])
    found = [matches(view, rolls) for view in views]
    assert all(len(match) == 1 for match in found)
    counts = [sum(match[0] == offset for match in found) for offset in rolls]
    assert min(counts) >= 8  # 24 are expected; the chance of fewer than 8 of 600 is below 1e-4 for each
    assert max(counts) <= 45


@SHAPES
def test_cropping_jitter_is_a_crop_and_takes_every_offset_uniformly(channels, size):
    image, (height, width) = random_images(1, channels, size), size
    crops = {(y, x): image[0, :, y : y + height - 3, x : x + width - 3] for y in range(4) for x in range(4)}
    views = look([t.Jitter(3, mode="crop")], image, views=400)
    found = [matches(view, crops) for view in views]
    assert views.shape[2:] == (height - 3, width - 3)
    assert all(len(match) == 1 for match in found)
    counts = [sum(match[0] == offset for match in found) for offset in crops]
    assert min(counts) >= 9  # 25 are expected
    assert max(counts) <= 47


@SHAPES
def test_translating_jitter_is_a_crop_of_the_mirrored_image(channels, size):
    image, (height, width) = random_images(1, channels, size), size
    padded = torch.from_numpy(np.pad(image[0].numpy(), ((0, 0), (2, 2), (2, 2)), mode="symmetric"))
    crops = {(y, x): padded[:, y : y + height, x : x + width] for y in range(5) for x in range(5)}
    found = [matches(view, crops) for view in look([t.Jitter(2)], image, views=200)]
    assert all(found)
    assert {match[0] for match in found} == set(crops)


@SHAPES
@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_a_constant_pad_is_torchs(channels, size, value):
    images = random_images(2, channels, size)
    close(look([t.Pad(3, mode="constant", value=value)], images), F.pad(images, (3,) * 4, value=value))


@SHAPES
@pytest.mark.parametrize("pixels", [1, 4, 30])
def test_a_reflecting_pad_mirrors_at_the_border(channels, size, pixels):
    images = random_images(2, channels, size)
    expected = np.pad(images.numpy(), ((0, 0), (0, 0), (pixels, pixels), (pixels, pixels)), mode="symmetric")
    close(look([t.Pad(pixels)], images), torch.from_numpy(expected))


@SHAPES
def test_a_random_pad_is_one_grey_around_each_view(channels, size):
    images = random_images(2, channels, size)
    views = look([t.Pad(2, mode="random")], images, views=50)
    close(views[..., 2:-2, 2:-2], images.repeat_interleave(50, 0))
    corners = views[:, 0, 0, 0]
    for strip in (views[..., :2, :], views[..., -2:, :], views[..., :2], views[..., -2:]):
        close(strip, corners[:, None, None, None].expand_as(strip))
    assert len(set(corners.tolist())) == 100
    assert corners.min() >= 0
    assert corners.max() < 1
    assert corners.mean().item() == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("quarters", [-3, -2, -1, 1, 2, 3])
@pytest.mark.parametrize(("channels", "side"), [(3, 8), (1, 7), (5, 5)])
def test_a_rotation_by_quarter_turns_is_rot90_clockwise(quarters, channels, side):
    images = random_images(2, channels, (side, side))
    close(look([t.Rotate(options_deg=(90.0 * quarters,))], images), torch.rot90(images, -quarters, (2, 3)), 1e-4)


@SHAPES
def test_a_half_turn_flips_both_axes_of_any_size(channels, size):
    images = random_images(2, channels, size)
    close(look([t.Rotate(options_deg=(180.0,))], images), images.flip(2, 3), 1e-4)


@SHAPES
@pytest.mark.parametrize(("horizontal", "vertical", "axes"), [(1.0, 0.0, (3,)), (0.0, 1.0, (2,)), (1.0, 1.0, (2, 3))])
def test_a_certain_flip_is_a_flip(channels, size, horizontal, vertical, axes):
    images = random_images(2, channels, size)
    close(look([t.Flip(horizontal, vertical)], images), images.flip(*axes))


def test_flips_have_their_probabilities():
    image = random_images(1, 1, SIZE)
    views = look([t.Flip(0.3, 0.8)], image, views=1000)
    mirrored = {(h, v): image[0].flip([a for a, on in ((2, h), (1, v)) if on]) for h in (0, 1) for v in (0, 1)}
    found = [matches(view, mirrored)[0] for view in views]
    assert np.mean([h for h, _ in found]) == pytest.approx(0.3, abs=0.06)
    assert np.mean([v for _, v in found]) == pytest.approx(0.8, abs=0.06)


@SHAPES
@pytest.mark.parametrize("target", [(24, 20), (13, 17), (12, 15)])
def test_an_enlarging_resize_is_torchs_bilinear_one(channels, size, target):
    images = random_images(2, channels, size)
    expected = F.interpolate(images, target, mode="bilinear", align_corners=False)
    close(look([t.Resize(*target)], images), expected)


@pytest.mark.parametrize("ratio", [2, 3, 4])
def test_a_shrinking_resize_by_a_whole_ratio_is_a_mean(ratio):
    images = random_images(2, 3, (4 * ratio, 3 * ratio))
    found = look([t.Resize(4, 3)], images)
    expected = F.avg_pool2d(images, ratio)
    if ratio == 2:
        close(found, expected)
    assert (found - expected).abs().mean() < 0.02


@pytest.mark.parametrize(
    "chain",
    [
        [t.Resize(12, 14)],
        [t.Scale(options=(0.5,))],
        [t.Scale(options=(0.5,)), t.CropOrPad(12, 12)],
        [t.RandomCrop(1.0), t.Resize(12, 14)],
        [t.Scale(options=(0.8,)), t.Resize(14, 16)],
        [t.Resize(8, 9)],
    ],
    ids=str,
)
def test_a_nyquist_checkerboard_shrunk_to_half_is_grey(chain):
    board = ((torch.arange(24)[:, None] + torch.arange(28)[None]) % 2).double().expand(1, 3, 24, 28)
    views = look(chain, board)
    assert views.std() < 0.05
    assert views.mean().item() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(("height", "width"), [(5, 7), (3, 9)])
@SHAPES
def test_a_central_crop_is_a_slice(channels, size, height, width):
    images = random_images(2, channels, (height + 4, width + 2))
    close(look([t.CropOrPad(height, width)], images), images[..., 2:-2, 1:-1])
    close(look([t.Pad(2, mode="constant"), t.CropOrPad(height + 4, width + 2)], images), images)


@pytest.mark.parametrize("low", [0.3, 0.8])
def test_a_random_crop_shows_a_window_inside_the_image(low):
    """An image of coordinates tells which window a view shows."""
    y, x = torch.meshgrid(
        torch.arange(40.0, dtype=torch.float64), torch.arange(30.0, dtype=torch.float64), indexing="ij"
    )
    views = look([t.RandomCrop(low, 0.9)], torch.stack([y, x])[None], views=300)
    top, bottom = views[:, 0, 1, 5], views[:, 0, -2, 5]
    left, right = views[:, 1, 5, 1], views[:, 1, 5, -2]
    sides = (bottom - top) / 37
    close(sides, (right - left) / 27, 1e-3)
    assert low - 1e-3 <= sides.min() < low + 0.05 * (1 - low) + 0.03
    assert 0.87 < sides.max() <= 0.9 + 1e-3
    assert top.min() >= 0
    assert bottom.max() <= 39
    assert left.min() >= 0
    assert right.max() <= 29
    start = (top - 1.5 * sides + 0.5) / (40 * (1 - sides))  # where the window begins, as a share of its room
    assert start.mean().item() == pytest.approx(0.5, abs=0.06)
    assert start.std().item() == pytest.approx(12**-0.5, abs=0.03)


def test_a_scale_magnifies_about_the_centre():
    y, x = torch.meshgrid(
        torch.arange(41.0, dtype=torch.float64), torch.arange(31.0, dtype=torch.float64), indexing="ij"
    )
    image = torch.stack([y, x])[None]
    views = look([t.Scale(1.0, 2.0)], image, views=300)
    close(views[:, :, 20, 15], torch.tensor([20.0, 15.0], dtype=torch.float64).expand(300, 2), 1e-3)
    factors = 10 / (views[:, 0, 25, 15] - views[:, 0, 15, 15])
    close(factors, 10 / (views[:, 1, 20, 20] - views[:, 1, 20, 10]), 1e-3)
    assert 1 <= factors.min() < 1.05
    assert 1.95 < factors.max() <= 2.001
    assert factors.mean().item() == pytest.approx(1.5, abs=0.06)


def angles(views):
    """Angle of each view in degrees, clockwise, of an image of coordinates (y, x)."""
    dy, dx = views[:, 0, 20, 25] - views[:, 0, 20, 15], views[:, 1, 20, 25] - views[:, 1, 20, 15]
    return -torch.rad2deg(torch.atan2(dy, dx))


def coordinates(side=41):
    y, x = torch.meshgrid(
        torch.arange(float(side), dtype=torch.float64), torch.arange(float(side), dtype=torch.float64), indexing="ij"
    )
    return torch.stack([y, x])[None]


def test_rotations_are_uniform_in_their_range():
    found = angles(look([t.Rotate(-20.0, 40.0)], coordinates(), views=600))
    assert -20.01 <= found.min() < -18
    assert 38 < found.max() <= 40.01
    assert found.mean().item() == pytest.approx(10, abs=2.5)
    assert found.std().item() == pytest.approx(60 / 12**0.5, abs=1.5)


def test_lucids_rotation_is_by_zero_six_times_of_twenty_six():
    rotate = next(x for x in t.lucid() if isinstance(x, t.Rotate))
    found = angles(look([rotate], coordinates(), views=2600)).round().int().tolist()
    assert set(found) == set(range(-10, 11))
    assert found.count(0) / 2600 == pytest.approx(6 / 26, abs=0.03)
    for angle in set(found) - {0}:
        assert found.count(angle) / 2600 == pytest.approx(1 / 26, abs=0.016)
    assert np.std(found) == pytest.approx(5.44, abs=0.3)


def test_lucids_scales_are_eleven_equally_likely_ones():
    scale = next(x for x in t.lucid() if isinstance(x, t.Scale))
    views = look([scale], coordinates(), views=1100)
    factors = (10 / (views[:, 0, 25, 20] - views[:, 0, 15, 20])).tolist()
    rounded = [round(f, 2) for f in factors]
    assert set(rounded) == {round(0.9 + 0.02 * i, 2) for i in range(11)}
    assert max(abs(rounded.count(f) / 1100 - 1 / 11) for f in set(rounded)) < 0.035


@pytest.mark.parametrize(("canvas", "trace"), [(128, [152, 144, 144, 144, 140]), (64, [88, 80, 80, 80, 76])])
def test_lucids_sizes_are_traced(canvas, trace):
    """Pad 12, crop 8, scale, rotate, crop 4: 128 becomes 140."""
    image = torch.full((1, 1, canvas, canvas), 0.5)
    made = t.lucid()
    for n, side in enumerate(trace, start=1):
        assert pipeline(made[:n], image).size == (side, side)
    assert look(made, image).shape == (1, 1, trace[-1], trace[-1])


@pytest.mark.parametrize("transform", GEOMETRIC, ids=name_of)
@pytest.mark.parametrize(("channels", "size"), [(3, (12, 10)), (1, (9, 13)), (5, (16, 16))])
def test_a_constant_image_stays_constant_so_there_are_no_black_borders(transform, channels, size):
    chain = (
        [transform] if getattr(transform, "mode", "reflect") not in ("constant", "random") else [t.Pad(2), transform]
    )
    levels = torch.tensor([0.2, 0.9], dtype=torch.float64)[:, None, None, None].expand(2, channels, *size)
    if chain[-1] is not chain[0]:
        return  # grey borders are what was asked for
    views = look(chain, levels, views=4)
    close(views, levels[:, :1, :1, :1].repeat_interleave(4, 0).expand_as(views))


def test_every_geometric_transform_together_keeps_a_constant_image_constant():
    chain = [
        t.Jitter(3),
        t.Scale(0.5, 1.5),
        t.Rotate(-45.0, 45.0),
        t.Flip(),
        t.RandomCrop(0.5, 1.2),
        t.Jitter(2, mode="crop"),
        t.ToInput(),
    ]
    views = look(chain, torch.full((2, 3, 14, 11), 0.8, dtype=torch.float64), views=8)
    close(views, torch.full((16, 3, *SIZE), 0.8, dtype=torch.float64))


@pytest.mark.parametrize("views", [1, 3])
def test_a_composition_of_geometric_transforms_is_one_resampling(views):
    images = random_images(2, 3, SIZE)
    chain = [
        t.Pad(2),
        t.Jitter(2),
        t.Scale(0.9, 1.1),
        t.Rotate(-5.0, 5.0),
        t.Flip(),
        t.RandomCrop(0.7),
        t.CropOrPad(11, 9),
        t.ToInput(),
    ]
    with mock.patch.object(geometry.F, "grid_sample", wraps=F.grid_sample) as counted:
        look(chain, images, views=views)
    assert counted.call_count == 1


def test_a_composition_is_its_parts_one_after_the_other():
    """Exact moves, so that resampling twice costs nothing: mirror, quarter turn, crop."""
    images = random_images(2, 3, (9, 9))
    chain = [t.Flip(1.0, 0.0), t.Rotate(options_deg=(90.0,)), t.CropOrPad(5, 7)]
    expected = torch.rot90(images.flip(3), -1, (2, 3))[..., 2:-2, 1:-1]
    close(look(chain, images), expected, 1e-4)
    other = [t.Rotate(options_deg=(90.0,)), t.Flip(1.0, 0.0)]
    close(look(other, images), torch.rot90(images, -1, (2, 3)).flip(3), 1e-4)


def test_scale_then_rotate_is_the_literal_composition():
    images = random_images(2, 3, SIZE)
    found = look([t.Scale(options=(1.3,)), t.Rotate(options_deg=(25.0,)), t.CropOrPad(7, 8)], images)
    turn = geometry.rotation(torch.tensor(-25.0, dtype=torch.float64))
    zoom = geometry.scaling(torch.tensor([1 / 1.3] * 2, dtype=torch.float64))
    theta = geometry.normalized((zoom @ turn).expand(2, 3, 3), SIZE, (7, 8))
    close(found, geometry.resample(images, theta, (7, 8)))


@pytest.mark.parametrize("transform", GEOMETRIC, ids=name_of)
def test_gradients_flow_through_every_geometric_transform(transform):
    images = random_images(2, 3, SIZE).requires_grad_()
    views = look([transform], images, views=2)
    (gradient,) = torch.autograd.grad(views[:2].sum(), images)
    assert (gradient[0] != 0).any()
    assert (gradient[1] == 0).all()


@pytest.mark.parametrize("size", [(5, 4), (30, 21)])
def test_to_input_brings_any_canvas_to_the_networks_size(size):
    images = random_images(2, 3, size)
    assert look([t.ToInput()], images).shape == (2, 3, *SIZE)
    torch.testing.assert_close(look([t.ToInput()], images), look([t.Resize(*SIZE)], images))
