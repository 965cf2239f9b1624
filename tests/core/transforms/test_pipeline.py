"""Chains of transforms, what they accept and what they refuse."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from jaxtyping import TypeCheckError
from networks import SIZE, look, pipeline, random_images, streams

from phosphene import transforms as t
from phosphene.errors import ArgumentError, ParameterError
from phosphene.transforms import ViewPipeline, ViewPlan, as_transform
from phosphene.transforms.base import Draws


def test_views_of_an_image_follow_each_other():
    images = torch.stack([torch.full((3, *SIZE), v, dtype=torch.float64) for v in (0.1, 0.9)])
    for chain in ([], [t.GaussianNoise(1e-9)], [t.Jitter(1)], [t.GaussianNoise(1e-9), t.Jitter(1)], [lambda v: v]):
        assert look(chain, images, views=3)[:, 0, 3, 3].round(decimals=3).tolist() == [0.1] * 3 + [0.9] * 3


def test_a_callers_function_sees_all_views_at_its_place_in_the_chain():
    seen = []

    def own(views):
        seen.append(tuple(views.shape))
        return views * 0.5

    images = torch.full((2, 3, 8, 8), 0.8)
    views = look([t.Resize(4, 6), own, t.ColorJitter(), t.CropOrPad(2, 2)], images, views=3)
    assert seen == [(6, 3, 4, 6)]
    assert views.shape == (6, 3, 2, 2)
    torch.testing.assert_close(views, torch.full_like(views, 0.4))


def test_a_network_of_one_size_gets_views_of_that_size():
    images = random_images(1, 3, (20, 20))
    made = ViewPipeline([t.Jitter(2)], ViewPlan((20, 20), streams(1), 2, (9, 7), fixed_size=True))
    assert made.look(0)(images).shape == (2, 3, 9, 7)


def test_draws_are_new_in_every_step():
    images = random_images(1, 3, SIZE)
    made = pipeline([t.Rotate(-90.0, 90.0)], images)
    views = [made.look(step)(images) for step in range(40)]
    assert len({v.numpy().tobytes() for v in views}) == 40


def test_one_transform_draws_the_same_whatever_stands_behind_it():
    images = random_images(1, 3, SIZE)
    alone = look([t.Jitter(3, mode="roll")], images, views=3)
    followed = look(
        [t.Jitter(3, mode="roll"), t.GaussianNoise(0.0), lambda v: v + 1, t.GaussianNoise(1e-12)], images, views=3
    )
    torch.testing.assert_close(followed, alone + 1, rtol=0, atol=1e-9)


def test_random_views_and_held_out_views_are_at_the_input_size():
    images = random_images(2, 3, (30, 25))
    for chain in (t.random_views(0.3, rotate_deg=10, noise=0.1), t.held_out_views()):
        assert look(chain, images, views=2).shape == (4, 3, *SIZE)


def test_held_out_views_have_the_figures_of_their_name():
    assert t.held_out_views() == (
        t.Jitter(12, mode="translate"),
        t.Scale(0.85, 1.15),
        t.Rotate(-12.0, 12.0),
        t.ToInput(),
        t.GaussianNoise(0.03),
    )


def test_lucids_set_has_lucids_numbers():
    scales = (0.9, 0.92, 0.94, 0.96, 0.98, 1.0, 1.02, 1.04, 1.06, 1.08, 1.1)
    degrees = tuple(map(float, [*range(-10, 11), 0, 0, 0, 0, 0]))
    assert t.lucid() == (
        t.Pad(12, "constant", 0.5),
        t.Jitter(8, "crop"),
        t.Scale(options=scales),
        t.Rotate(options_deg=degrees),
        t.Jitter(4, "crop"),
    )


def test_uniform_integer_and_choice_draws_cover_their_ranges():
    draws = Draws(streams(2).fork("x"), 200, 5)
    integers = draws.integers(-2, 3)
    assert integers.shape == (200, 2, 5)
    assert sorted(set(integers.flatten().tolist())) == [-2, -1, 0, 1, 2, 3]
    assert draws.uniform(2.0, 3.0, 4).shape == (200, 2, 5, 4)
    assert draws.uniform(2.0, 3.0).min() >= 2.0
    assert sorted(set(draws.choice((0.5, 7.0)).flatten().tolist())) == [0.5, 7.0]


@pytest.mark.parametrize("value", [3, "jitter", None, t.Jitter])
def test_what_is_no_transform_is_refused(value):
    with pytest.raises(ArgumentError, match="a transform is a value from phosphene.transforms or a function of views"):
        as_transform(value)


@dataclass(frozen=True)
class Shapeless(t.Transform):
    pass


def test_a_transform_of_no_known_kind_is_refused():
    with pytest.raises(
        ArgumentError, match="Shapeless is neither Geometric, Photometric nor Custom; subclass one of these"
    ):
        look([Shapeless()], random_images(1, 3, SIZE))


def test_steps_asked_for_out_of_order_are_refused():
    made = pipeline([t.ColorJitter(brightness=0.1)], random_images(1, 3, SIZE))
    with pytest.raises(ArgumentError, match="steps must be asked for in order, from 0"):
        made.look(5)


@pytest.mark.parametrize("chain", [[t.Jitter(12, mode="crop")], [t.Jitter(6, mode="crop"), t.Jitter(5, mode="crop")]])
def test_a_chain_that_leaves_nothing_is_refused(chain):
    with pytest.raises(
        ParameterError, match="size of the view is .*; expected at least one pixel; jitter or crop less"
    ):
        pipeline(chain, random_images(1, 3, SIZE))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: t.Jitter(-1), "pixels is -1"),
        (lambda: t.Jitter(2**14 + 1), "pixels is 16385"),
        (lambda: t.Jitter(1, mode="spin"), "mode is 'spin'; expected 'crop', 'roll' or 'translate'|parameter 'mode'"),
        (lambda: t.Pad(-2), "pixels is -2"),
        (lambda: t.Pad(1, mode="wrap"), "mode is 'wrap'; expected 'reflect', 'constant' or 'random'|parameter 'mode'"),
        (lambda: t.Pad(1, value=1.5), r"value is 1.5; expected a grey level in \[0, 1\]"),
        (lambda: t.Scale(0.0, 1.0), r"low, high is \(0.0, 1.0\); expected 0.001 <= low <= high <= 1000"),
        (lambda: t.Scale(1.2, 1.1), "low, high"),
        (lambda: t.Scale(float("nan"), 1.0), "low, high"),
        (lambda: t.Scale(options=(1.0, -1.0)), "options is .*; expected numbers from 0.001 to 1000"),
        (lambda: t.Rotate(5.0, -5.0), "low_deg, high_deg"),
        (lambda: t.Rotate(0.0, 400.0), "low_deg, high_deg"),
        (lambda: t.Rotate(options_deg=(720.0,)), "options_deg is .*; expected angles from -360 to 360"),
        (lambda: t.Flip(1.5), r"p_horizontal is 1.5; expected a probability in \[0, 1\]"),
        (lambda: t.Flip(0.5, -0.1), "p_vertical is -0.1"),
        (lambda: t.RandomCrop(0.0), r"low, high is .*; expected 0.001 <= low <= high <= 2"),
        (lambda: t.RandomCrop(0.5, 2.5), "low, high"),
        (lambda: t.CropOrPad(0, 3), "height is 0; expected a whole number from 1"),
        (lambda: t.Resize(3, 2**15), "width is 32768"),
        (lambda: t.GaussianNoise(-0.1), "sd is -0.1; expected a number from 0"),
        (lambda: t.GaussianNoise(float("inf")), "sd is inf"),
        (lambda: t.GaussianBlur(2.0, 1.0), "low_sigma, high_sigma"),
        (lambda: t.GaussianBlur(0.0, 65.0), "low_sigma, high_sigma"),
        (lambda: t.ColorJitter(brightness=-0.1), r"brightness is -0.1; expected a number in \[0, 1\]"),
        (lambda: t.ColorJitter(contrast=2.0), "contrast is 2.0"),
        (lambda: t.ColorJitter(saturation=float("nan")), "saturation is nan"),
    ],
)
def test_a_parameter_out_of_range_is_refused(build, message):
    with pytest.raises((ParameterError, TypeCheckError), match=message):
        build()
