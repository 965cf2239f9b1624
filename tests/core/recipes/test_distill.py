"""Distill's article and its notebook on regularization: the published numbers, and what each setting climbs."""

from __future__ import annotations

import pytest
import torch
from networks import conv_net, seeded, wrapped

import phosphene as ph
from phosphene import optimizers
from phosphene import transforms as t
from phosphene.errors import ParameterError
from phosphene.recipes.distill import distill, preconditioned, unregularized
from phosphene.recipes.regularization import bilateral, penalized, preconditioned_robust, robust, robust_views

UNIT = ph.Channel("conv2", 2)


def test_the_articles_settings():
    recipe = distill(40, 30, 1)
    assert recipe.parameterization == ph.Fourier(40, 30, channels=1)
    assert recipe.transforms == (
        t.Pad(16, mode="constant", value=0.5),
        t.Jitter(16, mode="crop"),
        t.Scale(options=(1.0, 0.975, 1.025, 0.95, 1.05)),
        t.Rotate(options_deg=tuple(float(a) for a in range(-5, 6))),
        t.Jitter(8, mode="crop"),
        t.ToCanvas(),
    )
    assert (recipe.optimizer, recipe.steps) == (optimizers.Adam(lr=0.05), 2560)


def test_the_notebooks_settings():
    naive = unregularized()
    assert naive.parameterization == ph.Pixels(64, 64, decorrelate="none")
    assert (naive.transforms, naive.regularizer, naive.steps) == ((), None, 2048)
    assert (
        penalized().regularizer
        == -0.05 * ph.regularizers.L1(constant=0.5) - 0.25 * ph.TotalVariation() - 1.0 * ph.regularizers.BlurPenalty()
    )
    assert bilateral(weight=0.5).regularizer == -0.5 * ph.regularizers.BilateralPenalty()
    scales = tuple(1.1 ** (n / 10) for n in range(-10, 11))
    angles = tuple(float(a) for a in range(-5, 6))
    views = (t.Pad(2), t.Jitter(1, mode="crop"), t.Scale(options=scales), t.Rotate(options_deg=angles))
    assert robust().transforms == preconditioned_robust().transforms == views
    assert robust().parameterization == naive.parameterization
    assert preconditioned().parameterization == preconditioned_robust().parameterization == ph.Fourier(64, 64)
    assert preconditioned().transforms == ()


def test_turns_are_by_whole_degrees_up_to_the_largest():
    assert robust_views(0, 1.5, 1.0) == (t.Rotate(options_deg=(-1.5, -1.0, 0.0, 1.0, 1.5)),)


@pytest.mark.parametrize(("height", "width", "channels"), [(12, 10, 3), (7, 9, 1)])
def test_penalised_frequencies_cost_what_the_notebook_says(height, width, channels):
    net = conv_net(channels)
    bare = ph.render(net, UNIT, recipe=unregularized(height, width, channels, steps=1), progress=False)
    recipe = penalized(height, width, channels, l1=0.3, tv=0.2, blur=0.7, steps=1)
    result = ph.render(net, UNIT, recipe=recipe, snapshots=0, progress=False)
    image = result.snapshots[0][0].double()
    cost = 0.0
    for plane in image:
        for y in range(height):
            for x in range(width):
                total = weights = 0.0
                for dy in (-1, 0, 1):
                    for dx in (-1, 0, 1):
                        if 0 <= y + dy < height and 0 <= x + dx < width:
                            weight = 1.0 if dy == dx == 0 else 0.5
                            total, weights = total + weight * float(plane[y + dy, x + dx]), weights + weight
                value = float(plane[y, x])
                cost += 0.3 * abs(value - 0.5) + 0.7 * 0.5 * (value - total / weights) ** 2
                cost += 0.2 * abs(value - float(plane[y + 1, x])) if y + 1 < height else 0
                cost += 0.2 * abs(value - float(plane[y, x + 1])) if x + 1 < width else 0
    assert float(bare.scores[0][0] - result.scores[0][0]) == pytest.approx(cost, rel=1e-4)


def test_without_weights_nothing_is_penalised():
    assert penalized(l1=0.0, tv=0.0, blur=0.0).regularizer is None


def test_a_penalty_on_frequencies_leaves_less_of_them():
    class Edges(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = torch.nn.Conv2d(3, 4, 3, padding=1)

        def forward(self, x):
            return self.conv(x).square()

    net = wrapped(seeded(Edges()), size=(16, 16))

    def roughness(recipe):
        images = ph.render(net, ph.Channel("conv", 1), recipe=recipe, progress=False).images
        return float(ph.TotalVariation().penalty(images)[0])

    bare = roughness(unregularized(16, 16, steps=20))
    assert roughness(penalized(16, 16, l1=0.0, tv=0.01, blur=0.0, steps=20)) < 0.9 * bare
    assert roughness(bilateral(16, 16, weight=1.0, steps=20)) < 0.9 * bare


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (penalized, {"tv": -0.25}, "tv is -0.25; expected a weight from 0; it is subtracted"),
        (bilateral, {"weight": -1.0}, "bilateral is -1.0"),
        (robust, {"jitter": -1}, "jitter is -1; expected a whole number of pixels"),
        (robust, {"scale": 0.9}, "scale is 0.9; expected a magnification from 1 to 10"),
        (robust, {"rotate": 400.0}, "rotate is 400.0; expected an angle"),
    ],
)
def test_settings_out_of_range_are_refused(make, options, message):
    with pytest.raises(ParameterError, match=message):
        make(**options)
