"""Windows and noise that change over the steps, as MaCo's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from networks import SIZE, look, pipeline, random_images, streams

from phosphene._schedules import Constant, Exponential, Linear
from phosphene.errors import ParameterError
from phosphene.transforms import RandomCrop, ScheduledCrop, ScheduledNoise
from phosphene.transforms.base import Draws, Frame


def placed(transform, first_step=0, n_steps=32, n_views=200, size=(40, 60)):
    """Sides as a share of the grid, and centres in units of its sides from its middle."""
    draws = Draws(streams(2).fork("t"), n_steps, n_views, first_step)
    maps, frame = transform.place(draws, Frame(*size))
    assert (frame.height, frame.width) == size
    assert maps.shape == (n_steps, 2, n_views, 3, 3)
    assert (maps[..., 0, 1] == 0).all()
    assert torch.equal(maps[..., 0, 0], maps[..., 1, 1])
    return maps[..., 0, 0].numpy(), (maps[..., :2, 2] / torch.tensor([size[1], size[0]])).numpy(), frame


@pytest.mark.parametrize("first_step", [0, 64, 224])
def test_the_mean_side_follows_the_schedule_within_and_across_blocks(first_step):
    sides, _, _ = placed(ScheduledCrop(low=0.001, sd=0.01), first_step)
    expected = 0.5 + (0.05 - 0.5) * np.arange(first_step, first_step + 32) / 256
    np.testing.assert_allclose(sides.mean((1, 2)), expected, atol=0.003)
    assert sides.std((1, 2)) == pytest.approx(0.01, rel=0.15)


def test_beyond_the_schedule_the_side_stays_at_its_end():
    sides, _, _ = placed(ScheduledCrop(Linear(10, 0.5, 0.3), sd=0.0), 320)
    np.testing.assert_allclose(sides, 0.3, atol=1e-12)


def test_sides_are_cut_off_and_centres_are_normal():
    sides, centres, _ = placed(ScheduledCrop(Linear(1, 0.05, 0.9), sd=0.2, low=0.05), n_views=2000)
    assert sides[0].min() == 0.05
    assert (sides[0] == 0.05).mean() == pytest.approx(0.5, abs=0.03)
    assert sides[1].max() == 1.0
    assert (sides[1] == 1.0).mean() == pytest.approx(0.31, abs=0.03)
    assert np.abs(centres.mean((0, 1, 2))).max() < 0.002
    assert centres.std((0, 1, 2)) == pytest.approx([0.15, 0.15], rel=0.02)
    assert abs(np.corrcoef(centres[..., 0].ravel(), centres[..., 1].ravel())[0, 1]) < 0.01


def test_a_view_is_the_window_enlarged_to_the_grid():
    image = random_images(1, 3, (16, 12))
    fixed = ScheduledCrop(Linear(1, 0.5, 0.5), sd=0.0, center_sd=0.0)
    expected = look([RandomCrop(0.5, 0.5)], image)  # any window of that size, for its shape
    found = look([fixed], image)
    assert found.shape == expected.shape
    middle = torch.nn.functional.interpolate(image[:, :, 3:13, 2:10], scale_factor=2, mode="bilinear")
    torch.testing.assert_close(found, middle[:, :, 2:-2, 2:-2], rtol=0, atol=1e-5)


def test_the_samples_of_a_pixel_are_judged_by_the_largest_window():
    assert placed(ScheduledCrop())[2].shrink == pytest.approx(0.6)
    assert placed(ScheduledCrop(Linear(256, 0.05, 0.5)))[2].shrink > 0.5
    assert placed(ScheduledCrop(Constant()))[2].shrink == 1.0
    assert placed(ScheduledCrop(Linear(5, 0.0, 0.0), sd=0.0))[2].shrink == 0.05


def test_noise_is_normal_plus_uniform_in_the_given_shares():
    images = random_images(2, 3, (40, 41))
    noise = (look([ScheduledNoise(0.2, uniform=0.5)], images, views=4) - images.repeat_interleave(4, 0)).flatten()
    assert noise.std().item() == pytest.approx(0.2 * np.sqrt(1 + 0.5**2 / 3), rel=0.01)
    assert noise.mean().abs() < 0.002
    even = look([ScheduledNoise(1.0, uniform=1e4)], images) - images
    assert even.min().item() == pytest.approx(-1e4, rel=0.01)
    assert even.max().item() == pytest.approx(1e4, rel=0.01)
    assert even.std().item() == pytest.approx(1e4 / np.sqrt(3), rel=0.02)
    assert (look([ScheduledNoise(0.2, uniform=0.0)], images) - images).std().item() == pytest.approx(0.2, rel=0.02)


@pytest.mark.parametrize("step", [0, 3, 31, 32, 40])
def test_the_strength_follows_the_schedule_within_and_across_blocks(step):
    images = random_images(1, 3, (40, 41))
    schedule = Linear(40, 1.0, 0.25)
    plain, scheduled = (
        look([ScheduledNoise(0.1, schedule=s)], images, step=step) - images for s in (Constant(), schedule)
    )
    torch.testing.assert_close(scheduled, plain * schedule.factor(step), rtol=0, atol=1e-12)


def test_the_published_fall_from_one_to_a_ten_thousandth():
    schedule = Exponential(1e-4 ** (1 / 255))
    np.testing.assert_allclose([schedule.factor(i) for i in range(256)], np.logspace(0, -4, 256), rtol=1e-9)


def test_noise_is_new_in_every_step_and_the_same_for_every_look_of_a_step():
    images = random_images(1, 3, SIZE)
    made = pipeline([ScheduledNoise(0.1)], images)
    first = made.look(0)
    assert torch.equal(first(images), first(images))
    assert not torch.equal(first(images), made.look(1)(images))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ScheduledCrop(sd=-0.1), r"sd is -0.1; expected a number in \[0, 1\]"),
        (lambda: ScheduledCrop(center_sd=2.0), "center_sd is 2.0"),
        (lambda: ScheduledCrop(low=0.0), "low is 0.0; expected a number from 0.001 to 1"),
        (lambda: ScheduledNoise(-1.0), "sd is -1.0; expected a number from 0"),
        (lambda: ScheduledNoise(uniform=float("inf")), "uniform is inf"),
    ],
)
def test_a_parameter_out_of_range_is_refused(make, message):
    with pytest.raises(ParameterError, match=message):
        make()
