"""Lucid's other canvases and transparency: the published numbers, and a literal loop of the transparent image."""

from __future__ import annotations

import pytest
import torch
from literal import RATE, plain, seen, start
from networks import conv_net

import phosphene as ph
from phosphene import optimizers, parameterizations
from phosphene.errors import ImageError, ParameterError
from phosphene.models.overrides import RedirectedReLU
from phosphene.recipes.lucid_more import alpha, cppn, grayscale, laplacian_pyramid, lucid_redirected, transparent
from phosphene.regularizers import MeanAlpha
from phosphene.transforms import CollapseAlpha

UNIT = ph.Channel("conv2", 2)


def test_the_canvases_are_lucids_and_the_rest_its_defaults():
    lucid = ph.recipes.lucid()
    canvases = {
        laplacian_pyramid: parameterizations.LaplacianPyramid(128, 128, levels=4),
        grayscale: parameterizations.Grayscale(ph.Fourier(128, 128, channels=1)),
        lucid_redirected: ph.Fourier(128, 128),
    }
    for make, canvas in canvases.items():
        recipe = make()
        assert recipe.parameterization == canvas
        assert (recipe.transforms, recipe.optimizer, recipe.steps) == (lucid.transforms, lucid.optimizer, 512)
    assert lucid_redirected().overrides == (RedirectedReLU(steps=16),)


def test_a_painting_network_has_the_notebooks_numbers():
    recipe = cppn()
    assert recipe.parameterization == parameterizations.CPPN(224, 224, hidden=24, layers=8, activation="composite")
    assert (recipe.transforms, recipe.optimizer) == ((), optimizers.Adam(lr=0.005))


def test_a_transparent_image_has_the_notebooks_numbers():
    recipe = alpha()
    assert recipe.parameterization == parameterizations.Alpha(ph.Fourier(320, 320))
    assert recipe.transforms[0] == CollapseAlpha(sd=0.2, decay=1.5)
    window = recipe.transforms[1]
    assert [160 / 320 / side for side in (window.low, window.high)] == pytest.approx([1.1, 0.6])
    assert (recipe.optimizer, recipe.steps) == (optimizers.Adam(lr=0.03), 1000)


def test_grey_is_three_equal_channels_or_one():
    images = ph.render(conv_net(), UNIT, recipe=grayscale(12, 10), steps=3, progress=False).images
    assert torch.equal(images[:, 0], images[:, 2])
    assert grayscale(12, 10, 1).parameterization == ph.Fourier(12, 10, channels=1)


@pytest.mark.parametrize(("channels", "size"), [(3, (12, 10)), (3, (9, 13)), (1, (9, 13))])
def test_a_transparent_picture_climbs_the_unit_times_what_is_clear(channels, size):
    net, bare = conv_net(channels, size), plain(*size, channels)
    canvas = parameterizations.Alpha(
        bare.parameterization, mask=ph.Pixels(*size, channels=1, decorrelate="none", sd=0.5)
    )
    grey_behind = CollapseAlpha(sd=0.0)
    recipe = ph.Recipe(parameterization=canvas, optimizer=bare.optimizer, transforms=(grey_behind,), steps=3)
    result = transparent(net, UNIT, recipe=recipe, progress=False)
    look = seen(net, "conv2")
    parts = start(recipe, [UNIT * (1 - MeanAlpha())])
    colors, opacity = parts["inner.pixels"], parts["mask.pixels"]
    for _ in range(3):
        leaves = [colors.clone().requires_grad_(), opacity.clone().requires_grad_()]
        shown, clear = torch.sigmoid(leaves[0]), 1 - torch.sigmoid(leaves[1])
        seen_through = shown * (1 - clear) + 0.5 * clear
        (look(seen_through)[:, 2].mean() * clear.mean()).backward()
        colors, opacity = (p.detach() + RATE * p.grad / p.grad.square().sum().sqrt() for p in leaves)
    expected = torch.cat([torch.sigmoid(colors), torch.sigmoid(opacity)], 1)
    assert (result.images.double() - expected).abs().max() < 1e-5
    assert result.images.shape[1] == channels + 1
    assert result.has_alpha or channels == 1


def test_what_these_canvases_cannot_show_is_refused():
    with pytest.raises(ParameterError, match="inner|channels"):
        alpha(channels=0)
    with pytest.raises(ImageError, match="no alpha"):
        transparent(conv_net(), UNIT, recipe=plain(12, 10), progress=False)
