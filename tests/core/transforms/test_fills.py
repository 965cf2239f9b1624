"""What lies outside the canvas, where transforms that fill in different ways follow each other; and what is resampled at once."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from networks import SIZE, look, pipeline, random_images, streams

from phosphene import transforms as t
from phosphene.transforms import pipeline as room
from phosphene.transforms.base import Draws


def rolled(image, pixels):
    """Every picture that a roll by up to ±pixels can make."""
    around = range(-pixels, pixels + 1)
    return [image.roll((dy, dx), (2, 3)) for dy in around for dx in around]


def grey(image, pixels, value):
    return F.pad(image, (pixels,) * 4, value=value)


def mirrored(image, pixels):
    width = ((0, 0), (0, 0), (pixels, pixels), (pixels, pixels))
    return torch.from_numpy(np.pad(image.numpy(), width, mode="symmetric"))


def cropped(image, size):
    top, left = ((a - b) // 2 for a, b in zip(image.shape[2:], size, strict=True))
    return image[:, :, top : top + size[0], left : left + size[1]]


def shifted(image, pixels, value):
    """Every picture that a shift by up to ±pixels can make where grey comes in."""
    large = grey(image, pixels, value)
    height, width = image.shape[2:]
    starts = range(2 * pixels + 1)
    return [large[:, :, y : y + height, x : x + width] for y in starts for x in starts]


ROLL = t.Jitter(2, mode="roll")


@pytest.mark.parametrize(
    ("chain", "literal", "n_resamplings"),
    [
        ([ROLL, t.Pad(3, "constant", value=0.25)], lambda x: [grey(r, 3, 0.25) for r in rolled(x, 2)], 2),
        ([t.Pad(3, "constant", value=0.25), ROLL], lambda x: rolled(grey(x, 3, 0.25), 2), 2),
        ([ROLL, t.Pad(3)], lambda x: [mirrored(r, 3) for r in rolled(x, 2)], 2),
        ([t.Pad(3), ROLL], lambda x: rolled(mirrored(x, 3), 2), 2),
        ([t.CropOrPad(6, 4), ROLL], lambda x: rolled(cropped(x, (6, 4)), 2), 2),
        ([ROLL, t.CropOrPad(6, 4)], lambda x: [cropped(r, (6, 4)) for r in rolled(x, 2)], 1),
        ([t.CropOrPad(6, 4), t.CropOrPad(*SIZE), ROLL], lambda x: rolled(x, 2), 2),
        (
            [t.Pad(1, "constant", value=0.25), t.Pad(2, "constant", value=0.75)],
            lambda x: [grey(grey(x, 1, 0.25), 2, 0.75)],
            2,
        ),
        ([t.Pad(1, "constant", value=0.25), t.Pad(2)], lambda x: [mirrored(grey(x, 1, 0.25), 2)], 2),
        ([t.Pad(1), t.Pad(2, "constant", value=0.75)], lambda x: [grey(mirrored(x, 1), 2, 0.75)], 2),
        (
            [t.Pad(1, "constant", value=0.25), t.Pad(2, "constant", value=0.25)],
            lambda x: [grey(x, 3, 0.25)],
            1,
        ),
        ([ROLL, t.Jitter(1, mode="roll")], lambda x: rolled(x, 3), 1),
        (
            [t.Pad(1, "constant", value=0.25), t.Jitter(2)],
            lambda x: shifted(grey(x, 1, 0.25), 2, 0.25),
            1,
        ),
        ([ROLL, t.Pad(2, "constant", value=0.25), ROLL], lambda x: [b for a in rolled(x, 2) for b in rolled(grey(a, 2, 0.25), 2)], 3),
    ],
    ids=lambda v: " ".join(str(x) for x in v) if isinstance(v, list) else "",
)  # fmt: skip
@pytest.mark.parametrize("channels", [1, 3])
def test_a_chain_is_its_transforms_one_after_the_other(chain, literal, n_resamplings, channels):
    images = random_images(2, channels, SIZE)
    views = look(chain, images, views=3)
    for i, view in enumerate(views):
        expected = torch.cat(literal(images[i // 3][None]))
        assert view.shape == expected.shape[1:]
        assert (expected - view).abs().flatten(1).amax(1).min() < 1e-6
    # The rehearsal drops what sets the size that there is; what is left is grouped.
    assert len(pipeline(chain, images).stages) == n_resamplings


@pytest.mark.parametrize(
    ("first", "size"),
    [
        (t.Scale(0.5, 0.5), SIZE),
        (t.Rotate(45.0, 45.0), SIZE),
        (t.CropOrPad(18, 16), (18, 16)),
        (t.Jitter(2), SIZE),
    ],
    ids=str,
)  # fmt: skip
def test_a_border_of_grey_is_laid_around_what_the_transforms_before_it_show(first, size):
    """A transform without a Pad before it reflects; a Pad behind it changes nothing of that."""
    images = random_images(1, 3, SIZE)
    found = look([first, t.Pad(2, "constant", value=0.25)], images)
    alone = look([first], images)
    assert alone.shape[2:] == size
    torch.testing.assert_close(found, grey(alone, 2, 0.25), rtol=0, atol=1e-6)


def test_a_border_of_grey_around_a_shifted_picture_takes_every_shift():
    images = random_images(1, 3, SIZE)
    reflected = mirrored(images, 2)
    height, width = SIZE
    starts = [(y, x) for y in range(5) for x in range(5)]
    expected = torch.cat([grey(reflected[:, :, y : y + height, x : x + width], 2, 0.25) for y, x in starts])
    for view in look([t.Jitter(2), t.Pad(2, "constant", value=0.25)], images, views=20):
        assert (expected - view).abs().flatten(1).amax(1).min() < 1e-6


def test_a_run_after_a_function_or_noise_begins_with_a_reflecting_canvas():
    """What a Pad said of the outside holds for the transforms of its own resampling."""
    images = random_images(1, 3, SIZE)
    chain = [t.Pad(1, "constant", value=0.25), lambda v: v, t.Scale(0.5, 0.5)]
    padded = grey(images, 1, 0.25)
    torch.testing.assert_close(look(chain, images), look([t.Scale(0.5, 0.5)], padded), rtol=0, atol=1e-6)


def test_transforms_that_fill_alike_are_one_resampling():
    images = random_images(2, 3, SIZE)
    chain = [
        t.Pad(3, "constant"),
        t.Jitter(2, mode="crop"),
        t.Scale(0.9, 1.1),
        t.Rotate(-9.0, 9.0),
        t.Jitter(1),
        t.ToInput(),
    ]
    (stage,) = pipeline(chain, images, views=2).stages
    assert isinstance(stage, room.Resampling)
    assert len(stage.transforms) == 6
    assert len(pipeline(t.lucid(), random_images(1, 3, (64, 64))).stages) == 1
    assert len(pipeline(t.held_out_views(), images).stages) == 2  # and the noise


def test_a_random_border_is_one_grey_for_each_view():
    images = random_images(1, 3, SIZE)
    views = look([t.Pad(2, "random")], images, views=4)
    border = views.clone()
    border[:, :, 2:-2, 2:-2] = float("nan")
    for view in border:
        values = view[view.isfinite()]
        assert values.max() - values.min() < 1e-6
    torch.testing.assert_close(views[:, :, 2:-2, 2:-2], images.expand(4, -1, -1, -1), rtol=0, atol=1e-6)
    assert len({round(v.item(), 5) for v in views[:, 0, 0, 0]}) == 4


def test_a_shrunk_view_takes_a_bounded_number_of_samples():
    for size, expected in (((59, 50), 1), ((30, 25), 2), ((6, 5), 8), ((1, 1), 8)):
        (stage,) = pipeline([t.Resize(*size)], random_images(1, 1, (60, 50))).stages
        assert stage.supersample == expected
    found = look([t.Resize(1, 1)], torch.full((1, 1, 400, 300), 0.3))
    torch.testing.assert_close(found, torch.full((1, 1, 1, 1), 0.3), rtol=0, atol=1e-6)


# Streams.


def correlation(a, b):
    return torch.corrcoef(torch.stack([a.flatten().double(), b.flatten().double()]))[0, 1].abs().item()


def test_two_noises_in_a_row_are_two_noises():
    flat = torch.zeros(1, 3, 40, 50, dtype=torch.float64)
    one = look([t.GaussianNoise(1.0)], flat)
    second = look([t.GaussianNoise(1.0), t.GaussianNoise(1.0)], flat) - one
    assert second.std().item() == pytest.approx(1.0, abs=0.05)
    assert correlation(one, second) < 0.05


def test_two_equal_colour_jitters_in_a_row_draw_apart():
    flat = torch.full((1, 1, 2, 2), 0.5, dtype=torch.float64)
    jitter = t.ColorJitter(brightness=0.1)
    first = look([jitter], flat, views=400)[:, 0, 0, 0] - 0.5
    second = look([jitter, jitter], flat, views=400)[:, 0, 0, 0] - 0.5 - first
    assert second.abs().max() <= 0.1 + 1e-6
    assert correlation(first, second) < 0.15


def test_equal_moves_in_two_resamplings_draw_apart():
    draws = [Draws(streams(1).fork(f"transform/{i}"), 500, 1).uniform() for i in range(2)]
    assert correlation(*draws) < 0.15
    images = random_images(1, 1, SIZE)
    between = [ROLL, t.ColorJitter(), lambda v: v, ROLL]
    views = look(between, images, views=200)
    twice = torch.cat([images.roll((2 * dy, 2 * dx), (2, 3)) for dy in range(-2, 3) for dx in range(-2, 3)])
    same = [(twice - v).abs().flatten(1).amax(1).min().item() < 1e-6 for v in views]
    assert 0.1 < sum(same) / len(same) < 0.6  # both even by chance: (9 / 25) of the sums
