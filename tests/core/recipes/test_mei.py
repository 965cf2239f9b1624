"""Most exciting inputs: literal loops of the published notebooks, their numbers, and a neuron whose best image is known."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from literal import seen, start
from networks import conv_net, gabor, random_images, wrapped
from scipy import ndimage
from torch import nn

import phosphene as ph
from phosphene import recipes as r
from phosphene.errors import ArgumentError, ImageError, ParameterError, UnknownLayerError
from phosphene.models.ensemble import ensemble
from phosphene.objectives import Similarity
from phosphene.recipes.dei import drawn_region
from phosphene.recipes.mei_units import MEAN, STD

LABS = ("mei", "mei_walker", "mei_contrast", "mei_norm", "mei_bashivan", "mei_deeptune", "mei_texture")
UNIT = ph.Channel("conv2", 3)


def slope(look, image, channel=3):
    leaf = torch.tensor(image)[None].requires_grad_()
    look(leaf)[0, channel].mean().backward()
    return leaf.grad[0].numpy()


def rendered(net, recipe, unit=UNIT):
    return ph.render(net, unit, recipe=recipe, dtype=torch.float64, progress=False).images[0].numpy()


def first(recipe, unit=UNIT):
    return start(recipe, [unit])["pixels"][0].numpy() + recipe.parameterization.offset[0]


@pytest.mark.parametrize(("size", "channels"), [((12, 10), 3), ((9, 14), 1)])
def test_walkers_is_a_smoothed_normalised_gradient_and_a_clipped_image_whose_blur_fades(size, channels):
    net = conv_net(channels, size)
    recipe = replace(r.mei_walker(*size, channels, std=0.2, mean=0.45, steps=8), finish="none")
    image, look = first(recipe), seen(net, "conv2")
    f = np.hypot(np.fft.fftfreq(size[0])[:, None], np.fft.fftfreq(size[1])[None])
    for i in range(8):
        gradient = np.fft.ifft2(np.fft.fft2(slope(look, image)) * (1 - f) ** 0.04).real
        done = i / 8
        rate = 1 / 850 + (1 / 20400 - 1 / 850) * done
        image = image + 0.2 * (1000 / 8) * rate * gradient / np.abs(gradient).mean()
        sigma = 1.5 + (0.01 - 1.5) * done
        image = ndimage.gaussian_filter(
            image.clip(0, 1), (0, sigma, sigma), mode="mirror", radius=(0, *[max(1, int(4 * sigma + 0.5))] * 2)
        )
    assert np.abs(rendered(net, recipe) - image).max() < 1e-6


def test_walkers_at_the_published_length_has_the_published_rates():
    recipe = r.mei_walker()
    rates = [recipe.optimizer.lr * recipe.optimizer.schedule.factor(i) / STD for i in (0, 1000)]
    assert rates == pytest.approx([1 / 850, 1 / 20400])
    blur = recipe.projections[1]
    assert [blur.sigma * blur.schedule.factor(i) for i in (0, 500, 1000)] == pytest.approx([1.5, 0.755, 0.01])
    assert (recipe.steps, recipe.conditioners[0].power) == (1000, 0.04)
    assert r.mei_walker(gain=3.0).optimizer.lr == pytest.approx(3 * recipe.optimizer.lr)


@pytest.mark.parametrize(("make", "most"), [(r.mei_norm, "exact"), (r.mei_contrast, "sd"), (r.mei, "most")])
def test_norms_are_held_by_short_steps_along_the_blurred_gradient(make, most):
    net, look = conv_net(), seen(conv_net(), "conv2")
    recipe = replace(make(12, 10, std=0.2, mean=0.45, contrast=0.3, steps=6), transforms=())
    image, width = first(recipe), recipe.conditioners[0].sigma
    for i in range(6):
        gradient = ndimage.gaussian_filter(
            slope(look, image), (0, width, width), mode="mirror", radius=(0, *[int(4 * width + 0.5)] * 2)
        )
        share = 0.04 * (1 - 0.95 * i / 6)
        image = image + share * 0.06 * gradient / np.sqrt((gradient**2).mean())
        if most == "sd":
            image = (image - image.mean()) / image.std() * 0.06 + 0.45
            continue
        rms = np.sqrt(((image - 0.45) ** 2).mean())
        if most == "exact" or rms > 0.06:
            image = 0.45 + (image - 0.45) * 0.06 / rms
        image = image.clip(0, 1)
    assert np.abs(rendered(net, recipe) - image).max() < 1e-6


def test_the_published_norms_are_one_contrast_per_value():
    grey = r.mei_norm(100, 100, 1).projections[0]
    assert grey.norm * math.sqrt(100 * 100) / STD == pytest.approx(25.0)
    low, high = MEAN / STD, (1 - MEAN) / STD
    assert [low, high] == pytest.approx([1.75, 2.26], abs=2e-3)
    assert r.mei_norm(p=1.0).projections[0].p == 1.0
    assert r.mei().transforms == (ph.transforms.Jitter(4),)


def test_deeptune_is_plain_ascent_in_the_labs_units_with_differences_of_neighbouring_rows():
    net, mean, std = conv_net(), 0.45, 0.2
    recipe = r.mei_deeptune(12, 10, mean=mean, std=std, tv=0.02, l6=0.5, lr=0.3, steps=5)
    x, look = torch.from_numpy((first(recipe) - mean) / std), seen(net, "conv2")
    for _ in range(5):
        leaf = x.clone().requires_grad_()
        variation = sum((leaf[:, i + 1] - leaf[:, i]).abs().sum() for i in range(11))
        variation = variation + sum((leaf[:, :, j + 1] - leaf[:, :, j]).abs().sum() for j in range(9))
        total = look(leaf[None] * std + mean)[0, 3].mean() - 0.02 * variation - 0.5 * (leaf**6).sum() ** (1 / 6)
        total.backward()
        x = ((x + 0.3 * leaf.grad) * std + mean).clamp(0, 1).sub(mean).div(std)
    assert np.abs(rendered(net, recipe) - (x * std + mean).numpy()).max() < 1e-6


def test_bashivans_moves_by_one_unit_along_the_gradient_and_textures_by_five():
    net = conv_net()
    for recipe, length in ((r.mei_bashivan(12, 10, jitter=0, tv=0.0), 1.0), (r.mei_texture(24, 20, tv=0.0), 5.0)):
        free = replace(recipe, projections=(), finish="none")
        before, after = (rendered(net, replace(free, steps=n)) for n in (0, 1))
        assert np.sqrt(((after - before) ** 2).sum()) == pytest.approx(length * STD, rel=1e-5)
    assert (r.mei_bashivan().steps, r.mei_texture().steps, r.mei_deeptune().steps) == (700, 5000, 500)


def test_a_texture_fills_its_canvas():
    net = conv_net()
    recipe = r.mei_texture(24, 20, steps=40)
    image = rendered(net, recipe)
    assert image.shape == (3, 24, 20)
    assert (np.abs(image - MEAN).mean(0)[4:20, 4:16] > 0.01).mean() > 0.9


class Rectified(nn.Module):
    """A linear-rectified Gabor neuron: a convolution as large as its screen, 24 × 24 grey, and a ReLU."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 24, bias=False)
        self.conv.weight.data = gabor(24).float()[None, None]

    def forward(self, x):
        return torch.relu(self.conv(x))


