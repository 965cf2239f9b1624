"""Recipes by name: values with the numbers of their sources."""

from __future__ import annotations

import pytest
from members import RECIPES
from networks import conv_net

import phosphene as ph
from phosphene import optimizers, transforms
from phosphene.errors import ArgumentError, ParameterError, RecipeError


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize(("height", "width", "channels"), [(24, 31, 3), (40, 24, 1), (25, 25, 5)])
def test_every_recipe_renders_a_rising_score_in_any_size_and_number_of_channels(name, height, width, channels):
    net = conv_net(channels)
    recipe = ph.recipes.get(name, height, width, channels)
    result = ph.render(net, [ph.Channel("conv2", 0), ph.Channel("conv2", 3)], recipe=recipe, steps=10, progress=False)
    assert result.images.shape == (2, channels, height, width)
    assert result.status == ("ok", "ok")
    if name == "naive":  # no transforms: the curve itself rises, but nothing holds for other sizes and views
        assert all(curve[-1] > curve[0] for curve in result.scores)
        return
    # Views differ from step to step; the clean picture and its held-out views must be better than the start's.
    start = ph.render(net, [ph.Channel("conv2", 0), ph.Channel("conv2", 3)], recipe=recipe, steps=0, progress=False)
    assert (result.final_scores > start.final_scores).all()
    assert (result.robust_scores > start.robust_scores).all()


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_carries_its_name_and_its_size(name):
    recipe = ph.recipes.get(name, 20, 30, 1)
    assert recipe.name == name
    made = recipe.parameterization
    assert (made.height, made.width, made.image_channels) == (20, 30, 1)
    assert ph.Recipe.from_json(recipe.to_json()) == recipe
    assert recipe.sized(8, 9).parameterization.height == 8
    assert recipe.sized(20, 30) == recipe


def test_lucids_recipe_has_lucids_numbers():
    assert ph.recipes.lucid() == ph.Recipe(
        "lucid", ph.Fourier(128, 128), transforms.lucid(), 1, optimizers.Adam(lr=0.05), 512
    )


def test_the_naive_recipe_has_no_prior():
    assert ph.recipes.naive() == ph.Recipe(
        "naive", ph.Pixels(224, 224, decorrelate="none"), (), 1, optimizers.Adam(lr=0.05), 512
    )


def test_an_unknown_recipe_names_the_nearest():
    with pytest.raises(RecipeError, match="there is no recipe 'lucent'; did you mean lucid"):
        ph.recipes.get("lucent")
    with pytest.raises(RecipeError, match="there is no recipe 'zzz'; there are channel, class, lucid, naive"):
        ph.recipes.get("zzz")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"steps": -1}, ParameterError, "steps is -1; expected a whole number from 0 to 1000000"),
        ({"steps": 10**6 + 1}, ParameterError, "steps is 1000001"),
        ({"views": 0}, ParameterError, "views is 0; expected a whole number from 1 to 4096"),
        (
            {"optimizer": 3},
            (ArgumentError, TypeError),
            "optimizer must be a Optimizer, such as .*; got int|parameter 'optimizer'",
        ),
        (
            {"parameterization": None},
            (ArgumentError, TypeError),
            "parameterization must be a Parameterization|parameter 'parameterization'",
        ),
        ({"transforms": ("jitter",)}, (ArgumentError, TypeError), "a transform is a value from|parameter 'transforms'"),
    ],
)
def test_a_recipe_out_of_range_is_refused(options, error, message):
    with pytest.raises(error, match=message):
        ph.Recipe(**options)
