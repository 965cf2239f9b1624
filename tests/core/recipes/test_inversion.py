"""Feature inversion, caricature, texture and style: literal loops."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from literal import climbed, plain, seen, start
from networks import conv_net, random_images

import phosphene as ph
from phosphene.errors import ImageError, ParameterError, UnknownLayerError
from phosphene.recipes.inversion import caricature, caricature_recipe, feature_inversion, inversion_recipe
from phosphene.recipes.style import style_transfer, texture
from phosphene.transforms import Pad, ToCanvas

SIZES = [(3, (12, 10)), (1, (9, 13))]


def photo_of(channels: int, size: tuple[int, int], seed: int = 1) -> torch.Tensor:
    return random_images(1, channels, size, seed=seed, dtype=torch.float32)[0]


def objectives_of(result: ph.Result) -> list[ph.objectives.Objective]:
    """What the pictures climbed, each in a batch of its own."""
    return [ph.objectives.Objective.from_json(d["objectives"][d["index"]]) for d in result.documents]


def gram(activation: torch.Tensor) -> torch.Tensor:
    flat = activation.flatten(1)
    return torch.stack([torch.stack([(a * b).mean() for b in flat]) for a in flat])


@pytest.mark.parametrize("power", [0.0, 0.5, 2.0])
@pytest.mark.parametrize(("channels", "size"), SIZES)
def test_a_caricature_climbs_the_dot_product_times_a_power_of_the_cosine(power, channels, size):
    net, photo, recipe = conv_net(channels, size), photo_of(channels, size), plain(*size, channels)
    result = caricature(net, photo, ["conv1", "conv2"], cossim_power=power, recipe=recipe, progress=False)
    assert result.names == ("CaricatureOf(conv1)", "CaricatureOf(conv2)")
    for row, (layer, objective) in enumerate(zip(("conv1", "conv2"), objectives_of(result), strict=True)):
        look = seen(net, layer)
        target = look(photo.double()[None]).detach().flatten()

        def total(images, look=look, target=target):
            answer = look(images).flatten()
            dot = (answer * target).sum()
            cosine = dot / (1e-6 + answer.norm()) / (1e-6 + target.norm())
            return dot * max(0.1, float(cosine.detach())) ** power if cosine <= 0.1 else dot * cosine**power

        expected = climbed(start(recipe, [objective])["pixels"], total)
        assert np.abs(result.images[row : row + 1].numpy() - expected).max() < 1e-5


def test_a_feature_inversion_is_the_caricature_of_power_0():
    net, photo, recipe = conv_net(), photo_of(3, (12, 10)), plain(12, 10)
    plainly = feature_inversion(net, photo, "conv2", recipe=recipe, progress=False)
    power_0 = caricature(net, photo, "conv2", cossim_power=0.0, recipe=recipe, progress=False)
    assert torch.equal(plainly.images, power_0.images)


def test_the_photograph_is_seen_as_the_picture_is():
    net, photo = conv_net(), photo_of(3, (12, 10))
    canvas = ph.Pixels(12, 10, decorrelate="none", range="clip", start=photo)
    views = (ph.transforms.Scale(options=(1.5,)), ph.transforms.Rotate(options_deg=(70.0,)))
    recipe = replace(plain(12, 10, steps=1), parameterization=canvas, transforms=views)
    scores = [
        float(caricature(net, photo, "conv2", cossim_power=p, recipe=recipe, progress=False).scores[0][0])
        for p in (0.0, 3.0)
    ]
    # Of a picture that is the photograph the cosine is 1 in this view too, so that its power does not matter.
    assert scores[0] == pytest.approx(scores[1], rel=1e-4)
    assert scores[0] > 0


def test_the_default_recipe_is_lucids_with_mirrored_padding_cropped_to_the_photograph():
    recipe, lucid = inversion_recipe(photo_of(1, (30, 20))), ph.recipes.lucid(30, 20, 1)
    assert recipe.transforms == (Pad(12), *lucid.transforms[1:], ToCanvas())
    assert (recipe.parameterization, recipe.optimizer, recipe.steps) == (lucid.parameterization, lucid.optimizer, 512)
    assert caricature_recipe(photo_of(1, (30, 20))).name == "caricature"


@pytest.mark.parametrize(("channels", "size"), SIZES)
def test_a_texture_climbs_away_from_the_differences_of_gram_matrices(channels, size):
    net, photo, recipe = conv_net(channels, size), photo_of(channels, size), plain(*size, channels)
    result = texture(net, photo, ["conv1", "conv2"], recipe=recipe, progress=False)
    looks = [seen(net, "conv1"), seen(net, "conv2")]
    wanted = [gram(look(photo.double()[None]).detach()[0]) for look in looks]

    def total(images):
        return -sum((gram(look(images)[0]) - g).abs().mean() for look, g in zip(looks, wanted, strict=True))

    expected = climbed(start(recipe, objectives_of(result))["pixels"], total)
    assert np.abs(result.images.numpy() - expected).max() < 1e-5


def test_a_texture_does_not_mind_where_things_are():
    net = conv_net(size=(12, 12))
    photo = photo_of(3, (12, 12))
    style = objectives_of(texture(net, photo, "conv1", recipe=plain(12, 12, steps=0), progress=False))[0]
    inside = style.objective.matrix.tensor(dtype=torch.float64)
    shuffled = seen(net, "conv1")(photo.double()[None]).detach()[0].flatten(1)[:, torch.randperm(144)]
    assert (gram(shuffled) - inside).abs().max() < 1e-6


def test_style_transfer_weighs_content_against_style():
    net, content, style = conv_net(), photo_of(3, (12, 10)), photo_of(3, (12, 10), seed=2)
    recipe = plain(12, 10)
    result = style_transfer(
        net,
        content,
        style,
        style_layers="conv1",
        content_layers=["conv2"],
        content_weight=7.0,
        recipe=recipe,
        progress=False,
    )
    one, two = seen(net, "conv1"), seen(net, "conv2")
    wanted, shown = gram(one(style.double()[None]).detach()[0]), two(content.double()[None]).detach()

    def total(images):
        return -(gram(one(images)[0]) - wanted).abs().mean() - 7.0 * (two(images) - shown).abs().mean()

    expected = climbed(start(recipe, objectives_of(result))["pixels"], total)
    assert np.abs(result.images.numpy() - expected).max() < 1e-5


@pytest.mark.parametrize("weight", [-3.0, float("inf"), float("nan")])
def test_a_weight_that_would_flee_the_content_is_refused(weight):
    photo = photo_of(3, (12, 10))
    with pytest.raises(ParameterError, match="content_weight is .*; expected a number from 0"):
        style_transfer(conv_net(), photo, photo, style_layers="conv1", content_layers="conv2", content_weight=weight)


def test_content_counts_a_hundred_times_by_default_as_in_the_notebook():
    net, content, style = conv_net(), photo_of(3, (12, 10)), photo_of(3, (12, 10), seed=2)
    layers = {"style_layers": "conv1", "content_layers": "conv2"}
    recipe = plain(12, 10, steps=2)
    by_default, given, less = (
        style_transfer(net, content, style, **layers, **weight, recipe=recipe, progress=False)
        for weight in ({}, {"content_weight": 100.0}, {"content_weight": 10.0})
    )
    assert objectives_of(by_default) == objectives_of(given)
    assert torch.equal(by_default.images, given.images)
    assert not torch.equal(by_default.images, less.images)


def test_photographs_of_other_sizes_are_cut_to_the_networks_input():
    result = feature_inversion(
        conv_net(), photo_of(3, (40, 50)), "conv2", recipe=plain(12, 10, steps=1), progress=False
    )
    assert result.images.shape == (1, 3, 12, 10)
    assert objectives_of(result)[0].image.shape == (3, 12, 10)


def test_what_cannot_be_inverted_is_refused():
    net, photo = conv_net(), photo_of(3, (12, 10))
    with pytest.raises(ParameterError, match="there is no layer to look at; give its name"):
        feature_inversion(net, photo, [])
    with pytest.raises(UnknownLayerError, match="conv9"):
        caricature(net, photo, "conv9")
    with pytest.raises(ImageError, match="the image has 1 channels"):
        texture(net, photo[:1], "conv1")
    with pytest.raises(ParameterError, match="cossim_power is -1"):
        caricature(net, photo, "conv1", cossim_power=-1.0)
