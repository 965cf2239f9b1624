"""The CNN-visualization zoo: oracles of its loops, and what its regularisers do."""

from __future__ import annotations

import copy
from collections import OrderedDict
from dataclasses import replace

import numpy as np
import pytest
import torch
from networks import CPU, activations, conv_net, linear_net, random_images, wrapped
from torch import nn

import phosphene as ph
from phosphene._types import FrozenArray
from phosphene.errors import ArgumentError, ImageError, ParameterError, UnknownLayerError
from phosphene.functional.random import Streams
from phosphene.objectives import InvertedRepresentation
from phosphene.optimizers import SGD, Adam
from phosphene.projections import Clip, Quantize
from phosphene.recipes.normalized import normalized_pixels
from phosphene.recipes.zoo import class_specific_image, layer_visualization, regularized_class_image, zoo_deep_dream
from phosphene.recipes.zoo_inversion import inverted_representation, inverted_representation_recipe
from phosphene.render.batches import stream_keys

MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def statistics(channels: int) -> tuple[np.ndarray, np.ndarray]:
    mean, std = (MEAN, STD) if channels == 3 else (np.full(channels, MEAN.mean()), np.full(channels, STD.mean()))
    return mean[:, None, None], std[:, None, None]


def start_noise(objective, kind: str, *shape: int) -> np.ndarray:
    noise = Streams(stream_keys([objective]), 0, CPU).fork("start")
    return getattr(noise, kind)(*shape)[0].double().numpy()


def gradient(net, x: np.ndarray, loss) -> np.ndarray:
    """The gradient of a loss in the normalised image; ``loss`` maps the network's input to a number."""
    mean, std = (torch.from_numpy(v) for v in statistics(net.n_channels))
    leaf = torch.tensor(x, requires_grad=True)
    loss((leaf * std + mean)[None]).backward()
    return leaf.grad.numpy()


def module_of(net, n_layers: int | None = None) -> nn.Module:
    module = copy.deepcopy(net.module).double().eval()
    return module if n_layers is None else module[:n_layers]


def mirrored_gaussian(n: int, sigma: float) -> np.ndarray:
    """Weights of a Gaussian cut at four standard deviations, mirrored about the border pixels, along one axis."""
    radius = min(max(1, int(4 * sigma + 0.5)), n - 1)
    taps = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    weights, mirrored = np.zeros((n, n)), np.pad(np.arange(n), radius, mode="reflect")
    for i in range(n):
        for k, tap in zip(mirrored[i : i + 2 * radius + 1], taps / taps.sum(), strict=True):
            weights[i, k] += tap
    return weights


@pytest.mark.parametrize(("size", "channels"), [((12, 9), 3), ((7, 10), 1)])
def test_layer_visualization_is_adam_on_the_normalised_image(size, channels):
    net, unit = conv_net(channels), ph.Channel("conv2", 2)
    module, (mean, std) = module_of(net, 3), statistics(channels)
    x = ((150 + 30 * start_noise(unit, "uniform", channels, *size)) / 255 - mean) / std
    m, v = np.zeros_like(x), np.zeros_like(x)
    for t in range(1, 7):
        g = gradient(net, x, lambda image: -module(image)[0, 2].mean()) + 1e-6 * x
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        x = x - 0.1 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    recipe = layer_visualization(*size, channels)
    result = ph.render(net, [unit, ph.Channel("conv2", 0)], recipe=recipe, steps=6, dtype=torch.float64, progress=False)
    assert np.abs(result.images[0].numpy() - (x * std + mean).clip(0, 1)).max() < 1e-7


@pytest.mark.parametrize("quantized", [False, True])
@pytest.mark.parametrize(("size", "channels"), [((12, 9), 3), ((7, 10), 5)])
def test_a_class_specific_image_is_plain_ascent_clipped_after_every_step(quantized, size, channels):
    net, unit = conv_net(channels), ph.Logit("cup")
    module, (mean, std) = module_of(net), statistics(channels)
    image = start_noise(unit, "uniform", channels, *size)
    for _ in range(8):
        x = (image - mean) / std
        x = x - 6.0 * gradient(net, x, lambda image: -module(image)[0, 2])
        image = (x * std + mean).clip(0, 1)
        if quantized:
            image = np.round(255 * image) / 255
    recipe = class_specific_image(*size, channels, quantized=quantized)
    result = ph.render(net, unit, recipe=recipe, steps=8, dtype=torch.float64, progress=False)
    assert np.abs(result.images[0].numpy() - image).max() < 1e-7


