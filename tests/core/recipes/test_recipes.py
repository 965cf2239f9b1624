"""Recipes by name: values with the numbers of their sources."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from members import RECIPES
from networks import conv_net

import phosphene as ph
from phosphene import optimizers, transforms
from phosphene.errors import ArgumentError, ParameterError, RecipeError

#: Recipes whose clean picture beats the start's on the small network: those with transforms and a finish that keeps
#: values. The others' scores rise through their own views, which their own tests check.
RISING = ("channel", "class", "lucid", "distill", "lucid_redirected", "laplacian_pyramid", "preconditioned_robust")
#: The same of recipes in stages whose finish stretches the contrast.
UNFINISHED = ("tf_naive", "tf_multiscale", "tf_lapnorm", "deepDreamImage")
#: The most colour channels that a recipe draws, where not any number.
COLORS = {"grayscale": (1, 3)}


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize(("height", "width", "channels"), [(24, 31, 3), (40, 24, 1), (25, 25, 5)])
def test_every_recipe_renders_in_any_size_and_number_of_channels(name, height, width, channels):
    if channels not in COLORS.get(name, (channels,)):
        pytest.skip(f"{name} draws {COLORS[name]} channels")
    net, units = conv_net(channels), [ph.Channel("conv2", 0), ph.Channel("conv2", 3)]
    recipe = ph.recipes.get(name, height, width, channels)
    recipe = replace(recipe, steps=10 if name in (*RISING, *UNFINISHED, "naive") else 2, views=min(4, recipe.views))
    # A finish that stretches every picture to one contrast leaves nothing to compare.
    recipe = replace(recipe, finish="none") if name in UNFINISHED else recipe
    result = ph.render(net, units, recipe=recipe, progress=False)
    assert result.images.shape == (2, recipe.parameterization.image_channels, *recipe.sizes[-1])
    assert result.status == ("ok", "ok")
    assert torch.isfinite(result.images).all()
    assert [len(curve) for curve in result.scores] == [recipe.total_steps] * 2
    if name == "naive":  # no transforms: the curve itself rises, but nothing holds for other sizes and views
        assert all(curve[-1] > curve[0] for curve in result.scores)
    if name in (*RISING, *UNFINISHED):
        # Views differ from step to step; the clean picture and its held-out views must be better than the start's.
        start = ph.render(net, units, recipe=recipe, steps=0, progress=False)
        assert (result.final_scores > start.final_scores).all()
        assert (result.robust_scores > start.robust_scores).all()


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_carries_its_name_and_its_size(name):
    recipe = ph.recipes.get(name, 24, 30, 1)
    assert recipe.name == name
    made = recipe.parameterization
    assert (made.height, made.width) == (24, 30)
    assert made.image_channels == (2 if name == "alpha" else 1)
    assert ph.Recipe.from_json(recipe.to_json()) == recipe
    assert recipe.sized(28, 29).parameterization.height == 28
    assert recipe.sized(24, 30) == recipe


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_cites_its_source(name):
    recipe = ph.recipes.get(name)
    if ph.recipes.find(name).source != "phosphene":
        assert recipe.follows
        assert recipe.citation().count("@") >= len(recipe.follows)


def test_a_citation_names_each_source_once():
    text = ph.recipes.get("maco").citation()
    assert text.count("fel2023maco") == 1
    assert "author = {Fel, Thomas and" in text
    with pytest.raises(ParameterError, match="follows is 'nobody2020'; expected a key of phosphene's bibliography"):
        ph.Recipe(follows=("nobody2020",))


@pytest.mark.parametrize("method", ph.recipes.methods(), ids=lambda m: m.name)
def test_every_method_says_where_and_when_it_was_published_and_what_it_is(method):
    assert method.source
    assert 2012 < method.year <= 2026
    assert 20 < len(method.summary) < 220


@pytest.mark.parametrize("method", [m for m in ph.recipes.methods() if m.start != "noise"], ids=lambda m: m.name)
def test_a_method_that_needs_more_says_how_it_is_called(method):
    needs = {"photograph": "image", "network": "net, …"}[method.start]
    call = rf"starts from a {method.start}; call ph\.recipes\.{method.make.__name__}\({needs}\)"
    with pytest.raises(ArgumentError, match=call):
        ph.recipes.get(method.name)
    assert getattr(ph.recipes, method.make.__name__) is method.make
    assert method.citation().startswith("@")


@pytest.mark.parametrize("name", [n for n in RECIPES if len(ph.recipes.get(n).sizes) == 1])
def test_a_recipe_of_another_size_is_the_sized_recipe(name):
    assert ph.recipes.get(name, 96, 88) == ph.recipes.get(name).sized(96, 88)


def test_the_number_of_steps_stretches_what_changes_over_them():
    crop = ph.recipes.get("maco", steps=11).transforms[0]
    assert isinstance(crop, transforms.ScheduledCrop)
    assert [crop.side.factor(step) for step in (0, 5, 10)] == pytest.approx([0.5, 0.275, 0.05])
    assert ph.recipes.get("naive", steps=11).steps == 11


def test_lucids_recipe_has_lucids_numbers():
    assert ph.recipes.lucid() == ph.Recipe(
        "lucid",
        ph.Fourier(128, 128),
        transforms.lucid(),
        1,
        optimizers.Adam(lr=0.05),
        512,
        follows=("olah2017feature",),
    )


def test_the_naive_recipe_has_no_prior():
    assert ph.recipes.naive() == ph.Recipe(
        "naive",
        ph.Pixels(224, 224, decorrelate="none"),
        (),
        1,
        optimizers.Adam(lr=0.05),
        512,
        follows=("olah2017feature",),
    )


def test_an_unknown_recipe_names_the_nearest():
    with pytest.raises(RecipeError, match="there is no recipe 'lucent'; did you mean .*lucid"):
        ph.recipes.get("lucent")
    with pytest.raises(RecipeError, match="there is no recipe 'zzz'; there are channel, class, deepdream"):
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