def likeness(result):
    return float(torch.corrcoef(torch.stack([result.images[0, 0].double().flatten(), gabor(24).flatten()]))[0, 1])


@pytest.mark.parametrize("make", [r.mei_walker, r.mei_norm, r.mei_contrast], ids=lambda m: m.__name__)
def test_a_rectified_gabor_neuron_is_recovered_though_it_is_silent_at_first(make):
    net = wrapped(Rectified(), size=(24, 24), channels=1)
    result = ph.render(net, ph.Channel("", 0), recipe=make(24, 24, 1, steps=300), progress=False)
    assert "restarts: the gradient was exactly zero" in result.status[0]
    assert likeness(result) > 0.95


@pytest.mark.parametrize("make", [r.mei_walker, r.mei_norm, r.mei_contrast], ids=lambda m: m.__name__)
def test_before_the_rectifier_the_most_and_the_least_exciting_inputs_are_the_gabor_and_its_negative(make):
    net, recipe = wrapped(Rectified(), size=(24, 24), channels=1), replace(make(24, 24, 1, steps=100), transforms=())
    unit = ph.Channel("conv", 0)
    assert likeness(ph.render(net, unit, recipe=recipe, progress=False)) > 0.95
    assert likeness(r.least_exciting(net, unit, recipe=recipe, progress=False)) < -0.95