@pytest.mark.parametrize(
    ("size", "channels", "options"),
    [
        ((12, 9), 3, {}),
        ((12, 9), 3, {"clipping_value": 0.1}),
        ((9, 14), 1, {"blur_freq": 6, "blur_rad": 0.8, "wd": 0.05, "quantized": True}),
        ((9, 14), 3, {"clipping_value": None, "blur_freq": 1}),
    ],
)
def test_a_regularized_class_image_blurs_decays_and_clips_its_own_gradient(size, channels, options):
    net, unit = conv_net(channels), ph.Logit(4)
    module, (mean, std) = module_of(net), statistics(channels)
    given = {"blur_freq": 4, "blur_rad": 1.0, "wd": 1e-4, "clipping_value": 3.0, "quantized": False, **options}
    rows, columns = (mirrored_gaussian(n, given["blur_rad"]) for n in size)
    image = start_noise(unit, "uniform", channels, *size)
    for i in range(1, 11):
        if i % given["blur_freq"] == 0 and i > 1:  # before the step; the noise of the start stays as it is
            image = rows @ image @ columns.T
        x = (image - mean) / std
        g = gradient(net, x, lambda image: -module(image)[0, 4])
        if given["clipping_value"] is not None:
            g = g * min(1.0, given["clipping_value"] / np.sqrt(np.sum(g**2)))
        x = x - 6.0 * (g + given["wd"] * x)
        image = (x * std + mean).clip(0, 1)
        if given["quantized"]:
            image = np.round(255 * image) / 255
    if 11 % given["blur_freq"] == 0:
        image = rows @ image @ columns.T
    recipe = regularized_class_image(*size, channels, **options)
    result = ph.render(net, unit, recipe=recipe, steps=10, dtype=torch.float64, progress=False)
    assert np.abs(result.images[0].numpy() - image).max() < 1e-7


def test_the_bound_holds_the_step_in_the_normalised_image():
    net, unit = conv_net(), ph.Logit(4)
    std = torch.tensor(STD)[:, None, None]

    def moved(bound: float | None) -> float:
        recipe = replace(regularized_class_image(12, 10, wd=0.0, clipping_value=bound), projections=(), finish="none")
        before, after = (
            ph.render(net, unit, recipe=recipe, steps=n, progress=False).images[0].double() for n in (0, 1)
        )
        return float(((after - before) / std).norm())

    free = moved(None)
    assert free > 0.06
    assert moved(0.01) == pytest.approx(6.0 * 0.01, rel=1e-4)
    assert moved(1e6) == pytest.approx(free, rel=1e-6)


def test_weight_decay_pulls_to_imagenets_mean_colour():
    module = nn.Sequential(OrderedDict(flat=nn.Flatten(), out=nn.Linear(3 * 6 * 5, 2)))
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.zero_()
        module.out.weight[0, 0] = 1e-9  # no dead start
    net, decaying = wrapped(module, size=(6, 5)), regularized_class_image(6, 5, wd=0.05, blur_rad=0.0)
    image = ph.render(net, ph.Logit(0), recipe=decaying, steps=40, progress=False).images[0]
    assert image.mean((1, 2)).tolist() == pytest.approx(MEAN.tolist(), abs=1e-4)
    assert float(image.std((1, 2)).max()) < 1e-4


def test_small_changes_are_lost_in_whole_numbers():
    net, unit = conv_net(), ph.Logit(4)
    kept = ph.render(net, unit, recipe=class_specific_image(12, 10, lr=0.3), steps=20, progress=False)
    lost = ph.render(net, unit, recipe=class_specific_image(12, 10, lr=0.3, quantized=True), steps=20, progress=False)
    first = ph.render(net, unit, recipe=class_specific_image(12, 10), steps=0, progress=False)
    rounded = (first.images * 255).round() / 255
    changed = [
        float(((r.images - start).abs() > 1e-5).float().mean()) for r, start in ((kept, first.images), (lost, rounded))
    ]
    assert changed[0] > 0.9
    assert changed[1] < 0.02


@pytest.mark.parametrize(("size", "channels"), [((12, 9), 3), ((7, 10), 1)])
def test_the_zoos_deep_dream_is_ascent_with_decay_from_the_photograph(size, channels):
    net, unit = conv_net(channels), ph.Channel("conv2", 2)
    module, (mean, std) = module_of(net, 3), statistics(channels)
    photo = random_images(1, channels, size, dtype=torch.float32)[0]
    x = (photo.double().numpy() - mean) / std
    for _ in range(10):
        x = x - 12.0 * (gradient(net, x, lambda image: -module(image)[0, 2].mean()) + 1e-4 * x)
    recipe = zoo_deep_dream(photo)
    result = ph.render(net, unit, recipe=recipe, steps=10, dtype=torch.float64, progress=False)
    assert np.abs(result.images[0].numpy() - (x * std + mean).clip(0, 1)).max() < 1e-7


def test_a_dream_of_no_steps_is_the_photograph_and_it_is_resized_only_if_asked():
    photo = random_images(1, 3, (13, 9), dtype=torch.float32)[0]
    still = ph.render(conv_net(), ph.Channel("conv2", 0), recipe=zoo_deep_dream(photo), steps=0, progress=False)
    torch.testing.assert_close(still.images[0], photo, rtol=0, atol=1e-6)
    assert zoo_deep_dream(photo, size=(8, 8)).sizes == ((8, 8),)
    assert zoo_deep_dream(photo).steps == 250


@pytest.mark.parametrize(("size", "channels"), [((8, 7), 3), ((7, 9), 1)])
def test_an_inversion_is_momentum_under_an_alpha_norm_and_a_variation_of_rows_and_columns(size, channels):
    net = conv_net(channels, size=size)
    photo = random_images(1, channels, size, dtype=torch.float32)[0]
    module, (mean, std) = module_of(net, 3), statistics(channels)
    wanted = activations(net, "conv2", photo[None])[0].float()
    target = wanted.double()
    objective = -InvertedRepresentation("conv2", FrozenArray.of(wanted), weight=0.1)
    x, velocity, rate = 0.1 * start_noise(objective, "normal", channels, *size), 0.0, 100.0

    def loss(leaf: torch.Tensor) -> torch.Tensor:
        features = module((leaf * torch.from_numpy(std) + torch.from_numpy(mean))[None])[0]
        total = 0.1 * ((features - target) ** 2).sum() / (target**2).sum()
        for c in range(channels):
            for i in range(size[0]):
                for j in range(size[1]):
                    total = total + 1e-7 * leaf[c, i, j] ** 6
                    if i < size[0] - 1 and j < size[1] - 1:
                        down, right = leaf[c, i + 1, j] - leaf[c, i, j], leaf[c, i, j + 1] - leaf[c, i, j]
                        total = total + 1e-8 * (down**2 + right**2) ** (2 / 2)
        return total

    for i in range(43):
        leaf = torch.tensor(x, requires_grad=True)
        loss(leaf).backward()
        velocity = 0.9 * velocity + leaf.grad.numpy()
        x = x - rate * velocity
        if i % 40 == 0:
            rate /= 10
    recipe = inverted_representation_recipe(photo, lr=100.0)
    result = ph.render(net, objective, recipe=recipe, steps=43, dtype=torch.float64, progress=False)
    assert np.abs(x).max() > 0.3  # it has moved
    assert np.abs(result.images[0].numpy() - (x * std + mean).clip(0, 1)).max() < 1e-7


def test_the_rate_falls_after_the_first_step_and_every_forty_from_there():
    recipe = inverted_representation_recipe(torch.zeros(3, 4, 4))
    assert (recipe.optimizer.lr, recipe.optimizer.momentum, recipe.steps) == (1e4, 0.9, 201)
    rates = [recipe.optimizer.lr * recipe.optimizer.schedule.factor(i) for i in (0, 1, 40, 41, 80, 81, 200)]
    assert rates == pytest.approx([1e4, 1e3, 1e3, 1e2, 1e2, 1e1, 1e-1])


@pytest.mark.parametrize("axis", [1, 2])
def test_rows_and_columns_count_alike_in_the_variation(axis):
    height, width = 6, 9
    ramp = torch.arange(width if axis == 2 else height, dtype=torch.float64) / 20
    image = (ramp if axis == 2 else ramp[:, None]).expand(3, height, width) + 0.0
    variation = inverted_representation_recipe(torch.zeros(3, height, width)).regularizer.terms[1]
    expected = (height - 1) * (width - 1) * sum((0.05 / s) ** 2 for s in STD)
    assert variation.weight == -1e-8
    assert float(variation.objective.penalty(image[None])) == pytest.approx(expected)