@pytest.mark.parametrize("name", LABS)
def test_every_recipe_raises_the_units_score(name):
    net, recipe = conv_net(), r.get(name, 24, 20, steps=25)
    after, before = (ph.render(net, UNIT, recipe=recipe, steps=n, progress=False) for n in (25, 0))
    if name != "mei_texture":  # whose views differ from step to step
        assert after.scores[0][-5:].mean() > after.scores[0][0]
    assert after.final_scores[0] > before.final_scores[0]


def test_the_least_exciting_input_lowers_the_response():
    net = conv_net()
    result = r.least_exciting(net, UNIT, recipe=r.mei(12, 10, steps=60), progress=False)
    most = ph.render(net, UNIT, recipe=r.mei(12, 10, steps=60), progress=False)
    assert -result.final_scores[0] < most.final_scores[0] - 0.05
    assert result.images.shape[2:] == net.input_size


@pytest.mark.parametrize("layer", [None, "conv1"])
def test_diverse_inputs_are_less_alike_than_without_the_term(layer):
    net = conv_net()
    found = r.diverse_exciting(net, UNIT, n=3, weight=5.0, layer=layer, recipe=r.mei(12, 10, steps=60), progress=False)
    alone = ph.render(net, [UNIT] * 3, recipe=r.mei(12, 10, steps=60), progress=False)
    correlation = [torch.corrcoef(x.images.flatten(1))[[0, 0, 1], [1, 2, 2]].max() for x in (found, alone)]
    assert correlation[0] < correlation[1] - 0.05


class Energy(nn.Module):
    """A complex cell: the energy of two Gabors, free to answer to any phase."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 24, bias=False)
        other = torch.roll(gabor(24).float(), 2, 1)
        self.conv.weight.data = torch.stack([gabor(24).float(), other])[:, None]

    def forward(self, x):
        return (self.conv(x).square().sum(1, keepdim=True) + 1e-6).sqrt()


def test_diverse_exciting_inputs_hold_the_floor_and_spread_over_what_is_left_free():
    net = wrapped(Energy(), size=(24, 24), channels=1)
    found = r.dei(net, ph.Channel("", 0), n=3, floor=0.8, recipe=r.mei(24, 24, 1, jitter=0, steps=200), progress=False)
    assert bool(found.reached.all())
    assert min(found.shares) > 0.78
    assert found.level == pytest.approx(0.8 * float(found.mei.final_scores[0]))
    alike = torch.corrcoef(found.images.images.flatten(1))
    assert alike[~torch.eye(3, dtype=torch.bool)].max() < 0.9
    strict = r.dei(net, ph.Channel("", 0), n=3, floor=1.0, recipe=r.mei(24, 24, 1, jitter=0, steps=200), progress=False)
    assert torch.corrcoef(strict.images.images.flatten(1)).mean() > alike.mean()


def test_the_drawn_region_is_where_the_image_departs_from_its_grey():
    image = torch.full((3, 64, 64), 0.4)
    image[:, 20:30, 40:50] = random_images(1, 3, (10, 10), dtype=torch.float32)[0]
    region = drawn_region(image)
    assert float(region[25, 45]) > 0.95
    assert float(region[50, 10]) == 0
    assert (float(region.min()), float(region.max())) == (0.0, pytest.approx(1.0, abs=0.05))


def test_all_of_it_works_on_an_ensemble():
    net = ensemble([conv_net(), wrapped(nn.Conv2d(3, 2, 3, padding=1))])
    contrast = ph.Channel("0.conv2", 1) - 0.5 * ph.Channel("1", 0)
    assert r.least_exciting(net, contrast, recipe=r.mei(12, 10, steps=3), progress=False).status == ("ok",)
    spread = r.diverse_exciting(net, contrast, n=2, recipe=r.mei(12, 10, steps=3), progress=False)
    assert Similarity().coupled
    assert len(spread) == 2


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda n: r.mei_walker(mean=128.0), ParameterError, "mean is 128.0; expected the lab's mean .*divide by 255"),
        (lambda n: r.mei_walker(std=64.0), ParameterError, "std is 64.0; expected .*divide by 255"),
        (lambda n: r.mei_walker(gain=0.0), ParameterError, "gain is 0.0"),
        (lambda n: r.mei_norm(contrast=0.0), ParameterError, "contrast is 0.0"),
        (lambda n: r.mei_contrast(contrast=-1.0), ParameterError, "contrast is -1.0"),
        (lambda n: r.mei_bashivan(tv=-1.0), ParameterError, "tv is -1.0; expected a weight from 0"),
        (lambda n: r.mei_deeptune(l6=-1.0), ParameterError, "l6 is -1.0; expected a weight from 0"),
        (lambda n: r.mei_texture(tv=-1.0), ParameterError, "tv is -1.0"),
        (lambda n: r.diverse_exciting(n, UNIT, n=1), ParameterError, "n is 1; expected a whole number, at least 2"),
        (lambda n: r.diverse_exciting(n, UNIT, n=2.5), ParameterError, "n is 2.5; expected a whole number"),
        (lambda n: r.diverse_exciting(n, [UNIT, UNIT]), ArgumentError, "unit is .*; expected one, such as ph.Neuron"),
        (lambda n: r.least_exciting(n, [UNIT]), ArgumentError, "unit is .*; expected one, such as ph.Neuron"),
        (lambda n: r.dei(n, [UNIT, UNIT]), ArgumentError, "unit is .*; expected one, such as ph.Neuron"),
        (lambda n: r.dei(n, UNIT, n=True), ParameterError, "n is True; expected a whole number"),
        (lambda n: r.diverse_exciting(n, UNIT, weight=-1.0), ParameterError, "weight is -1.0"),
        (lambda n: r.diverse_exciting(n, UNIT, layer="conv9", progress=False), UnknownLayerError, "conv9"),
        (lambda n: r.dei(n, UNIT, floor=0.0), ParameterError, "floor is 0.0; expected a share"),
        (
            lambda n: r.dei(n, UNIT - 100, recipe=r.mei(12, 10, steps=1), progress=False),
            ParameterError,
            "to its most exciting input, of which no share",
        ),
        (
            lambda n: r.dei(n, UNIT + 9, mask=np.ones((5, 5)), recipe=r.mei(12, 10, steps=1), progress=False),
            ImageError,
            r"the mask is \(5, 5\), the images are \(12, 10\)",
        ),
        (
            lambda n: r.dei(
                n,
                UNIT + 9,
                recipe=ph.Recipe(parameterization=ph.parameterizations.CPPN(12, 10), steps=1),
                progress=False,
            ),
            ArgumentError,
            "cannot start from an image",
        ),
    ],
)
def test_what_is_out_of_range_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call(conv_net())