@pytest.mark.parametrize("channels", [1, 3])
def test_an_invertible_layer_gives_the_photograph_back(channels):
    mixing = nn.Conv2d(channels, channels, 1)
    with torch.no_grad():
        nn.init.orthogonal_(mixing.weight, generator=torch.Generator().manual_seed(0))
        mixing.bias.fill_(0.1)
    net = wrapped(nn.Sequential(OrderedDict(mixing=mixing)), size=(9, 7), channels=channels)
    # Of moderate colours: the α-norm pulls at those that are several standard deviations away.
    photo = 0.3 + 0.35 * random_images(1, channels, (9, 7), dtype=torch.float32)[0]
    recipe = inverted_representation_recipe(photo, lr=1e3)
    result = inverted_representation(net, photo, "mixing", recipe=recipe, progress=False)
    assert float((result.images[0] - photo).abs().max()) < 0.02
    start = inverted_representation(net, photo, "mixing", recipe=replace(recipe, steps=0), progress=False)
    assert float((start.images[0] - photo).abs().max()) > 0.1


def test_a_photograph_of_another_size_is_cut_to_its_middle_at_the_networks_size():
    net, middle = linear_net(), random_images(1, 3, (6, 5), dtype=torch.float32)[0]
    around = nn.functional.pad(middle, (2, 2))
    recipe = inverted_representation_recipe(middle, lr=1.0)
    one, other = (
        inverted_representation(net, image, "out", recipe=replace(recipe, steps=5), progress=False)
        for image in (middle, around)
    )
    assert torch.equal(one.images, other.images)
    plain = inverted_representation(net, around, "out", progress=False)
    assert plain.images.shape == (1, 3, 6, 5)


def test_the_published_numbers():
    assert layer_visualization().optimizer == Adam(lr=0.1, weight_decay=1e-6)
    assert class_specific_image().optimizer == SGD(lr=6.0)
    assert regularized_class_image().optimizer == SGD(lr=6.0, weight_decay=1e-4, clip_norm=3.0)
    assert zoo_deep_dream(torch.zeros(3, 4, 5)).optimizer == SGD(lr=12.0, weight_decay=1e-4)
    steps = [r.steps for r in (layer_visualization(), class_specific_image(), regularized_class_image())]
    assert steps == [30, 150, 150]
    assert class_specific_image().projections == (Clip(),)
    assert class_specific_image(quantized=True).projections == (Quantize(256),)


@pytest.mark.parametrize(
    "recipe",
    [
        layer_visualization(),
        class_specific_image(),
        regularized_class_image(),
        zoo_deep_dream(torch.zeros(3, 4, 5)),
        inverted_representation_recipe(torch.zeros(1, 4, 5)),
    ],
    ids=lambda recipe: recipe.name,
)
def test_every_recipe_has_a_json_form_and_cites_the_zoo(recipe):
    assert ph.Recipe.from_json(recipe.to_json()) == recipe
    assert "Ozbulak" in recipe.citation()


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_parameters_are_the_normalised_image(channels):
    mean, std = statistics(channels)
    image = random_images(1, channels, (5, 4), dtype=torch.float32)[0]
    spec = normalized_pixels(5, 4, channels, start=ph.Pixels(5, 4, channels=channels, start=image).start)
    canvas = spec.build(1, Streams(("a",), 0, CPU).fork("start"), device=CPU, dtype=torch.float64)
    expected = (image.double().numpy() - mean) / std
    assert np.abs(canvas.pixels[0].detach().numpy() - expected).max() < 1e-6
    assert np.abs(canvas()[0].detach().numpy() - image.numpy()).max() < 1e-7


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: regularized_class_image(blur_freq=0),
            ParameterError,
            "blur_freq is 0; expected a whole number from 1",
        ),
        (lambda: regularized_class_image(blur_rad=-1.0), ParameterError, "sigma is -1.0"),
        (lambda: regularized_class_image(clipping_value=0.0), ParameterError, "clip_norm is 0.0"),
        (lambda: zoo_deep_dream(torch.zeros(4, 5)), ImageError, "the image has shape"),
        (lambda: zoo_deep_dream("cat.png"), ArgumentError, "expected numbers"),
        (lambda: inverted_representation_recipe(2 * torch.ones(3, 4, 5)), ImageError, "expected \\[0, 1\\]"),
        (
            lambda: inverted_representation(conv_net(), torch.zeros(1, 9, 9), "conv1"),
            ImageError,
            "1 channels; .* takes 3",
        ),
        (lambda: inverted_representation(conv_net(), torch.zeros(3, 9, 9), "conv9"), UnknownLayerError, "conv9"),
    ],
)
def test_what_is_out_of_range_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
